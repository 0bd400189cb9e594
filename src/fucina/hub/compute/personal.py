"""Personal sites: time that a person has where nobody runs Fucina, served by an agent of that person."""

import re
from datetime import datetime

from django.db import transaction
from django.db.models import Sum

from fucina.access.modes import ModesFile, shipped_modes
from fucina.client.wire_site import PersonalSiteAnswer, PersonalSiteRequest
from fucina.errors import BadInput
from fucina.hub.access.actions import bring_time
from fucina.hub.accounting.actions import allocate
from fucina.hub.accounting.models import Allocation
from fucina.hub.compute.models import Project
from fucina.hub.network.actions import IssuedAgent, register_agent, register_site, renew_agent
from fucina.hub.network.models import Site
from fucina.hub.people.models import Person
from fucina.hub.people.visible import get_visible
from fucina.units import gpu_hours, gpu_seconds

MODE = "own"
_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}$")


class BadPersonalSite(BadInput):
    """A personal site that cannot be registered as it is described."""

    code = "bad_personal_site"


class LessTime(BadInput):
    """Time that was declared is not taken back by declaring less."""

    code = "less_time"


def personal_name(site_id: str, person: Person) -> str:
    """The id of a person's own site in the hub. Raises BadPersonalSite."""
    name = f"{site_id}.{person.username}"
    if not _NAME.fullmatch(name):
        raise BadPersonalSite(
            f"{name!r} cannot be the name of a site.", hint="Give the site a short id of letters, digits, '.' and '-'."
        )
    return name


@transaction.atomic
def bring_site(
    *, request: PersonalSiteRequest, by: Person, at: datetime, modes: ModesFile | None = None
) -> PersonalSiteAnswer:
    """Register a person's site, give its agent a new token, and put the declared hours on its first partition.

    Declared again, the hours are the same hours; more of them adds the difference.
    Raises NotVisible, BadPersonalSite, LessTime.
    """
    project = get_visible(Project.objects.visible_to(by).select_related("organisation"), request.project)
    name = personal_name(request.site.id, by)
    slurm = request.site.slurm
    if request.site.executor == "slurm" and (slurm is None or not slurm.account):
        raise BadPersonalSite(
            f"{request.site.id} names no Slurm account to charge.", hint="Set slurm.account in the site file."
        )
    site = register_site(site=request.site.model_copy(update={"id": name}), by=by, at=at, owner=by)
    issued = _agent_of(site, by=by, at=at)
    account = slurm.account if slurm else "this machine"
    allocation = _allocation(site, project, num_gpu_hours=request.gpu_hours, account=account, modes=modes, by=by, at=at)
    return PersonalSiteAnswer(site=site.name, agent=issued.agent.ref, token=issued.secret, allocation=allocation.ref)


def _agent_of(site: Site, *, by: Person, at: datetime) -> IssuedAgent:
    agent = site.agents.select_related("token", "site").first()
    return renew_agent(agent=agent, by=by, at=at) if agent else register_agent(site=site, by=by, at=at)


def _allocation(
    site: Site,
    project: Project,
    *,
    num_gpu_hours: float,
    account: str,
    modes: ModesFile | None,
    by: Person,
    at: datetime,
) -> Allocation:
    """The newest allocation of the project at the site, which together have the declared hours."""
    mine = Allocation.objects.filter(
        site=site, grant__organisation=project.organisation, grant__project=project.name
    ).order_by("-pk")
    before_gpu_s = mine.aggregate(total=Sum("grant__gpu_s"))["total"] or 0
    gpu_s = max(1, gpu_seconds(num_gpu_hours))
    if gpu_s < before_gpu_s:
        raise LessTime(
            f"{gpu_hours(before_gpu_s)} GPU-hours were declared for {project.name} at {site}, not {gpu_hours(gpu_s)}.",
            hint="Declare what you were given in all.",
        )
    newest = mine.first()
    if newest is not None and gpu_s == before_gpu_s:
        return newest
    mode = (modes or shipped_modes()).mode(MODE, day=at.date())
    note = f"Brought by {by.username}: account {account} at {site.title}"
    grant = bring_time(
        organisation=project.organisation,
        project=project.name,
        purpose=project.purpose,
        gpu_s=gpu_s - before_gpu_s,
        reason=note,
        mode=mode,
        by=by,
        at=at,
    )
    partition = site.partitions.order_by("position")[0]
    return allocate(grant=grant, partition=partition, by=by, at=at, note=note[:500])
