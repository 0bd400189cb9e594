"""Registering sites, whom their jobs run as, and draining them."""

from urllib.parse import quote

from fucina.client.door import Door
from fucina.client.wire_site import (
    DrainRequest,
    PersonalSiteAnswer,
    PersonalSiteRequest,
    SiteAnswer,
    SiteRequest,
    UserInfo,
    UserRequest,
)


class SiteCalls(Door):
    """Registering sites, whom their jobs run as, and draining them."""

    def register_site(self, request: SiteRequest) -> SiteAnswer:
        """Take in a site of the network, or what changed of it."""
        return self.post(SiteAnswer, "/sites", request)

    def bring_site(self, request: PersonalSiteRequest) -> PersonalSiteAnswer:
        """Bring time that one has at a site which does not run Fucina."""
        return self.post(PersonalSiteAnswer, "/sites/personal", request)

    def site_users(self, site: str) -> list[UserInfo]:
        """Whom people's jobs run as at a site."""
        return self.list(UserInfo, f"/sites/{quote(site, safe='')}/users")

    def map_user(self, site: str, request: UserRequest) -> list[UserInfo]:
        """Say whom a person's jobs run as at a site."""
        response = self.call(
            "POST",
            f"/sites/{quote(site, safe='')}/users",
            content=request.model_dump_json(),
            headers={"Content-Type": "application/json"},
        )
        return [UserInfo.model_validate(row) for row in response.json()]

    def drain_site(self, site: str, request: DrainRequest) -> SiteAnswer:
        """Have a site take nothing new, or take work again."""
        return self.post(SiteAnswer, f"/sites/{quote(site, safe='')}/drain", request)
