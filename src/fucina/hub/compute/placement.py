"""Where a run or a job goes: what the hub knows of each partition, judged by the broker."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, NoReturn

from django.db.models import Max, Q, Sum

from fucina.client.wire import RunSource
from fucina.compute.spec import JobSpec
from fucina.data.recipe import SourceFile
from fucina.errors import WrongState
from fucina.hub.accounting.actions import check_budget
from fucina.hub.accounting.models import Allocation, Kind
from fucina.hub.compute.models import LineRun, Project
from fucina.hub.network.models import Agent
from fucina.hub.network.read import fresh_status, no_user_trouble, sites_without_user, trouble_of
from fucina.hub.people.models import Person
from fucina.line.plan import BudgetTooSmall, PlannedStage, plan_run
from fucina.line.spec import ProjectSpec, StageName
from fucina.network.broker import (
    Candidate,
    Placement,
    Preference,
    Ranking,
    Rating,
    Refusal,
    Request,
    explain,
    judge,
    matches,
    order,
)

NEWEST_RUNS = 10
"""Runs of a project whose input files are looked for at their sites."""


class NoAllocation(WrongState):
    """The project has no time where it should run."""

    code = "no_allocation"


class NoPlace(WrongState):
    """No partition that the project has time on can take the job."""

    code = "no_place"


class Option(NamedTuple):
    """An allocation with what is known of its partition."""

    allocation: Allocation
    candidate: Candidate


class Judged(NamedTuple):
    """A run planned on a partition; without stages where the plan itself says no."""

    verdict: Rating | Refusal
    stages: tuple[PlannedStage, ...]


class Choice(NamedTuple):
    """Where a run goes, with its stages planned there."""

    allocation: Allocation
    stages: tuple[PlannedStage, ...]
    placement: Placement


def options(project: Project, *, by: Person, sources: Sequence[RunSource] = (), at: datetime) -> dict[str, Option]:
    """What the project has time on, by `site/partition`; of several allocations there the one with the most left.

    Sites without an agent, and personal sites of others, are left out; one where `by` has no user is not ready. Five
    queries however many there are.
    """
    granted = Sum("entries__gpu_s", filter=Q(entries__kind__in=(Kind.GRANT, Kind.CHANGE, Kind.EXPIRY)), default=0)
    rows = (
        Allocation.objects.of_project(project.organisation, project.name)
        .filter(Q(site__owner__isnull=True) | Q(site__owner=by))
        .select_related("partition__site")
        .annotate(granted_sum=granted, free_sum=Sum("entries__gpu_s", default=0))
    )
    allocations = list(rows)
    sites = {row.site_id for row in allocations}
    seen = dict(Agent.objects.filter(site__in=sites).values_list("site").annotate(last=Max("last_seen_at")))
    held = _held_files(project) if sources else {}
    strange = sites_without_user(by, (row.partition.site for row in allocations))
    found: dict[str, Option] = {}
    for row in allocations:
        if row.site_id not in seen:
            continue
        candidate = Candidate(
            site=row.partition.site.spec,
            partition=row.partition.spec,
            status=fresh_status(row.partition, at=at),
            granted_gpu_s=row.granted_sum,
            free_gpu_s=row.free_sum,
            data_share=_share(sources, held.get(row.site_id, frozenset())),
            trouble=no_user_trouble(row.partition.site, username=by.username)
            if row.site_id in strange
            else trouble_of(row.partition, last_seen_at=seen[row.site_id], at=at),
        )
        known = found.get(candidate.place)
        if known is None or candidate.free_gpu_s > known.candidate.free_gpu_s:
            found[candidate.place] = Option(row, candidate)
    return found


def _held_files(project: Project) -> dict[int, frozenset[str]]:
    """Digests of the input files that each site was sent by the project's newest runs."""
    rows = LineRun.objects.filter(
        project=project, jobs__stage=StageName.PREPARE.value, jobs__started_at__isnull=False
    ).order_by("-created_at")
    held: dict[int, frozenset[str]] = {}
    for site, sources in rows.values_list("allocation__site", "sources")[:NEWEST_RUNS]:
        held[site] = held.get(site, frozenset()) | {source["sha256"] for source in sources}
    return held


def _share(sources: Sequence[RunSource], held: frozenset[str]) -> float:
    whole = sum(source.num_bytes for source in sources)
    return sum(source.num_bytes for source in sources if source.sha256 in held) / whole if whole else 0.0


def request_for(jobs: Iterable[JobSpec], *, sensitivity: str, preference: Preference) -> Request:
    """What jobs that run one after another ask of a partition."""
    jobs = list(jobs)
    return Request(
        num_gpus=max(job.num_gpus for job in jobs),
        num_nodes=max(job.num_nodes for job in jobs),
        walltime_s=max(job.walltime_s for job in jobs),
        gpu_s=sum(job.num_gpus * job.walltime_s * job.num_tasks for job in jobs),
        memory_gib=max(job.memory_gib for job in jobs),
        sensitivity=sensitivity,
        preference=preference,
    )


def choose(
    project: Project,
    spec: ProjectSpec,
    *,
    sources: Sequence[RunSource],
    ref: str,
    by: Person,
    generation: int = 1,
    names: Sequence[str] = (),
    without: str = "",
    at: datetime,
) -> Choice:
    """The best partition for a run among those that the project file allows, or that `names` mean where given.

    A later name is taken where nothing of an earlier one is ready; those of the project file are its site and fallback.
    What the run leaves is `without`. Raises NoAllocation, NoPlace, BudgetTooSmall, BudgetExceeded.
    """
    site, fallback = spec.compute.site, spec.compute.fallback
    found = options(project, by=by, sources=sources, at=at)
    names = tuple(names) or (site, *([fallback] if fallback else []))
    found.pop(without, None)
    allowed = {place: option for place, option in found.items() if any(matches(place, name) for name in names)}
    if not allowed:
        where = "a site with an agent" if site == "auto" else f"site {site}, or that site has no agent"
        raise NoAllocation(
            f"{project.name} has no time on {where}.", hint="Apply for time, or set compute.site to auto."
        )
    judged = {
        place: _judge(option.candidate, spec, sources, ref=ref, generation=generation, at=at)
        for place, option in found.items()
    }
    ranking = order(judgement.verdict for judgement in judged.values())
    place = _pick(ranking, names)
    if place is None:
        _refuse(spec, sources, allowed, ranking, ref=ref)
    allocation = allowed[place].allocation
    placement = Placement(place=place, at=at, why=explain(ranking, chosen=place), ranking=ranking)
    return Choice(allocation, judged[place].stages, placement)


def _pick(ranking: Ranking, names: Sequence[str]) -> str | None:
    """The best ready place of the first name that has one; else the best place of the first name that has any."""
    for is_ready in (True, False):
        for name in names:
            for rating in ranking.ranked:
                if matches(rating.place, name) and (not is_ready or not rating.waits_for):
                    return rating.place
    return None


def _judge(
    candidate: Candidate,
    spec: ProjectSpec,
    sources: Sequence[RunSource],
    *,
    ref: str,
    generation: int,
    at: datetime,
) -> Judged:
    try:
        stages = _plan(candidate, spec, sources, ref=ref, generation=generation)
    except BudgetTooSmall as error:
        return Judged(Refusal(place=candidate.place, reasons=(error.message,)), ())
    request = request_for(
        (stage.job for stage in stages), sensitivity=spec.data.sensitivity, preference=spec.compute.prefer
    )
    return Judged(judge(request, candidate, at=at), stages)


def _plan(
    candidate: Candidate, spec: ProjectSpec, sources: Sequence[RunSource], *, ref: str, generation: int
) -> tuple[PlannedStage, ...]:
    """The five stages on a partition; those of a later generation have keys of their own. Raises BudgetTooSmall."""
    planned = plan_run(
        spec,
        sources=[
            SourceFile(path="", **source.model_dump(exclude={"role"}))
            for source in sources
            if source.role == "documents"
        ],
        run=ref,
        site=candidate.site,
        partition=candidate.partition,
    )
    ending = f".g{generation}" if generation > 1 else ""
    partition = candidate.partition.slurm_name or candidate.partition.id
    return tuple(
        stage.model_copy(
            update={
                "job": stage.job.model_copy(
                    update={
                        "key": stage.job.key + ending,
                        "depends_on": tuple(key + ending for key in stage.job.depends_on),
                        "partition": partition,
                    }
                )
            }
        )
        for stage in planned
    )


def _refuse(
    spec: ProjectSpec, sources: Sequence[RunSource], allowed: Mapping[str, Option], ranking: Ranking, *, ref: str
) -> NoReturn:
    """Say why nothing fits: where it is only the budget, with its two numbers."""
    best = max(allowed.values(), key=lambda option: option.candidate.free_gpu_s)
    stages = _plan(best.candidate, spec, sources, ref=ref, generation=1)
    request = request_for(
        (stage.job for stage in stages), sensitivity=spec.data.sensitivity, preference=spec.compute.prefer
    )
    reasons = {refusal.place: refusal.reasons for refusal in ranking.refused if refusal.place in allowed}
    if len(reasons[best.candidate.place]) == 1:
        check_budget(best.allocation, need_gpu_s=request.gpu_s, what="The run")
    raise no_place(reasons)


def no_place(reasons: Mapping[str, Sequence[str]]) -> NoPlace:
    """The error that names every partition with every reason."""
    told = "; ".join(f"{place}: {', '.join(why)}" for place, why in sorted(reasons.items()))
    return NoPlace(f"No partition can take it. {told}.", hint="Ask for less, or apply for time elsewhere.")
