"""A ranking: who gets time on which partition, and for everybody else why not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from fucina.access.entries import Award, Choice, Entry, Room, points_of
from fucina.errors import BadInput

MAX_OVERBOOKING = 3.0


class Chooser(Protocol):
    """The awards with the most points under limits."""

    def __call__(
        self, entries: Sequence[Entry], limits: Mapping[str, int], /, *, smallest_share: float | None
    ) -> Choice:
        """GPU-seconds by partition limit what is awarded."""


class BadRanking(BadInput):
    """What is to be ranked cannot be."""

    code = "bad_ranking"


class Outcome(StrEnum):
    """What a ranking proposes for an application."""

    AWARDED = "awarded"
    PARTLY = "partly-awarded"
    BELOW = "below-threshold"
    NO_ROOM = "no-room"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where an application came out, with what explains it."""

    ref: str
    rank: int
    """1 is first; those below a threshold come after all others."""
    points: int
    """Thousandths."""
    outcome: Outcome
    gpu_s: dict[str, int]
    """Awarded, by partition."""
    below: tuple[str, ...]
    ahead: tuple[str, ...]
    """Awarded on a partition where it lacks time, with more points, or with as many and before it."""
    instead: tuple[str, ...]
    """Awarded there although they come after it: they fit where it does not, or give more points together."""
    short_gpu_s: dict[str, int]
    """With so much more on these partitions it would have fitted beside the awards (the alternative lacking least)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """A partition in a ranking."""

    partition: str
    capacity_gpu_s: int
    limit_gpu_s: int
    """The capacity times the overbooking."""
    awarded_gpu_s: int
    asked_gpu_s: int
    """By all that passed the thresholds, as their first alternative."""

    @property
    def over_gpu_s(self) -> int:
        """Awarded beyond what is there."""
        return max(0, self.awarded_gpu_s - self.capacity_gpu_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """The whole proposal."""

    standings: tuple[Standing, ...]
    uses: tuple[Use, ...]
    overbooking: float
    points: float
    """Thousandths, of all awards."""
    greedy_points: float
    """Thousandths, had one gone down the list."""
    bound: float
    """Thousandths that no choice exceeds."""


def rank(
    entries: Sequence[Entry],
    capacity_gpu_s: Mapping[str, int],
    *,
    overbooking: float = 1.0,
    smallest_share: float | None = None,
    choose: Chooser,
) -> Ranking:
    """Choose awards under every partition's capacity and explain each one. Raises BadRanking.

    `choose` is `awards.choose`, or `apart.choose` where no solver may be loaded.
    """
    _check(entries, capacity_gpu_s, overbooking=overbooking, smallest_share=smallest_share)
    limits = {name: int(amount * overbooking) for name, amount in capacity_gpu_s.items()}
    ordered = sorted(entries, key=lambda entry: (bool(entry.below), *entry.place))
    choice = choose(ordered, limits, smallest_share=smallest_share)
    room = Room(limits)
    for award in choice.awards.values():
        room.take(award.gpu_s)
    places = {entry.ref: number for number, entry in enumerate(ordered, 1)}
    on = _awarded_on(choice.awards)
    standings = tuple(_standing(entry, choice.awards, room, places=places, on=on) for entry in ordered)
    return Ranking(
        standings=standings,
        uses=_uses(ordered, capacity_gpu_s, limits, room),
        overbooking=overbooking,
        points=points_of(choice.awards, {entry.ref: entry for entry in ordered}),
        greedy_points=choice.greedy_points,
        bound=choice.bound,
    )


def _check(
    entries: Sequence[Entry], capacity_gpu_s: Mapping[str, int], *, overbooking: float, smallest_share: float | None
) -> None:
    if not 0 < overbooking <= MAX_OVERBOOKING:
        raise BadRanking(
            f"An overbooking of {overbooking:g} is not between 0 and {MAX_OVERBOOKING:g}.",
            hint="1 awards what is there; 1.1 awards a tenth more.",
        )
    if smallest_share is not None and not 0 < smallest_share <= 1:
        raise BadRanking(
            f"A smallest share of {smallest_share:g} is not between 0 and 1.", hint="0.5 awards at least half."
        )
    negative = sorted(name for name, amount in capacity_gpu_s.items() if amount < 0)
    if negative:
        raise BadRanking(f"{negative[0]} has a negative capacity.", hint="Give what is free, 0 at least.")
    refs = [entry.ref for entry in entries]
    if len(set(refs)) < len(refs):
        twice = next(ref for ref in refs if refs.count(ref) > 1)
        raise BadRanking(f"{twice} is there twice.", hint="Name each application once.")
    for entry in entries:
        if entry.points < 0 or any(amount < 0 for asked in entry.asks for amount in asked.values()):
            raise BadRanking(f"{entry.ref} has negative points or asks for negative time.", hint="Correct it.")


def _awarded_on(awards: Mapping[str, Award]) -> dict[str, list[str]]:
    on: dict[str, list[str]] = {}
    for ref, award in awards.items():
        for name, amount in award.gpu_s.items():
            if amount:
                on.setdefault(name, []).append(ref)
    return on


def _standing(
    entry: Entry, awards: Mapping[str, Award], room: Room, *, places: Mapping[str, int], on: Mapping[str, list[str]]
) -> Standing:
    award = awards.get(entry.ref)
    outcome, short_gpu_s = _outcome(entry, award, room)
    rivals = sorted({ref for name in short_gpu_s for ref in on.get(name, [])} - {entry.ref}, key=places.__getitem__)
    mine = places[entry.ref]
    return Standing(
        ref=entry.ref,
        rank=mine,
        points=entry.points,
        outcome=outcome,
        gpu_s=award.gpu_s if award else {},
        below=entry.below,
        ahead=tuple(ref for ref in rivals if places[ref] < mine),
        instead=tuple(ref for ref in rivals if places[ref] > mine),
        short_gpu_s=short_gpu_s,
    )


def _outcome(entry: Entry, award: Award | None, room: Room) -> tuple[Outcome, dict[str, int]]:
    """The outcome, and where it lacks how much."""
    if entry.below:
        return Outcome.BELOW, {}
    if award is not None:
        missing = {name: amount - award.gpu_s.get(name, 0) for name, amount in entry.asks[award.option].items()}
        if not any(missing.values()):
            return Outcome.AWARDED, {}
        return Outcome.PARTLY, _positive({name: amount - room.left(name) for name, amount in missing.items()})
    lacks = [_positive({name: amount - room.left(name) for name, amount in asked.items()}) for asked in entry.asks]
    return Outcome.NO_ROOM, min(lacks, key=lambda lack: sum(lack.values()), default={})


def _positive(amounts: Mapping[str, int]) -> dict[str, int]:
    return {name: amount for name, amount in amounts.items() if amount > 0}


def _uses(
    entries: Sequence[Entry], capacity_gpu_s: Mapping[str, int], limits: Mapping[str, int], room: Room
) -> tuple[Use, ...]:
    asked: dict[str, int] = {}
    for entry in entries:
        if not entry.below and entry.asks:
            for name, amount in entry.asks[0].items():
                asked[name] = asked.get(name, 0) + amount
    return tuple(
        Use(
            partition=name,
            capacity_gpu_s=capacity_gpu_s.get(name, 0),
            limit_gpu_s=limits.get(name, 0),
            awarded_gpu_s=room.taken.get(name, 0),
            asked_gpu_s=asked.get(name, 0),
        )
        for name in sorted({*capacity_gpu_s, *asked})
    )
