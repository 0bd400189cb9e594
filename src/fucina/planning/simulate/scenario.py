"""A scenario as a file: what machines, which jobs, which rules, what happens; and its results, saved and compared."""

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from fucina.planning.simulate.accounting_traces import read_trace
from fucina.planning.simulate.cluster import (
    BadScenario,
    Federation,
    Maintenance,
    Outage,
    Pool,
    Reservation,
    Scheduling,
)
from fucina.planning.simulate.job_table import JobTable
from fucina.planning.simulate.metrics import Estimate, Values, combine, measure
from fucina.planning.simulate.run import DAY_S, Course, Happenings, simulate
from fucina.planning.simulate.trace import fitting, until
from fucina.planning.simulate.trace_jobs import jobs_of_trace
from fucina.planning.simulate.workload import JobClass, generate

NETWORKS = {"eurohpc": "eurohpc.yaml"}
MAX_FILE_BYTES = 10 * 2**20
Watch = Callable[[int, int], None]


class Scenario(BaseModel):
    """What is simulated."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    name: str = Field(min_length=1, max_length=80)
    description: str = ""
    days: float = Field(default=28, gt=0, le=3660)
    """Of submissions."""
    warmup_days: float = Field(default=2, ge=0)
    """Jobs submitted in this time fill the machine and are not counted in waits."""
    replications: int = Field(default=3, ge=1, le=100)
    """How often it is repeated with other random numbers, for confidence intervals."""
    seed: int = Field(default=1, ge=0)
    network: str = ""
    """A shipped network instead of pools: `eurohpc`."""
    pools: tuple[Pool, ...] = ()
    classes: tuple[JobClass, ...] = ()
    """Generated jobs; or a trace in their place."""
    trace: str = Field(default="", max_length=4096)
    """A trace of recorded jobs: SWF, an export of sacct, or usage records; its own times, and `days` from its start."""
    scheduling: Scheduling = Scheduling()
    federation: Federation = Federation()
    maintenance: tuple[Maintenance, ...] = ()
    outages: tuple[Outage, ...] = ()
    reservations: tuple[Reservation, ...] = ()

    @field_validator("classes")
    @classmethod
    def _named_once(cls, classes: tuple[JobClass, ...]) -> tuple[JobClass, ...]:
        if len({entry.name for entry in classes}) < len(classes):
            raise ValueError("two classes have the same name")
        return classes

    @model_validator(mode="after")
    def _has_jobs(self) -> "Scenario":
        if bool(self.classes) == bool(self.trace):
            raise ValueError("a scenario has either classes of jobs or a trace")
        return self

    def machines(self) -> tuple[Pool, ...]:
        """The pools, given or shipped. Raises BadScenario."""
        if bool(self.network) == bool(self.pools):
            raise BadScenario("A scenario has either a network or pools.", hint="Give one of the two.")
        return network(self.network) if self.network else self.pools

    def happenings(self) -> Happenings:
        """What happens to the machines."""
        return Happenings(maintenance=self.maintenance, outages=self.outages, reservations=self.reservations)


class Result(BaseModel):
    """A scenario with what came out, as it is saved."""

    model_config = ConfigDict(frozen=True)

    scenario: Scenario
    parts: dict[str, dict[str, Estimate]]
    """`all`, `class NAME` and `pool NAME`, each with its numbers."""
    num_jobs: int
    wall_s: float = 0.0


def network(name: str) -> tuple[Pool, ...]:
    """The pools of a shipped network. Raises BadScenario."""
    if name not in NETWORKS:
        raise BadScenario(f"There is no network {name!r}.", hint=f"There are: {', '.join(NETWORKS)}.")
    text = files("fucina.planning.simulate").joinpath(NETWORKS[name]).read_text("utf-8")
    return tuple(Pool.model_validate(entry) for entry in yaml.safe_load(text)["pools"])


def shipped(name: str) -> Scenario:
    """A scenario that comes with the package."""
    text = files("fucina.planning.simulate").joinpath("scenarios", f"{name}.yaml").read_text("utf-8")
    return Scenario.model_validate(yaml.safe_load(text))


def load_scenario(path: Path) -> Scenario:
    """A scenario file. Raises BadScenario with the field that is wrong."""
    try:
        scenario = Scenario.model_validate(yaml.safe_load(_text(path)))
    except yaml.YAMLError as error:
        raise BadScenario(f"{path} is no YAML: {error}", hint="Check the line that it names.") from error
    except ValidationError as error:
        raise BadScenario(f"{path}: {_plain(error)}", hint="Compare it with the how-to page on planning.") from error
    if scenario.trace and not Path(scenario.trace).is_absolute():
        return scenario.model_copy(update={"trace": str(path.parent / scenario.trace)})
    return scenario


def load_result(path: Path) -> Result:
    """A saved result. Raises BadScenario."""
    try:
        return Result.model_validate_json(_text(path))
    except ValidationError as error:
        raise BadScenario(f"{path} is no saved result: {_plain(error)}", hint="Save one with --save FILE.") from error


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise BadScenario(f"{path} is larger than {MAX_FILE_BYTES:,} bytes.", hint="This is no scenario or result.")
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise BadScenario(f"There is no file {path}.", hint="Check the path.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise BadScenario(f"{path} cannot be read as text: {error}", hint="Give a YAML or JSON file.") from error


def _plain(error: ValidationError) -> str:
    """The first faults, each with its place."""
    told = [f"{'.'.join(map(str, e['loc'])) or 'the file'}: {e['msg']}" for e in error.errors()[:5]]
    return "; ".join(told) + (f"; and {error.error_count() - 5} more" if error.error_count() > 5 else "")


def jobs_of(scenario: Scenario, *, repetition: int = 0, days: float | None = None) -> JobTable:
    """The jobs of one repetition; those of a trace are always the same. Raises BadScenario and BadTrace."""
    qos = tuple(entry.name for entry in scenario.scheduling.qos)
    pools = scenario.machines()
    if scenario.trace:
        trace = fitting(read_trace(Path(scenario.trace)), machine_size=max(pool.num_gpus for pool in pools))
        return jobs_of_trace(until(trace, days=days or scenario.days), pools=pools, qos=qos)
    return generate(
        scenario.classes, pools=pools, qos=qos, days=days or scenario.days, seed=scenario.seed + 1000 * repetition
    )


def run_once(
    scenario: Scenario, table: JobTable, *, pools: tuple[Pool, ...], repetition: int = 0, watch: Watch | None = None
) -> Course:
    """One repetition on the given pools. Raises BadScenario."""
    return simulate(
        table,
        pools=pools,
        scheduling=scenario.scheduling,
        federation=scenario.federation,
        happenings=scenario.happenings(),
        seed=scenario.seed + 1000 * repetition,
        watch=watch,
    )


def run_scenario(scenario: Scenario, *, clock: Callable[[], float], watch: Watch | None = None) -> Result:
    """All repetitions. `clock` gives seconds; `watch` hears of jobs ended and may raise to cancel. Raises
    BadScenario."""
    began = clock()
    pools = scenario.machines()
    found: list[dict[str, Values]] = []
    num_jobs = 0
    for repetition in range(scenario.replications):
        table = jobs_of(scenario, repetition=repetition)
        num_jobs += len(table)

        def heard(done: int, total: int, repetition: int = repetition) -> None:
            if watch is not None:
                watch(repetition * total + done, scenario.replications * total)

        course = run_once(scenario, table, pools=pools, repetition=repetition, watch=heard)
        found.append(measure(course, warmup_s=int(scenario.warmup_days * DAY_S)))
    return Result(scenario=scenario, parts=combine(found), num_jobs=num_jobs, wall_s=round(clock() - began, 3))
