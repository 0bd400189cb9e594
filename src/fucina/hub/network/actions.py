"""Everything that is written about sites."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from django.db import transaction

from fucina.errors import NotAllowed, NotVisible, WrongState
from fucina.hub.network.models import Agent, Partition, Site, SiteAccount
from fucina.hub.people.actions import Actor, issue_token, record, revoke_token
from fucina.hub.people.models import Person, Scope
from fucina.network import spec
from fucina.network.status import PartitionStatus


class NotSiteStaff(NotAllowed):
    """Only staff change a site of the network."""

    code = "not_site_staff"


class NotYourSite(NotAllowed):
    """A site under that name belongs to somebody else."""

    code = "not_your_site"


class UserTaken(WrongState):
    """Two people do not share a user of a site."""

    code = "user_taken"


class IssuedAgent(NamedTuple):
    """A new agent with the only copy of its token."""

    agent: Agent
    secret: str


@transaction.atomic
def register_site(*, site: spec.Site, by: Actor, at: datetime, owner: Person | None = None) -> Site:
    """Take in a site, or what changed of it; a partition that it no longer names stays for the books.

    Raises NotYourSite when the name belongs to another owner.
    """
    wire = site.model_dump(mode="json")
    row, created = Site.objects.get_or_create(
        name=site.id,
        defaults={"title": site.name, "executor": site.executor, "wire": wire, "registered_at": at, "owner": owner},
    )
    if row.owner_id != (owner.pk if owner else None):
        raise NotYourSite(f"There is a site {site.id!r} already.", hint="Give the site another id.")
    if created or row.wire != wire:
        row.title, row.executor, row.wire = site.name, site.executor, wire
        row.save(update_fields=["title", "executor", "wire"])
        for position, partition in enumerate(site.partitions):
            Partition.objects.update_or_create(site=row, name=partition.id, defaults={"position": position})
        record(by, "network.register_site", row, at=at, data={"site": site.id})
    return row


@transaction.atomic
def register_agent(*, site: Site, by: Actor, at: datetime) -> IssuedAgent:
    """Give a site an agent; the token is in the answer and nowhere else."""
    issued = issue_token(name=f"agent of {site.name}", scope=Scope.AGENT, person=None, by=by, at=at)
    agent = Agent.objects.create(site=site, token=issued.token)
    record(by, "network.register_agent", agent, at=at, data={"site": site.name})
    return IssuedAgent(agent, issued.secret)


@transaction.atomic
def admit_site(*, site: spec.Site, new_token: bool, by: Person, at: datetime) -> IssuedAgent:
    """Register a site of the network with its agent; its token comes with the first call, or when a new one is asked.

    Raises NotSiteStaff, NotYourSite.
    """
    if not by.is_staff:
        raise NotSiteStaff("Only staff register sites of the network.", hint="Use `fucina agent --personal` for yours.")
    row = register_site(site=site, by=by, at=at)
    agent = row.agents.select_related("token", "site").order_by("pk").first()
    if agent is None:
        return register_agent(site=row, by=by, at=at)
    return renew_agent(agent=agent, by=by, at=at) if new_token else IssuedAgent(agent, "")


@transaction.atomic
def renew_agent(*, agent: Agent, by: Actor, at: datetime) -> IssuedAgent:
    """Give an agent a new token and end the old one; its jobs stay its own."""
    issued = issue_token(name=agent.token.name, scope=Scope.AGENT, person=None, by=by, at=at)
    revoke_token(token=agent.token, by=by, at=at)
    agent.token = issued.token
    agent.save(update_fields=["token"])
    record(by, "network.renew_agent", agent, at=at, data={"site": agent.site.name})
    return IssuedAgent(agent, issued.secret)


def find_site(name: str, *, person: Person) -> Site:
    """A site that the person may see, by its id. Raises NotVisible."""
    row = Site.objects.visible_to(person).filter(name=name).first() if "\x00" not in name else None
    if row is None:
        raise NotVisible(f"There is no site {name!r} that you may see.", hint="Look at the list of sites.")
    return row


def check_staff(site: Site, person: Person) -> None:
    """Raises NotSiteStaff unless the person may change the site: its owner, or staff where it is the network's."""
    if person != site.owner and not (person.is_staff and site.owner is None):
        raise NotSiteStaff(f"Only the staff of {site} may do this.", hint="Ask an access officer of the factory.")


@transaction.atomic
def set_draining(*, site: Site, drain: bool, by: Person, at: datetime) -> Site:
    """Have a site take nothing new, or take work again. Raises NotSiteStaff."""
    check_staff(site, by)
    if site.draining != drain:
        site.draining = drain
        site.save(update_fields=["draining"])
        record(by, "network.drain" if drain else "network.resume", site, at=at, data={"site": site.name})
    return site


@transaction.atomic
def map_user(*, site: Site, username: str, unix_user: str, by: Person, at: datetime) -> SiteAccount | None:
    """Say which user of the site a person's jobs run as; an empty one takes it back.

    Raises NotSiteStaff, NotVisible, UserTaken.
    """
    check_staff(site, by)
    person = Person.objects.filter(username=username).first() if "\x00" not in username else None
    if person is None:
        raise NotVisible(f"There is nobody called {username!r}.", hint="Give the name that the person signs in with.")
    data = {"site": site.name, "person": person.username, "unix_user": unix_user}
    if not unix_user:
        if SiteAccount.objects.filter(site=site, person=person).delete()[0]:
            record(by, "network.unmap_user", site, at=at, data=data)
        return None
    holder = SiteAccount.objects.select_related("person").filter(site=site, unix_user=unix_user).first()
    if holder is not None and holder.person_id != person.pk:
        raise UserTaken(
            f"User {unix_user} of {site} is {holder.person.username}'s.", hint="Give each person a user of their own."
        )
    if holder is None:
        holder, _ = SiteAccount.objects.update_or_create(
            site=site, person=person, defaults={"unix_user": unix_user, "set_at": at}
        )
        record(by, "network.map_user", site, at=at, data=data)
    return holder


def note_seen(*, agent: Agent, version: str, serial: int, at: datetime) -> None:
    """Remember that the agent called, and find out whether it has known a newer hub than this one.

    The agent sends the highest number that it was ever answered. A hub that never gave that number was restored from
    a backup as old as its own last memory of the agent; it says so until the agent acknowledges with that number.
    """
    row = Agent.objects.select_for_update(no_key=True).select_related("token").get(pk=agent.pk)
    if serial > row.serial:
        row.restored_at = row.last_seen_at or row.token.created_at
        row.serial = serial + 1
    elif row.restored_at is None or serial == row.serial:
        row.restored_at = None
        row.serial = max(row.serial, serial + 1)
    row.version, row.last_seen_at = version[:64], at
    row.save(update_fields=["version", "last_seen_at", "serial", "restored_at"])
    agent.serial, agent.restored_at = row.serial, row.restored_at


def note_partitions(*, site: Site, statuses: Sequence[PartitionStatus], at: datetime) -> None:
    """Keep what the agent saw of its site; a partition that the site does not have is passed over."""
    for status in statuses:
        Partition.objects.filter(site=site, name=status.partition).update(
            status=status.model_dump(mode="json"), status_at=at
        )
