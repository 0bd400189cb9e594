"""Reads the Standard Workload Format of the Parallel Workloads Archive (Feitelson, version 2.2).

A job counts when it was submitted at zero or later, ran, and used processors. Processors are those requested, else
those
allocated; the estimate is the requested time, else the run time; a job that ran longer was ended at its estimate.
"""

import math
import re
from pathlib import Path

from fucina.planning.simulate.trace import BadTrace, Trace, column, hole_note, read_text_lines

NUM_FIELDS = 18
_SUBMIT, _WAIT, _RUN, _ALLOCATED, _REQUESTED, _ESTIMATE, _USER, _PARTITION = 1, 2, 3, 4, 7, 8, 11, 15
_MACHINE = re.compile(r"^;\s*Max(Procs|Nodes)\s*:\s*(\d+)")


def read_swf(path: Path) -> Trace:
    """The jobs of an SWF file, plain or gzip.

    Raises BadTrace with the line: a field missing, no number, or a submission before the one above.
    """
    rows: list[tuple[int, int, int, int, int, int]] = []
    users: list[str] = []
    partitions: list[str] = []
    machine: dict[str, int] = {}
    skipped: list[int] = []
    last_submit, last_line = -math.inf, 0
    for number, line in enumerate(read_text_lines(path), start=1):
        if line.startswith(";"):
            if found := _MACHINE.match(line):
                machine[found.group(1)] = int(found.group(2))
            continue
        cells = line.split()
        if not cells:
            continue
        values = _numbers(path, number, cells)
        submit = values[_SUBMIT]
        if submit < last_submit:
            raise BadTrace(
                f"{path}:{number}: time goes back: submitted at {submit:g} s, after {last_submit:g} s in line "
                f"{last_line}.",
                hint="Sort the trace by its second field, or repair the line.",
            )
        last_submit, last_line = submit, number
        size = values[_REQUESTED] if values[_REQUESTED] > 0 else values[_ALLOCATED]
        if submit < 0 or values[_RUN] <= 0 or size <= 0:
            skipped.append(number)
            continue
        estimate = values[_ESTIMATE] if values[_ESTIMATE] > 0 else values[_RUN]
        rows.append(
            (int(submit), int(min(values[_RUN], estimate)), int(estimate), int(size), number, int(values[_WAIT]))
        )
        users.append(cells[_USER])
        partitions.append(cells[_PARTITION])
    if not rows:
        raise BadTrace(f"{path} has no job that ran.", hint="An SWF file has 18 numbers on a line for each job.")
    return _trace(rows, users, partitions, machine.get("Procs", machine.get("Nodes")), skipped)


def _numbers(path: Path, number: int, cells: list[str]) -> list[float]:
    if len(cells) != NUM_FIELDS:
        raise BadTrace(
            f"{path}:{number}: {len(cells):,} fields where SWF has {NUM_FIELDS}.",
            hint="The line was cut, or is no SWF; write -1 for what is unknown.",
        )
    values = []
    for position, cell in enumerate(cells[:NUM_FIELDS], start=1):
        try:
            value = float(cell)
        except ValueError as error:
            raise BadTrace(
                f"{path}:{number}: field {position} is {cell[:40]!r}, not a number.",
                hint="Write -1 for what is unknown.",
            ) from error
        if not math.isfinite(value) or abs(value) >= 2**53:
            raise BadTrace(
                f"{path}:{number}: field {position} is {cell[:40]!r}, out of range.",
                hint="Write -1 for what is unknown.",
            )
        values.append(value)
    return values


def _trace(
    rows: list[tuple[int, int, int, int, int, int]],
    users: list[str],
    partitions: list[str],
    machine_size: int | None,
    skipped: list[int],
) -> Trace:
    submit, run, estimate, size, line, wait = (column(list(values)) for values in zip(*rows, strict=True))
    notes = []
    if skipped:
        notes.append(
            f"{len(skipped):,} jobs never ran, or have no processors or no valid time, and are left out; the first "
            f"in line "
            f"{skipped[0]:,}."
        )
    if hole := hole_note(submit, line):
        notes.append(hole)
    no_estimate = int((estimate == run).sum())
    if no_estimate == len(run):
        notes.append("No job has an estimate of its own above its run time: backfilling knows every end exactly.")
    return Trace(
        submit_s=submit,
        run_s=run,
        estimate_s=estimate,
        size=size,
        line=line,
        user=tuple(users),
        partition=tuple(partitions),
        machine_size=machine_size,
        recorded_wait_s=wait,
        notes=tuple(notes),
    )
