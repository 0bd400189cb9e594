"""What-if questions: how large a pool must be for a wait, and what a scenario changes beside another."""

from collections.abc import Callable

from pydantic import BaseModel, ConfigDict

from fucina.planning.simulate.cluster import BadScenario, Pool
from fucina.planning.simulate.job_table import JobTable
from fucina.planning.simulate.metrics import measure
from fucina.planning.simulate.run import DAY_S
from fucina.planning.simulate.scenario import Result, Scenario, jobs_of, run_once

MAX_GROWTH = 16


class Trial(BaseModel):
    """One size that was tried."""

    model_config = ConfigDict(frozen=True)

    num_nodes: int
    num_gpus: int
    p95_wait_s: float
    meets: bool


class Size(BaseModel):
    """The answer to how large a pool must be."""

    model_config = ConfigDict(frozen=True)

    scenario: str
    pool: str
    job_class: str
    wanted_p95_wait_s: float
    num_nodes: int
    num_gpus: int
    p95_wait_s: float
    trials: tuple[Trial, ...]
    """By size."""
    monotonic: bool
    """Whether every size that was tried from the answer on meets the wish, and none below it."""
    replications: int


class Change(BaseModel):
    """One number of two results, side by side."""

    model_config = ConfigDict(frozen=True)

    part: str
    name: str
    before: float | None
    after: float | None
    change: float | None
    distinct: bool | None
    """Whether the confidence intervals do not overlap; None without intervals."""


def size_for_wait(
    scenario: Scenario,
    *,
    job_class: str,
    p95_wait_s: float,
    pool_id: str = "",
    watch: Callable[[Trial], None] | None = None,
) -> Size:
    """The fewest nodes of a pool with which 95 % of a class start within a wait, by bisection over the same jobs.

    The mean over the repetitions decides. Raises BadScenario when the class or pool is unknown, or no size is enough.
    """
    pools = scenario.machines()
    pool = _pool(pools, pool_id)
    if p95_wait_s < 0:
        raise BadScenario(f"A wait of {p95_wait_s} s cannot be.", hint="Give zero or more.")
    tables = [jobs_of(scenario, repetition=r) for r in range(scenario.replications)]
    if job_class not in tables[0].groups:
        raise BadScenario(f"There is no class {job_class!r}.", hint=f"There are: {', '.join(tables[0].groups)}.")
    widest = max(int(table.gpus[table.pool == pools.index(pool)].max(initial=1)) for table in tables)
    floor = -(-widest // pool.gpus_per_node)
    trials: dict[int, Trial] = {}

    def meets(num_nodes: int) -> bool:
        if num_nodes not in trials:
            wait = _p95_wait_s(scenario, pool, num_nodes, tables, job_class)
            trials[num_nodes] = Trial(
                num_nodes=num_nodes, num_gpus=num_nodes * pool.gpus_per_node, p95_wait_s=wait, meets=wait <= p95_wait_s
            )
            if watch is not None:
                watch(trials[num_nodes])
        return trials[num_nodes].meets

    answer = _fewest(meets, low=floor, first=max(pool.num_nodes, floor))
    if answer is None:
        raise BadScenario(
            f"Even {MAX_GROWTH} times {pool.num_nodes} nodes leave {job_class!r} waiting longer than {p95_wait_s:g} s.",
            hint="Shorten its jobs, give it priority, or let it preempt.",
        )
    meets(min(answer + max(1, answer // 16), answer * 2))
    tried = tuple(trials[n] for n in sorted(trials))
    return Size(
        scenario=scenario.name,
        pool=pool.id,
        job_class=job_class,
        wanted_p95_wait_s=p95_wait_s,
        num_nodes=answer,
        num_gpus=answer * pool.gpus_per_node,
        p95_wait_s=trials[answer].p95_wait_s,
        trials=tried,
        monotonic=all(t.meets == (t.num_nodes >= answer) for t in tried),
        replications=scenario.replications,
    )


def _p95_wait_s(scenario: Scenario, pool: Pool, num_nodes: int, tables: list[JobTable], job_class: str) -> float:
    """The wait that 95 % of a class do not exceed with so many nodes in the pool: the mean over the repetitions, s."""
    resized = tuple(
        p.model_copy(update={"num_nodes": num_nodes}) if p.id == pool.id else p for p in scenario.machines()
    )
    waits = []
    for repetition, table in enumerate(tables):
        course = run_once(scenario, table, pools=resized, repetition=repetition)
        found = measure(course, warmup_s=int(scenario.warmup_days * DAY_S))[f"class {job_class}"]
        waits.append(found.get("p95_wait_s", 0.0))
    return sum(waits) / len(waits)


def _pool(pools: tuple[Pool, ...], pool_id: str) -> Pool:
    for pool in pools:
        if pool.id == pool_id or not pool_id:
            return pool
    raise BadScenario(f"There is no pool {pool_id!r}.", hint=f"There are: {', '.join(p.id for p in pools)}.")


def _fewest(meets: Callable[[int], bool], *, low: int, first: int) -> int | None:
    """The fewest nodes that do, within 3 %; None when none up to the largest growth does."""
    high = first
    while not meets(high):
        if high >= first * MAX_GROWTH:
            return None
        low = high + 1
        high *= 2
    while high - low > max(0, high // 32):
        middle = (low + high) // 2
        if meets(middle):
            high = middle
        else:
            low = middle + 1
    return high


def compare(before: Result, after: Result) -> list[Change]:
    """Every number that both results have, and those that only one has."""
    found = []
    for part in {**before.parts, **after.parts}:
        one, other = before.parts.get(part, {}), after.parts.get(part, {})
        for name in {**one, **other}:
            a, b = one.get(name), other.get(name)
            distinct = None
            if a and b and a.low is not None and a.high is not None and b.low is not None and b.high is not None:
                distinct = a.high < b.low or b.high < a.low
            found.append(
                Change(
                    part=part,
                    name=name,
                    before=a.mean if a else None,
                    after=b.mean if b else None,
                    change=b.mean - a.mean if a and b else None,
                    distinct=distinct,
                )
            )
    return found
