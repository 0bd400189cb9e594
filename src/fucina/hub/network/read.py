"""Wire types built from sites."""

from fucina.client.wire_site import UserInfo
from fucina.hub.network.actions import check_staff
from fucina.hub.network.models import Site
from fucina.hub.people.models import Person


def users(site: Site, *, person: Person) -> list[UserInfo]:
    """Whom people's jobs run as at the site. Raises NotSiteStaff."""
    check_staff(site, person)
    rows = site.accounts.select_related("person").order_by("person__username")
    return [UserInfo(person=row.person.username, unix_user=row.unix_user, set_at=row.set_at) for row in rows]
