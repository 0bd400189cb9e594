"""Everything that is written about sites."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from django.db import transaction

from fucina.hub.network.models import Agent, Partition, Site
from fucina.hub.people.actions import Actor, issue_token, record
from fucina.hub.people.models import Scope
from fucina.network import spec
from fucina.network.status import PartitionStatus


class IssuedAgent(NamedTuple):
    """A new agent with the only copy of its token."""

    agent: Agent
    secret: str


@transaction.atomic
def register_site(*, site: spec.Site, by: Actor, at: datetime) -> Site:
    """Take in a site, or what changed of it; a partition that it no longer names stays for the books."""
    wire = site.model_dump(mode="json")
    row, created = Site.objects.get_or_create(
        name=site.id, defaults={"title": site.name, "executor": site.executor, "wire": wire, "registered_at": at}
    )
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


def note_partitions(*, site: Site, statuses: Sequence[PartitionStatus], at: datetime) -> None:
    """Keep what the agent saw of its site; a partition that the site does not have is passed over."""
    for status in statuses:
        Partition.objects.filter(site=site, name=status.partition).update(
            status=status.model_dump(mode="json"), status_at=at
        )


def note_seen(*, agent: Agent, version: str, at: datetime) -> None:
    """Remember that the agent called."""
    Agent.objects.filter(pk=agent.pk).update(version=version[:64], last_seen_at=at)
