"""Which sites host so many accelerators, and which accelerators, under caps of power: a mixed-integer programme for
HiGHS."""

from enum import StrEnum
from importlib.resources import files
from pathlib import Path

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from scipy.optimize import Bounds, LinearConstraint, milp

from fucina.errors import WrongState
from fucina.planning.ask import Interval, TrainingQuestion
from fucina.planning.machines import find_accelerator
from fucina.planning.reliability import Goodput, Lever, Resilience, goodput, levers
from fucina.planning.simulate.cluster import BadScenario
from fucina.planning.training import BadQuestion, FitsNowhere, NeverEnds, plan_training

HOURS_A_YEAR = 8766
BLOCK = 8
"""Accelerators are bought in blocks of this many."""
WANTED_GOODPUT = 0.9


class NoSiting(WrongState):
    """No choice of sites and accelerators keeps every limit."""

    code = "no_siting"


class _Fact(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)


class Candidate(_Fact):
    """A site that could host."""

    id: str = Field(min_length=1, max_length=40)
    name: str
    power_mw: float = Field(gt=0)
    """What the grid connects, building included."""
    pue: float = Field(ge=1)
    energy_eur_per_mwh: float = Field(ge=0)
    carbon_g_per_kwh: float = Field(ge=0)
    building_eur_per_mw: float = Field(ge=0)
    fixed_eur: float = Field(default=0, ge=0)
    """To open the site at all."""


class Choice(_Fact):
    """An accelerator that could be bought."""

    id: str
    """As the planner's machine file calls it."""
    price_eur: float = Field(gt=0)
    available: int = Field(gt=0)


class Reference(_Fact):
    """A training run by which a board can tell what a choice is able to do."""

    model: str = "llama-3-405b"
    num_tokens: int = Field(default=15_000_000_000_000, gt=0)
    batch_tokens: int = Field(default=64_000_000, gt=0)
    """As large as so many accelerators need; some four times what the model was trained with."""


class Question(_Fact):
    """What is asked, with all assumptions."""

    name: str
    description: str = ""
    num_accelerators: int = Field(ge=BLOCK)
    years: float = Field(default=5, gt=0)
    max_sites: int = Field(default=1, ge=1)
    power_cap_mw: float = Field(gt=0)
    """Of all sites together."""
    utilisation: float = Field(default=0.8, gt=0, le=1)
    carbon_price_eur_per_t: float = Field(default=0, ge=0)
    node_size: int = Field(default=8, ge=1)
    """Accelerators that fail together."""
    resilience: Resilience = Resilience()
    reference: Reference = Reference()
    accelerators: tuple[Choice, ...] = Field(min_length=1)
    sites: tuple[Candidate, ...] = Field(min_length=1)
    assumptions: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _named_once(self) -> "Question":
        for kind in (self.sites, self.accelerators):
            if len({entry.id for entry in kind}) < len(kind):
                raise ValueError("two sites or two accelerators have the same id")
        return self


class Aim(StrEnum):
    """What the best choice has least, or most, of."""

    COST = "least cost"
    CARBON = "least carbon"
    COMPUTE = "most compute"


class Holding(_Fact):
    """Accelerators of one kind at one site."""

    site: str
    accelerator: str
    count: int
    power_mw: float


class Siting(_Fact):
    """One answer."""

    aim: Aim
    holdings: tuple[Holding, ...]
    power_mw: float
    capital_eur: float
    energy_eur: float
    """Over all years."""
    carbon_t: float
    cost_eur: float
    """Capital, energy and carbon."""
    peak_eflops: float
    useful_eflops: float
    """Peak times utilisation and goodput."""
    num_sites: int


class ReferenceRun(_Fact):
    """The reference run on the largest part of a choice that is one kind of accelerator at one site."""

    aim: Aim
    site: str
    accelerator: str
    num_devices: int
    days: Interval | None
    """With interruptions; None where the planner finds no way."""
    mfu: float | None
    why_not: str = ""


class Gigafactory(_Fact):
    """All answers to a question."""

    question: Question
    sitings: tuple[Siting, ...]
    goodput: Goodput
    """Of one job over all accelerators."""
    levers: tuple[Lever, ...]
    """What each must become for a goodput of 90 %."""
    scaling: tuple[tuple[int, float], ...]
    """Accelerators of one job, and its goodput."""
    runs: tuple[ReferenceRun, ...] = ()
    """One a choice."""


def load_question(path: Path | None = None) -> Question:
    """A question from a YAML file, or the example. Raises BadScenario with the field."""
    try:
        if path is None:
            text = files("fucina.planning.simulate").joinpath("gigafactory.yaml").read_text("utf-8")
        else:
            text = path.read_text(encoding="utf-8")
        return Question.model_validate(yaml.safe_load(text))
    except FileNotFoundError as error:
        raise BadScenario(f"There is no file {path}.", hint="Check the path.") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadScenario(f"{path} cannot be read: {error}", hint="Give a YAML file.") from error
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:5])
        raise BadScenario(f"{path}: {told}", hint="Compare it with the shipped example.") from error


def plan(question: Question) -> Gigafactory:
    """Answer a question for each aim. Raises NoSiting, and errors of the machine file for an unknown accelerator."""
    sizes = [question.num_accelerators // 2**k for k in range(8, -1, -1) if question.num_accelerators >> k >= 64]
    scaling = tuple((size, _goodput(question, size).share) for size in sizes)
    whole = _goodput(question, question.num_accelerators)
    nodes = -(-question.num_accelerators // question.node_size)
    sitings = tuple(site(question, aim=aim, share=whole.share) for aim in Aim)
    return Gigafactory(
        question=question,
        sitings=sitings,
        runs=tuple(reference_run(question, siting) for siting in sitings),
        goodput=whole,
        levers=tuple(levers(nodes, resilience=question.resilience, wanted=WANTED_GOODPUT)),
        scaling=scaling,
    )


def reference_run(question: Question, siting: Siting) -> ReferenceRun:
    """What the planner says of the reference run on a choice. Raises UnknownModel, BadModel."""
    largest = max(siting.holdings, key=lambda holding: holding.count)
    about = {
        "aim": siting.aim, "site": largest.site, "accelerator": largest.accelerator, "num_devices": largest.count,
    }  # fmt: skip
    asked = TrainingQuestion(
        model=question.reference.model, num_tokens=question.reference.num_tokens, system=largest.accelerator,
        batch_tokens=question.reference.batch_tokens, num_devices=largest.count, resilience=question.resilience,
    )  # fmt: skip
    try:
        answer = plan_training(asked)
    except (FitsNowhere, BadQuestion, NeverEnds) as error:
        return ReferenceRun(**about, days=None, mfu=None, why_not=error.message)
    return ReferenceRun(**about, days=answer.days, mfu=answer.layout.mfu)


def _goodput(question: Question, num_accelerators: int) -> Goodput:
    return goodput(-(-num_accelerators // question.node_size), resilience=question.resilience)


class _Columns(BaseModel):
    """Coefficients of one block of accelerator a at site s, as sites x accelerators."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    power_mw: np.ndarray
    capital_eur: np.ndarray
    energy_eur: np.ndarray
    carbon_t: np.ndarray
    peak_eflops: np.ndarray


def _columns(question: Question) -> _Columns:
    machines = [find_accelerator(choice.id) for choice in question.accelerators]
    watts = np.array([machine.power_w for machine in machines], float)
    pue = np.array([s.pue for s in question.sites])
    power = BLOCK * watts[None, :] * pue[:, None] / 1e6
    mwh = power * question.utilisation * HOURS_A_YEAR * question.years
    price = np.array([choice.price_eur for choice in question.accelerators])
    return _Columns(
        power_mw=power,
        capital_eur=BLOCK * price[None, :] + power * np.array([s.building_eur_per_mw for s in question.sites])[:, None],
        energy_eur=mwh * np.array([s.energy_eur_per_mwh for s in question.sites])[:, None],
        carbon_t=mwh * np.array([s.carbon_g_per_kwh for s in question.sites])[:, None] / 1000,
        peak_eflops=np.broadcast_to(BLOCK * np.array([m.peak_16 for m in machines]) / 1e18, power.shape),
    )


def site(question: Question, *, aim: Aim, share: float) -> Siting:
    """The best choice of sites and accelerators for one aim; `share` is the goodput. Raises NoSiting."""
    columns = _columns(question)
    num_sites, num_kinds = columns.power_mw.shape
    blocks = -(-question.num_accelerators // BLOCK)
    cells = num_sites * num_kinds
    fixed = np.array([s.fixed_eur for s in question.sites])
    spent = columns.capital_eur + columns.energy_eur + columns.carbon_t * question.carbon_price_eur_per_t
    objective = {
        Aim.COST: np.concatenate([spent.ravel(), fixed]) / 1e6,
        Aim.CARBON: np.concatenate([columns.carbon_t.ravel(), np.full(num_sites, 1e-3)]),
        Aim.COMPUTE: np.concatenate([-columns.peak_eflops.ravel(), np.full(num_sites, 1e-6)]),
    }[aim]
    rows, low, high = [], [], []

    def bound(block_part: np.ndarray, site_part: np.ndarray, least: float, most: float) -> None:
        rows.append(np.concatenate([block_part.ravel(), site_part]))
        low.append(least)
        high.append(most)

    none = np.zeros(num_sites)
    bound(np.ones((num_sites, num_kinds)), none, blocks, blocks)
    bound(columns.power_mw, none, 0, question.power_cap_mw)
    bound(np.zeros((num_sites, num_kinds)), np.ones(num_sites), 0, question.max_sites)
    for s, candidate in enumerate(question.sites):
        here = np.zeros((num_sites, num_kinds))
        here[s] = columns.power_mw[s]
        bound(here, -candidate.power_mw * np.eye(num_sites)[s], -np.inf, 0)
    for a, choice in enumerate(question.accelerators):
        kind = np.zeros((num_sites, num_kinds))
        kind[:, a] = BLOCK
        bound(kind, none, 0, choice.available)
    found = milp(
        objective,
        constraints=LinearConstraint(np.array(rows), low, high),
        integrality=np.ones(cells + num_sites),
        bounds=Bounds(np.zeros(cells + num_sites), np.concatenate([np.full(cells, blocks), np.ones(num_sites)])),
        options={"time_limit": 30, "mip_rel_gap": 1e-4},
    )
    if found.x is None:
        raise NoSiting(_why_not(question, columns), hint="Allow more sites or power, or ask for fewer accelerators.")
    counts = np.round(found.x[:cells]).astype(int).reshape(num_sites, num_kinds)
    return _siting(question, columns, counts, aim, share)


def _why_not(question: Question, columns: _Columns) -> str:
    blocks = -(-question.num_accelerators // BLOCK)
    least = columns.power_mw.min() * blocks
    most = sum(sorted((s.power_mw for s in question.sites), reverse=True)[: question.max_sites])
    offered = sum(choice.available for choice in question.accelerators)
    return (
        f"{question.num_accelerators:,} accelerators need at least {least:,.0f} MW at the best site; "
        f"{question.max_sites} sites connect {most:,.0f} MW, the cap is {question.power_cap_mw:,.0f} MW, and "
        f"{offered:,} "
        "accelerators are on offer: no choice keeps every limit."
    )


def _siting(question: Question, columns: _Columns, counts: np.ndarray, aim: Aim, share: float) -> Siting:
    open_sites = counts.sum(axis=1) > 0
    fixed = float(sum(s.fixed_eur for s, used in zip(question.sites, open_sites, strict=True) if used))
    capital = float((columns.capital_eur * counts).sum()) + fixed
    energy = float((columns.energy_eur * counts).sum())
    carbon = float((columns.carbon_t * counts).sum())
    peak = float((columns.peak_eflops * counts).sum())
    return Siting(
        aim=aim,
        holdings=tuple(
            Holding(
                site=question.sites[s].id,
                accelerator=question.accelerators[a].id,
                count=int(counts[s, a]) * BLOCK,
                power_mw=float(columns.power_mw[s, a] * counts[s, a]),
            )
            for s, a in zip(*np.nonzero(counts), strict=True)
        ),
        power_mw=float((columns.power_mw * counts).sum()),
        capital_eur=capital,
        energy_eur=energy,
        carbon_t=carbon,
        cost_eur=capital + energy + carbon * question.carbon_price_eur_per_t,
        peak_eflops=peak,
        useful_eflops=peak * question.utilisation * share,
        num_sites=int(open_sites.sum()),
    )
