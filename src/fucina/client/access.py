"""People, organisations, applications and decisions."""

from fucina.client.door import Door
from fucina.client.wire import (
    ApplicationInfo,
    ApplicationRequest,
    DecisionRequest,
    Me,
    OrganisationInfo,
    OrganisationRequest,
)


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
