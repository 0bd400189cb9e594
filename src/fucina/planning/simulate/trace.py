"""A trace: jobs in the order of their submission, as columns."""

import gzip
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fucina.errors import BadInput

Ints = npt.NDArray[np.int64]

MAX_TEXT_BYTES = 4 * 2**30
"""Of a trace once it is unpacked; more is refused, so that a small archive cannot fill the memory."""

GAP_S = 14 * 86_400
"""A silence longer than this looks like a hole in the log."""


class BadTrace(BadInput):
    """A trace of jobs that cannot be used."""

    code = "bad_trace"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Jobs by submission, ties in the order of the file. Times in s from the trace's own zero."""

    submit_s: Ints
    run_s: Ints
    """As it really took, at most the estimate: a job is ended at its limit."""
    estimate_s: Ints
    size: Ints
    """Processors, or accelerators."""
    line: Ints
    """Line of the file, or number of the record, for messages."""
    user: tuple[str, ...] = ()
    """Who it is charged to; empty where unknown."""
    account: tuple[str, ...] = ()
    """The account of Slurm that the user charges; empty where unknown."""
    qos: tuple[str, ...] = ()
    partition: tuple[str, ...] = ()
    begins_at: int | None = None
    """Its zero, s since 1970 by the clock of the file; None where it is not told."""
    machine_size: int | None = None
    """What the trace says of its machine."""
    recorded_wait_s: Ints | None = None
    """As it happened; -1 where unknown."""
    notes: tuple[str, ...] = field(default=())
    """What was left out or looks odd, with the place."""

    def __len__(self) -> int:
        return len(self.submit_s)


def read_text_lines(path: Path) -> list[str]:
    """Lines of a text file, unpacked where it is gzip.

    Raises BadTrace when it is missing, empty, binary or damaged.
    """
    try:
        raw = path.read_bytes()
        if raw[:2] == b"\x1f\x8b":
            raw = _unpack(path)
    except FileNotFoundError as error:
        raise BadTrace(f"There is no file {path}.", hint="Check the path.") from error
    except OSError as error:
        raise BadTrace(f"{path} cannot be read: {error}", hint="Check that it is a readable, complete file.") from error
    except (EOFError, zlib.error) as error:
        raise BadTrace(
            f"{path} is a damaged gzip file: {error}", hint="Copy it again; it ends early or was changed."
        ) from error
    if not raw.strip():
        raise BadTrace(f"{path} is empty.", hint="A trace has one line for each job.")
    if (at := raw.find(b"\0")) >= 0:
        line = raw.count(b"\n", 0, at) + 1
        raise BadTrace(f"{path}:{line}: this is no text: byte {at} is zero.", hint="Give the text file, or its .gz.")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")  # old logs carry names in it, in comments only
    return text.splitlines()


def _unpack(path: Path) -> bytes:
    with gzip.open(path) as packed:
        raw = packed.read(MAX_TEXT_BYTES + 1)
    if len(raw) > MAX_TEXT_BYTES:
        raise BadTrace(f"{path} unpacks to more than {MAX_TEXT_BYTES:,} bytes.", hint="Cut it into shorter traces.")
    return raw


def column(values: list[int]) -> Ints:
    """Values as a column."""
    return np.asarray(values, dtype=np.int64)


def hole_note(submit_s: Ints, line: Ints) -> str:
    """Where no job arrives for suspiciously long, or nothing."""
    gaps = np.diff(submit_s)
    if not len(gaps) or gaps.max() <= GAP_S:
        return ""
    at = int(gaps.argmax())
    return (
        f"No job arrives for {gaps[at] / 86_400:.1f} days between lines {line[at]:,} and {line[at + 1]:,}: "
        "a hole in the log? Waits after it say little."
    )


def fitting(trace: Trace, *, machine_size: int) -> Trace:
    """The jobs that a machine of that size can run at all, with a note on the others.

    Raises BadTrace when none is left.
    """
    keep = trace.size <= machine_size
    if keep.all():
        return trace
    lost = np.flatnonzero(~keep)
    first, widest = lost[0], lost[np.argmax(trace.size[lost])]
    note = (
        f"{len(lost):,} jobs ask for more than the machine's {machine_size:,} and are left out; the first in line "
        f"{trace.line[first]:,} ({trace.size[first]:,}), the largest in line {trace.line[widest]:,} "
        f"({trace.size[widest]:,})."
    )
    if len(lost) == len(trace):
        raise BadTrace(f"No job fits: {note}", hint="Give the size of the machine that the trace comes from.")
    return _kept(trace, keep, machine_size=machine_size, notes=(*trace.notes, note))


def until(trace: Trace, *, days: float) -> Trace:
    """The jobs submitted in the first days of a trace."""
    keep = trace.submit_s < trace.submit_s[0] + days * 86_400
    if keep.all():
        return trace
    return _kept(trace, keep, machine_size=trace.machine_size, notes=trace.notes)


def _kept(trace: Trace, keep: npt.NDArray[np.bool_], *, machine_size: int | None, notes: tuple[str, ...]) -> Trace:
    kept = np.flatnonzero(keep)

    def names(given: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(given[i] for i in kept) if given else ()

    return Trace(
        submit_s=trace.submit_s[keep],
        run_s=trace.run_s[keep],
        estimate_s=trace.estimate_s[keep],
        size=trace.size[keep],
        line=trace.line[keep],
        begins_at=trace.begins_at,
        user=names(trace.user),
        account=names(trace.account),
        qos=names(trace.qos),
        partition=names(trace.partition),
        machine_size=machine_size,
        recorded_wait_s=None if trace.recorded_wait_s is None else trace.recorded_wait_s[keep],
        notes=notes,
    )
