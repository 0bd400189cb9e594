"""Delimited text of Slurm's commands, read row by row; a row that cannot be read never hides the others."""

import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from fucina.errors import Unavailable

DELIMITER = "\x1f" + secrets.token_hex(4)
"""Ends every field. Nobody can guess it, so that no name and no comment of another user forges a row."""

_NOTHING = frozenset({"", "None", "Unknown", "N/A", "(null)", "INVALID", "4294967294"})

T = TypeVar("T")


class NotSlurmOutput(Unavailable):
    """A command answered with something that it never answers."""

    code = "not_slurm_output"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing(Generic[T]):
    """Rows of one answer; as long as some could not be read, absence proves nothing."""

    rows: tuple[T, ...]
    broken: tuple[str, ...] = field(default=())
    """Lines that could not be read, as they came."""


def parse(
    text: str, *, num_fields: int, make: Callable[[Sequence[str]], T | None], delimiter: str = DELIMITER
) -> Listing[T]:
    """Every row of `num_fields` fields as `make` reads it; None leaves a row out, ValueError puts it aside.

    The delimiter ends each field, the last one too, so that a comment may have line breaks.
    """
    rows: list[T] = []
    broken: list[str] = []
    for line in _rows(text.split("\n"), num_fields, delimiter):
        cells = line.split(delimiter)[:-1]
        try:
            if len(cells) != num_fields:
                raise ValueError(f"{len(cells)} fields")
            row = make([cell.strip() for cell in cells])
        except ValueError:
            broken.append(line)
            continue
        if row is not None:
            rows.append(row)
    return Listing(rows=tuple(rows), broken=tuple(broken))


def _rows(lines: Sequence[str], num_fields: int, delimiter: str) -> Iterator[str]:
    """Lines put together to rows, from the end of each row backwards; what belongs to none stays as it is."""
    begin = 0
    for end, line in enumerate(lines):
        if not line.rstrip().endswith(delimiter):
            continue
        first, num_seen = end, line.count(delimiter)
        while num_seen < num_fields and first > begin:
            first -= 1
            num_seen += lines[first].count(delimiter)
        if num_seen != num_fields:
            continue
        yield from filter(str.strip, lines[begin:first])
        yield "\n".join(lines[first : end + 1])
        begin = end + 1
    yield from filter(str.strip, lines[begin:])


def epoch(cell: str) -> int | None:
    """Seconds since 1970 under SLURM_TIME_FORMAT=%s, None where Slurm knows no time. Raises ValueError."""
    if cell in _NOTHING:
        return None
    seconds = int(cell)
    return seconds if seconds > 0 else None


def number(cell: str) -> int:
    """A count, 0 where Slurm says nothing. Raises ValueError."""
    return 0 if cell in _NOTHING else int(cell)


def size_bytes(cell: str) -> int:
    """A size such as 1234K or 1.5G in bytes. Raises ValueError."""
    if cell in _NOTHING:
        return 0
    scale = {"K": 1, "M": 2, "G": 3, "T": 4, "P": 5}.get(cell[-1].upper(), 0)
    return round(float(cell[:-1] if scale else cell) * 1024**scale)


def seconds(cell: str) -> float:
    """A duration such as 1-02:03:04, 05:06 or 07:08.910 in seconds. Raises ValueError."""
    if cell in _NOTHING:
        return 0.0
    days, _, clock = cell.rpartition("-")
    total = 0.0
    for part in clock.split(":"):
        total = total * 60 + float(part)
    return total + 86400 * int(days or 0)


def task_indices(text: str) -> tuple[int, ...]:
    """Indices of Slurm's array notation, as 0-9:2,12%4. Raises ValueError."""
    found: list[int] = []
    for piece in text.split("%", 1)[0].split(","):
        span, _, step = piece.partition(":")
        first, _, last = span.partition("-")
        found.extend(range(int(first), int(last or first) + 1, int(step or 1)))
    return tuple(found)
