"""Jobs of every kind: how they end, what they ask for, and who submits them."""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from fucina.client.wire_jobs import JobRequest

FAILS_ONCE = 'test "${SLURM_RESTART_COUNT:-0}" -gt 0 || exit 75'
KINDS = {
    "done": (52, "exit 0"),
    "longer": (10, "sleep 2"),
    "failed": (12, "exit 3"),
    "requeued": (5, FAILS_ONCE),
    "array": (6, 'exit "$((SLURM_ARRAY_TASK_ID % 2))"'),
    "array done": (4, "exit 0"),
    "cancelled": (9, "sleep 900"),
    "timed out": (2, "sleep 900"),
}
"""Weight, and what the job's shell runs."""
MAX_TIMED_OUT = 12
"""Slurm's shortest limit is a minute, and each holds an accelerator that long."""
FOREIGN = {
    "plain": (),
    "array": ("--array=0-2", "--gpus=1"),
    "accelerator": ("--gpus=1",),
    "held": ("--hold",),
}
"""Jobs that people submit past the hub."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One submission through the hub."""

    kind: str
    request: JobRequest
    num_jobs: int


def plan(rng: random.Random, *, project: str, places: tuple[str, ...], num_jobs: int) -> Iterator[Planned]:
    """Submissions that stand for at least `num_jobs` jobs of Slurm; the first of every kind come first."""
    made: Counter[str] = Counter()
    total, number = 0, 0
    first = [(kind, place) for kind in KINDS for place in places]
    while total < num_jobs:
        kind, place = first.pop() if first else (_draw(rng), rng.choice(places))
        if kind == "timed out" and made[kind] >= max(2, min(MAX_TIMED_OUT, num_jobs // 100)):
            kind = "done"
        made[kind] += 1
        number += 1
        array = f"0-{rng.randint(1, 4)}" if kind.startswith("array") else ""
        long = kind == "cancelled"
        request = JobRequest(
            project=project,
            key=f"chaos-{number:05d}",
            name=kind,
            command=("bash", "-c", KINDS[kind][1]),
            num_gpus=rng.choice((0, 1, 1, 2)),
            walltime_s=1200 if long else 60,
            memory_gib=0.5,
            array=array,
            place=place,
        )
        num = int(array[2:]) + 1 if array else 1
        total += num
        yield Planned(kind=kind, request=request, num_jobs=num)


def _draw(rng: random.Random) -> str:
    return rng.choices(list(KINDS), weights=[weight for weight, _ in KINDS.values()])[0]
