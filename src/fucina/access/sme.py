"""Whether an enterprise is micro, small, medium or larger: Commission Recommendation 2003/361/EC, annex.

Headcount counts annual work units; money is in EUR of a closed accounting period. Figures of linked enterprises are
added in full, those of partner enterprises by the larger of the two shares (articles 3 and 6). A class is gained or
lost only when the ceilings are crossed over two consecutive periods (article 4).
"""

from collections.abc import Sequence
from datetime import date
from enum import StrEnum
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field, model_validator

from fucina.access.words import number, say
from fucina.errors import BadInput

SOURCE = "Commission Recommendation 2003/361/EC, annex"


class BadEnterprise(BadInput):
    """Facts about an enterprise that cannot be."""

    code = "bad_enterprise"


class SmeClass(StrEnum):
    """Size of an enterprise."""

    MICRO = "micro"
    SMALL = "small"
    MEDIUM = "medium"
    LARGE = "large"
    """Above the ceilings, or controlled by public bodies."""

    @property
    def is_sme(self) -> bool:
        """Whether it is an SME."""
        return self is not SmeClass.LARGE


class Ceiling(NamedTuple):
    """Limits of a class: fewer people than, and money up to one of the two."""

    people_below: float
    turnover_eur: float
    balance_eur: float


CEILINGS = {
    SmeClass.MICRO: Ceiling(10, 2e6, 2e6),
    SmeClass.SMALL: Ceiling(50, 10e6, 10e6),
    SmeClass.MEDIUM: Ceiling(250, 50e6, 43e6),
}
"""Article 2."""

PARTNER_FROM = 0.25
LINKED_ABOVE = 0.5
PUBLIC_FROM = 0.25


class _Given(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Period(_Given):
    """One closed accounting period; a new enterprise gives an estimate made in good faith."""

    year: int = Field(ge=1900, le=2200)
    people: float = Field(ge=0, le=10_000_000)
    """Annual work units."""
    turnover_eur: float = Field(ge=0, le=1e13)
    balance_eur: float = Field(ge=0, le=1e13)

    def plus(self, other: "Period", share: float = 1.0) -> "Period":
        """The sum with a share of another's figures."""
        return Period(
            year=self.year,
            people=self.people + share * other.people,
            turnover_eur=self.turnover_eur + share * other.turnover_eur,
            balance_eur=self.balance_eur + share * other.balance_eur,
        )


class Relation(_Given):
    """Another enterprise that holds a part of this one, or of which this one holds a part."""

    name: str = Field(min_length=1, max_length=200)
    share: float = Field(ge=0, le=1)
    """The larger of capital and votes."""
    dominant: bool = False
    """Controls, or is controlled, by other means than votes."""
    is_exempt_investor: bool = False
    """A venture capital firm, university, research centre, regional fund or small local authority: up to half of an
    enterprise may be theirs without making it a partner (article 3, paragraph 2)."""
    periods: tuple[Period, ...] = Field(min_length=1)
    """With what its own linked enterprises add in full."""

    @property
    def is_linked(self) -> bool:
        """More than half of the votes, or dominant influence."""
        return self.dominant or self.share > LINKED_ABOVE

    @property
    def is_partner(self) -> bool:
        """From a quarter to a half."""
        return not self.is_linked and self.share >= PARTNER_FROM and not self.is_exempt_investor


class Enterprise(_Given):
    """What the class of an enterprise follows from."""

    founded_on: date | None = None
    periods: tuple[Period, ...] = Field(min_length=1)
    """Newest last; two or more let the two-year rule be applied."""
    relations: tuple[Relation, ...] = ()
    public_share: float = Field(default=0.0, ge=0, le=1)
    """Of capital or votes that public bodies control, jointly or singly, exempt ones left out."""
    earlier_class: SmeClass | None = None
    """Before the first period given, where it is known."""

    @model_validator(mode="after")
    def _in_order(self) -> "Enterprise":
        years = [period.year for period in self.periods]
        if years != sorted(set(years)):
            raise ValueError("the accounting periods must be of different years, the newest last")
        return self


class Finding(NamedTuple):
    """The class with the way to it."""

    sme_class: SmeClass
    reasons: tuple[str, ...]
    source: str = SOURCE


def classify(enterprise: Enterprise, *, today: date, language: str = "en") -> Finding:
    """The class of an enterprise today, with reasons in words. Raises BadEnterprise."""
    _check(enterprise, today=today)
    if enterprise.public_share >= PUBLIC_FROM:
        share, limit = f"{enterprise.public_share:.0%}", f"{PUBLIC_FROM:.0%}"
        return Finding(SmeClass.LARGE, (say("sme-public", language, share=share, limit=limit),))
    reasons = [_relation(relation, language) for relation in enterprise.relations]
    summed = [_consolidated(period, enterprise.relations) for period in enterprise.periods]
    by_period = [class_of(period) for period in summed]
    last = summed[-1]
    reasons.append(
        say(
            "sme-figures",
            language,
            year=last.year,
            people=number(last.people, language),
            turnover=number(last.turnover_eur, language),
            balance=number(last.balance_eur, language),
            sme_class=say(f"class-{by_period[-1]}", language),
        )
    )
    settled = _settled(by_period, earlier=enterprise.earlier_class)
    if settled is not by_period[-1]:
        stays = say(f"class-{settled}", language)
        reasons.append(say("sme-two-years", language, year=last.year, sme_class=stays))
    return Finding(settled, tuple(reasons))


def class_of(period: Period) -> SmeClass:
    """The class that one period's figures alone give: the headcount ceiling and one of the two of money."""
    for sme_class, ceiling in CEILINGS.items():
        money = period.turnover_eur <= ceiling.turnover_eur or period.balance_eur <= ceiling.balance_eur
        if period.people < ceiling.people_below and money:
            return sme_class
    return SmeClass.LARGE


def _settled(by_period: Sequence[SmeClass], *, earlier: SmeClass | None) -> SmeClass:
    """A class holds until the figures have been beyond it, in the same direction, in two periods running."""
    order = list(SmeClass)
    held = earlier if earlier is not None else by_period[0]
    for before, now in zip((held, *by_period), by_period, strict=False):
        steps = {order.index(before) - order.index(held), order.index(now) - order.index(held)}
        if min(steps) > 0:
            held = order[order.index(held) + min(steps)]
        elif max(steps) < 0:
            held = order[order.index(held) + max(steps)]
    return held


def _consolidated(period: Period, relations: Sequence[Relation]) -> Period:
    """The enterprise's own figures with those of linked and, by share, of partner enterprises of the same year."""
    for relation in relations:
        theirs = next((p for p in relation.periods if p.year == period.year), relation.periods[-1])
        if relation.is_linked:
            period = period.plus(theirs)
        elif relation.is_partner:
            period = period.plus(theirs, relation.share)
    return period


def _relation(relation: Relation, language: str) -> str:
    key = "sme-small"
    if relation.is_linked:
        key = "sme-linked-dominant" if relation.dominant else "sme-linked-votes"
    elif relation.is_partner:
        key = "sme-partner"
    elif relation.share >= PARTNER_FROM:
        key = "sme-exempt"
    share = f"{relation.share:.1%}" if language == "en" else f"{relation.share:.1%}".replace(".", ",")
    return say(key, language, name=relation.name, share=share)


def _check(enterprise: Enterprise, *, today: date) -> None:
    if enterprise.founded_on is not None and enterprise.founded_on > today:
        raise BadEnterprise(
            f"The enterprise was founded on {enterprise.founded_on}, which is after today, {today}.",
            hint="Give the day on which it was founded.",
        )
    newest = enterprise.periods[-1].year
    if newest > today.year:
        raise BadEnterprise(
            f"The newest accounting period is {newest}; it is {today.year}.", hint="Give closed periods only."
        )
    if enterprise.founded_on is not None and enterprise.periods[0].year < enterprise.founded_on.year:
        raise BadEnterprise(
            f"The first accounting period is {enterprise.periods[0].year}; the enterprise was founded in "
            f"{enterprise.founded_on.year}.",
            hint="Correct one of the two years.",
        )
