"""Wire types built from people's rows."""

from fucina.client.wire import Me, OrganisationInfo
from fucina.hub.people.models import Organisation, Person


def me(person: Person) -> Me:
    """Who this is."""
    names = person.memberships.order_by("organisation__name").values_list("organisation__name", flat=True)
    return Me(username=person.username, name=person.name, is_staff=person.is_staff, organisations=tuple(names))


def organisation_info(organisation: Organisation, *, person: Person) -> OrganisationInfo:
    """An organisation as this person sees it; an officer who does not belong to it has no role."""
    membership = organisation.memberships.filter(person=person).first()
    return OrganisationInfo(
        ref=organisation.ref,
        name=organisation.name,
        country=organisation.country,
        role=membership.role if membership else "",
    )


def organisations(person: Person) -> list[OrganisationInfo]:
    """Every organisation that this person may see."""
    rows = Organisation.objects.visible_to(person).order_by("name")
    return [organisation_info(row, person=person) for row in rows]
