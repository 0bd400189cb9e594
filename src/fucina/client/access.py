"""People, organisations, applications and decisions."""

from urllib.parse import quote

from fucina.client.door import Door
from fucina.client.wire import (
    ApplicationInfo,
    ApplicationRequest,
    DecisionRequest,
    Me,
    OrganisationInfo,
    OrganisationRequest,
)
from fucina.client.wire_access import ModeInfo, ModesText, SavedModes


class AccessCalls(Door):
    """People, organisations, applications and decisions."""

    def me(self) -> Me:
        """Who this token belongs to."""
        return self.get(Me, "/me")

    def organisations(self) -> list[OrganisationInfo]:
        """Organisations that one may see."""
        return self.list(OrganisationInfo, "/organisations")

    def add_organisation(self, request: OrganisationRequest) -> OrganisationInfo:
        """Found an organisation."""
        return self.post(OrganisationInfo, "/organisations", request)

    def modes(self) -> list[ModeInfo]:
        """Access modes and calls on offer."""
        return self.list(ModeInfo, "/access-modes")

    def mode(self, mode_id: str) -> ModeInfo:
        """One access mode."""
        return self.get(ModeInfo, f"/access-modes/{quote(mode_id, safe='')}")

    def save_modes(self, text: str) -> SavedModes:
        """Put modes or calls on offer, written as YAML."""
        return self.post(SavedModes, "/access-modes", ModesText(text=text))

    def applications(self) -> list[ApplicationInfo]:
        """Applications that one may see."""
        return self.list(ApplicationInfo, "/applications")

    def application(self, ref: str) -> ApplicationInfo:
        """One application."""
        return self.get(ApplicationInfo, f"/applications/{ref}")

    def apply(self, request: ApplicationRequest) -> ApplicationInfo:
        """Apply for accelerator time."""
        return self.post(ApplicationInfo, "/applications", request)

    def decide(self, ref: str, request: DecisionRequest) -> ApplicationInfo:
        """Grant or reject an application."""
        return self.post(ApplicationInfo, f"/applications/{ref}/decision", request)
