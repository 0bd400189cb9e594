"""What the hub knows of its sites at this moment."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db.models import Max

from fucina.client.wire_jobs import PartitionInfo, SystemInfo, WindowInfo
from fucina.client.wire_site import UserInfo
from fucina.hub.network.actions import check_staff
from fucina.hub.network.models import Partition, Site, SiteAccount
from fucina.hub.people.models import Person
from fucina.network.broker import longest_walltime_s
from fucina.network.status import PartitionStatus

SILENCE = timedelta(minutes=10)
"""After so long without a heartbeat nobody can say how an agent's jobs are, and nothing new is sent there."""

STALE = timedelta(minutes=15)
"""A status older than this says nothing about a queue any more."""


def fresh_status(partition: Partition, *, at: datetime) -> PartitionStatus | None:
    """What the agent last saw, unless that was long ago."""
    if partition.status_at is None or at - partition.status_at > STALE:
        return None
    return partition.parsed_status


def site_trouble(site: Site, *, last_seen_at: datetime | None, at: datetime) -> str:
    """Why nothing new starts at a site at this moment, in words; empty while all is well."""
    if last_seen_at is None:
        return "its agent has not been heard yet"
    if at - last_seen_at > SILENCE:
        return f"its agent is silent since {last_seen_at:%Y-%m-%d %H:%M} UTC"
    if site.draining:
        return "it takes nothing new"
    if longest_walltime_s(site.spec.maintenance, at=at) == 0:
        return "it is in maintenance"
    return ""


def trouble_of(partition: Partition, *, last_seen_at: datetime | None, at: datetime) -> str:
    """Why nothing new starts on a partition at this moment; empty while all is well."""
    status = fresh_status(partition, at=at)
    return site_trouble(partition.site, last_seen_at=last_seen_at, at=at) or (status.problem if status else "")


def sites_without_user(person: Person, sites: Iterable[Site]) -> set[int]:
    """Keys of those sites that run a person's jobs as a user of theirs and know none of this person; one query."""
    asked = {site.pk for site in sites if site.executor == "slurm" and site.owner_id is None}
    if not asked:
        return set()
    return asked - set(SiteAccount.objects.filter(person=person, site__in=asked).values_list("site", flat=True))


def no_user_trouble(site: Site, *, username: str) -> str:
    """Why the jobs of a person whom a site does not know start nothing there."""
    return f"{username} has no user there yet; its staff gives one with `fucina site map-user {site.name} {username}`"


def systems(*, person: Person, at: datetime) -> list[SystemInfo]:
    """Every site that an agent serves and the person may see, in two queries."""
    sites = Site.objects.visible_to(person).filter(agents__isnull=False).annotate(last=Max("agents__last_seen_at"))
    rows = sites.prefetch_related("partitions").order_by("name")
    return [_system(row, last_seen_at=row.last, at=at) for row in rows]


def _system(row: Site, *, last_seen_at: datetime | None, at: datetime) -> SystemInfo:
    spec = row.spec
    kept = {partition.name: partition for partition in row.partitions.all()}
    partitions = []
    for partition in spec.partitions:
        known = kept.get(partition.id)
        status = fresh_status(known, at=at) if known else None
        partitions.append(
            PartitionInfo(
                name=partition.id,
                accelerator=partition.accelerator.id,
                num_gpus=partition.num_nodes * partition.num_gpus_per_node,
                num_working_gpus=status.num_gpus if status else None,
                num_free_gpus=status.num_free_gpus if status else None,
                num_running_jobs=status.num_running_jobs if status else None,
                num_waiting_jobs=status.num_waiting_jobs if status else None,
                expected_wait_s=status.expected_wait_s if status else None,
                max_walltime_s=partition.max_walltime_s,
                problem=status.problem if status else "",
                at=known.status_at if known and status else None,
            )
        )
    return SystemInfo(
        site=row.name,
        name=row.title,
        country=spec.country,
        executor=row.executor,
        sensitivity=spec.sensitivity,
        last_seen_at=last_seen_at,
        trouble=site_trouble(row, last_seen_at=last_seen_at, at=at),
        maintenance=tuple(
            WindowInfo(begins_at=window.begins_at, ends_at=window.ends_at, note=window.note)
            for window in sorted(spec.maintenance, key=lambda window: window.begins_at)
            if window.ends_at > at
        ),
        partitions=tuple(partitions),
    )


def users(site: Site, *, person: Person) -> list[UserInfo]:
    """Whom people's jobs run as at the site. Raises NotSiteStaff."""
    check_staff(site, person)
    rows = site.accounts.select_related("person").order_by("person__username")
    return [UserInfo(person=row.person.username, unix_user=row.unix_user, set_at=row.set_at) for row in rows]
