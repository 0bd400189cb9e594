"""What a ranking is made of: applications, their awards, and the room on partitions. No solver is loaded for it."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An application in a ranking."""

    ref: str
    points: int
    """Thousandths."""
    asks: tuple[Mapping[str, int], ...]
    """GPU-seconds by partition; several are alternatives of which one is awarded, the first by preference."""
    order: str = ""
    """Among equal points the smaller goes first; such as the instant of submission."""
    below: tuple[str, ...] = ()
    """Thresholds that were missed; such an entry never gets anything."""

    @property
    def place(self) -> tuple[int, str, str]:
        """By which entries are ranked."""
        return -self.points, self.order, self.ref

    @property
    def value(self) -> int:
        """What an award counts: a thousandth more than the points, so that time which nobody else wants is not kept."""
        return self.points + 1


class Award(NamedTuple):
    """What one entry gets."""

    option: int
    """Which of its alternatives."""
    gpu_s: dict[str, int]


@dataclass(slots=True)
class Room:
    """What is left on every partition."""

    limits: Mapping[str, int]
    taken: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def left(self, partition: str) -> int:
        """GPU-seconds that may still be awarded."""
        return self.limits.get(partition, 0) - self.taken[partition]

    def fits(self, gpu_s: Mapping[str, int]) -> bool:
        """Whether all of it is there."""
        return all(amount <= self.left(name) for name, amount in gpu_s.items())

    def take(self, gpu_s: Mapping[str, int], *, sign: int = 1) -> None:
        """Book it, or give it back."""
        for name, amount in gpu_s.items():
            self.taken[name] += sign * amount


def points_of(awards: Mapping[str, Award], entries: Mapping[str, Entry]) -> float:
    """Points of all awards together; an award in part counts by its share."""
    return sum(entries[ref].points * share_of(award, entries[ref]) for ref, award in awards.items())


def share_of(award: Award, entry: Entry) -> float:
    """Share of what was asked for."""
    asked = sum(entry.asks[award.option].values())
    return sum(award.gpu_s.values()) / asked if asked else 1.0


class Choice(NamedTuple):
    """Awards and how good they are known to be."""

    awards: dict[str, Award]
    greedy_points: float
    bound: float
    """Points that no choice exceeds."""
