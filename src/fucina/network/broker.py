"""The broker: ranks the partitions that a project has time on for one job, and says why in words.

Each partition is judged on its own, so that adding or removing another never changes a verdict. Every part of a score
lies between 0 and 1 and only grows when what it measures gets better.
"""

import math
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from fucina.network.spec import Maintenance, Partition, Site
from fucina.network.status import PartitionStatus
from fucina.units import format_duration, gpu_hours

SENSITIVITIES = ("public", "internal", "confidential", "health")
"""Classes of data, from the least to the most sensitive."""

UNKNOWN_WAIT_S = 4 * 3600.0
"""What an unknown wait counts as."""

HALF_WAIT_S = 3600.0
"""A wait that halves its part of the score."""

HALF_TFLOPS = 100.0
"""Useful TFLOP/s of one accelerator at which its part of the score is a half."""

HALF_JOULES_PER_TFLOP = 5.0
"""Energy of one useful TFLOP at which its part of the score is a half."""

HALF_CARBON_G_PER_KWH = 200.0
"""Carbon intensity at which its part of the score is a half."""


class Preference(StrEnum):
    """What the applicant would rather save."""

    BALANCED = "balanced"
    TIME = "time"
    ENERGY = "energy"


class Part(StrEnum):
    """What a score is made of."""

    GRANT = "grant"
    """Share of the grant that is left after the job."""
    WAIT = "wait"
    """How soon it would start."""
    SPEED = "speed"
    """Useful arithmetic of one accelerator."""
    ENERGY = "energy"
    """Energy and carbon of that arithmetic."""
    DATA = "data"
    """Share of the input that lies there already."""


WEIGHTS: dict[Preference, dict[Part, float]] = {
    Preference.BALANCED: {Part.GRANT: 3, Part.WAIT: 3, Part.SPEED: 1, Part.ENERGY: 1, Part.DATA: 2},
    Preference.TIME: {Part.GRANT: 1, Part.WAIT: 5, Part.SPEED: 3, Part.ENERGY: 0, Part.DATA: 1},
    Preference.ENERGY: {Part.GRANT: 1, Part.WAIT: 1, Part.SPEED: 0, Part.ENERGY: 7, Part.DATA: 1},
}
"""How much each part counts; a project decision."""


class _Fact(BaseModel):
    model_config = ConfigDict(frozen=True)


class Request(_Fact):
    """What is to be placed."""

    num_gpus: int = Field(ge=0)
    """Most accelerators at once, as the site bills them."""
    num_nodes: int = Field(default=1, ge=1)
    walltime_s: int = Field(gt=0)
    """Longest job."""
    gpu_s: int = Field(ge=0)
    """All jobs together."""
    memory_gib: float = Field(default=0.0, ge=0)
    """Per node; 0 where it does not matter."""
    sensitivity: str = "public"
    """Of the data: one of `SENSITIVITIES`."""
    preference: Preference = Preference.BALANCED


class Candidate(_Fact):
    """A partition that the project has time on, as it is known at this moment."""

    site: Site
    partition: Partition
    status: PartitionStatus | None = None
    """None where the site has not told."""
    granted_gpu_s: int
    free_gpu_s: int
    data_share: float = Field(default=0.0, ge=0, le=1)
    """Share of the input's bytes that lies at the site already."""
    trouble: str = ""
    """Why it cannot start anything now but will again, in words, such as a silent agent."""

    @property
    def place(self) -> str:
        """`site/partition`."""
        return place_name(self.site.id, self.partition.id)


class Rating(_Fact):
    """A partition that could take the job."""

    place: str
    score: float
    """0 to 1; the weighted mean of the parts."""
    parts: dict[Part, float]
    starts_at: AwareDatetime
    """Expected; the end of maintenance where the job would run into it."""
    waits_for: str = ""
    """What must be mended first; such a partition ranks below all that are ready."""
    reasons: tuple[str, ...]


class Refusal(_Fact):
    """A partition that cannot take the job."""

    place: str
    reasons: tuple[str, ...]


class Ranking(_Fact):
    """All partitions that were looked at, best first."""

    ranked: tuple[Rating, ...]
    refused: tuple[Refusal, ...]


class Placement(_Fact):
    """Where a job was placed and why; kept with it and shown."""

    place: str
    at: AwareDatetime
    why: str
    """In one sentence."""
    ranking: Ranking


def place_name(site: str, partition: str) -> str:
    """How people name a partition of a site."""
    return f"{site}/{partition}"


def matches(place: str, wanted: str) -> bool:
    """Whether `wanted` means this place: it is `auto`, the site, or `site/partition`."""
    return wanted in {"", "auto", place, place.partition("/")[0]}


def rank(request: Request, candidates: Iterable[Candidate], *, at: datetime) -> Ranking:
    """Judge all and put the best first."""
    return order(judge(request, candidate, at=at) for candidate in candidates)


def order(verdicts: Iterable[Rating | Refusal]) -> Ranking:
    """The ranking of judged partitions: ready ones first, then by score, then by name."""
    verdicts = list(verdicts)
    ranked = [verdict for verdict in verdicts if isinstance(verdict, Rating)]
    refused = [verdict for verdict in verdicts if isinstance(verdict, Refusal)]
    return Ranking(
        ranked=tuple(sorted(ranked, key=lambda rating: (bool(rating.waits_for), -rating.score, rating.place))),
        refused=tuple(sorted(refused, key=lambda refusal: refusal.place)),
    )


def judge(request: Request, candidate: Candidate, *, at: datetime) -> Rating | Refusal:
    """Refuse a partition with every reason, or rate it."""
    faults = (*fit_faults(request, candidate), *_grant_faults(request, candidate))
    if faults:
        return Refusal(place=candidate.place, reasons=faults)
    wait_s, wait_words, starts_at = _wait(request, candidate, at=at)
    energy, energy_words = _energy(candidate.partition)
    left = (candidate.free_gpu_s - request.gpu_s) / max(candidate.granted_gpu_s, 1)
    tflops = candidate.partition.accelerator.tflops_bf16 * candidate.partition.efficiency
    parts = {
        Part.GRANT: min(max(left, 0.0), 1.0),
        Part.WAIT: HALF_WAIT_S / (HALF_WAIT_S + wait_s),
        Part.SPEED: tflops / (HALF_TFLOPS + tflops),
        Part.ENERGY: energy,
        Part.DATA: candidate.data_share,
    }
    weights = WEIGHTS[request.preference]
    status = candidate.status
    waits_for = candidate.trouble or (status.problem if status else "")
    reasons = [
        f"{gpu_hours(candidate.free_gpu_s - request.gpu_s)} of {gpu_hours(candidate.granted_gpu_s)} GPU-hours "
        "would be left of its grant",
        wait_words,
        energy_words,
        f"{candidate.data_share:.0%} of the input lies there already",
    ]
    return Rating(
        place=candidate.place,
        score=math.fsum(weights[part] * parts[part] for part in Part) / math.fsum(weights.values()),
        parts=parts,
        starts_at=starts_at,
        waits_for=waits_for,
        reasons=tuple(([f"waits for: {waits_for}"] if waits_for else []) + [text for text in reasons if text]),
    )


def fit_faults(request: Request, candidate: Candidate) -> tuple[str, ...]:
    """Why the job can never run on this partition, however long one waits."""
    partition = candidate.partition
    total = partition.num_nodes * partition.num_gpus_per_node
    per_node = math.ceil(request.num_gpus / request.num_nodes)
    faults = []
    if request.num_gpus > total:
        faults.append(f"it has {total} accelerators, {request.num_gpus} are asked for")
    elif per_node > partition.num_gpus_per_node:
        faults.append(
            f"a node has {partition.num_gpus_per_node} accelerators, {per_node} a node are asked for: "
            f"ask for {math.ceil(request.num_gpus / max(partition.num_gpus_per_node, 1))} nodes"
        )
    if request.num_nodes > partition.num_nodes:
        faults.append(f"it has {partition.num_nodes} nodes, {request.num_nodes} are asked for")
    if request.walltime_s > partition.max_walltime_s:
        faults.append(
            f"its longest walltime is {format_duration(partition.max_walltime_s)}, "
            f"{format_duration(request.walltime_s)} are asked for"
        )
    if partition.memory_gib_per_node and request.memory_gib > partition.memory_gib_per_node:
        faults.append(
            f"a node has {partition.memory_gib_per_node:g} GiB of memory, {request.memory_gib:g} are asked for"
        )
    if _level(request.sensitivity) > _level(candidate.site.sensitivity):
        faults.append(f"the site may hold {candidate.site.sensitivity} data, this is {request.sensitivity}")
    return tuple(faults)


def _grant_faults(request: Request, candidate: Candidate) -> tuple[str, ...]:
    if request.gpu_s <= candidate.free_gpu_s:
        return ()
    return (
        f"it needs {gpu_hours(request.gpu_s)} GPU-hours, {gpu_hours(candidate.free_gpu_s)} of the grant are left there",
    )


def _level(sensitivity: str) -> int:
    """How sensitive a class is; an unknown one is above all, so that it is refused."""
    return SENSITIVITIES.index(sensitivity) if sensitivity in SENSITIVITIES else len(SENSITIVITIES)


def _wait(request: Request, candidate: Candidate, *, at: datetime) -> tuple[float, str, datetime]:
    """Seconds until the job would start, in words too, and when that is."""
    status = candidate.status
    queue_s = status.expected_wait_s if status else None
    begins_at = at + timedelta(seconds=queue_s or 0.0)
    starts_at = earliest_start(candidate.site.maintenance, after=begins_at, walltime_s=request.walltime_s)
    wait_s = (starts_at - at).total_seconds()
    if starts_at > begins_at:
        return wait_s, f"it would run into maintenance, so it starts after {starts_at:%Y-%m-%d %H:%M} UTC", starts_at
    if queue_s is None:
        return UNKNOWN_WAIT_S, "how long its queue is, is not known", starts_at
    if queue_s < 1:
        return wait_s, "it would start at once", starts_at
    return wait_s, f"it would start in about {format_duration(queue_s)}", starts_at


def earliest_start(windows: Sequence[Maintenance], *, after: datetime, walltime_s: int) -> datetime:
    """The first moment from `after` on at which a job of that walltime ends before the next window begins."""
    start = after
    for window in sorted(windows, key=lambda window: window.begins_at):
        if start < window.ends_at and start + timedelta(seconds=walltime_s) > window.begins_at:
            start = window.ends_at
    return start


def longest_walltime_s(windows: Sequence[Maintenance], *, at: datetime) -> float:
    """Seconds that a job which starts now may last before maintenance; 0 within a window, infinite without one."""
    until = math.inf
    for window in windows:
        if window.begins_at <= at < window.ends_at:
            return 0.0
        if window.begins_at > at:
            until = min(until, (window.begins_at - at).total_seconds())
    return until


def _energy(partition: Partition) -> tuple[float, str]:
    """The part of the score, and what is known; what is not known counts as a half."""
    accelerator = partition.accelerator
    parts = []
    words = []
    if accelerator.power_w is not None:
        joules = accelerator.power_w / (accelerator.tflops_bf16 * partition.efficiency)
        parts.append(HALF_JOULES_PER_TFLOP / (HALF_JOULES_PER_TFLOP + joules))
        words.append(f"{joules:.3g} J per useful TFLOP")
    if partition.carbon_g_per_kwh is not None:
        parts.append(HALF_CARBON_G_PER_KWH / (HALF_CARBON_G_PER_KWH + partition.carbon_g_per_kwh))
        words.append(f"{partition.carbon_g_per_kwh:g} g of carbon dioxide per kWh")
    known = math.fsum(parts) + 0.5 * (2 - len(parts))
    return known / 2, ", ".join(words)


def explain(ranking: Ranking, *, chosen: str) -> str:
    """Why this place, in one sentence."""
    rating = next(rating for rating in ranking.ranked if rating.place == chosen)
    others = len(ranking.ranked) - 1
    among = f"best of {others + 1}" if others and ranking.ranked[0].place == chosen else "the only one that fits"
    if others and ranking.ranked[0].place != chosen:
        among = f"named by the applicant, though {ranking.ranked[0].place} ranks first"
    return f"{chosen}, {among}: {'; '.join(rating.reasons)}."
