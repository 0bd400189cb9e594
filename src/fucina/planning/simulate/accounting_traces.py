"""Reads traces from Slurm's accounting (`sacct --parsable2`, `|` or 0x1f between fields) and from the hub's own usage
records."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pydantic import ValidationError

from fucina.accounting.usage import UsageRecord
from fucina.planning.simulate.swf import read_swf
from fucina.planning.simulate.trace import BadTrace, Trace, column, hole_note, read_text_lines

_NEEDED = ("JobID", "Submit", "ElapsedRaw")
_GPUS = re.compile(r"gres/gpu(?::[^=,]+)?=(\d+)")
_UNKNOWN = {"", "Unknown", "None", "N/A", "Partition_Limit", "UNLIMITED"}

_STOPPED = ("PREEMPTED", "REQUEUED", "NODE_FAIL")
"""After these Slurm may start a job again, as another row of the same job."""


class Row(NamedTuple):
    """One job."""

    submit: int
    run: int
    estimate: int
    size: int
    line: int
    user: str
    partition: str
    account: str = ""
    qos: str = ""
    wait: int = -1
    """As it was recorded, s; -1 where unknown."""


def read_trace(path: Path) -> Trace:
    """A trace in whichever of the three formats its first line shows. Raises BadTrace with the line."""
    first = next((line for line in read_text_lines(path) if line.strip()), "")
    if first.lstrip().startswith(("{", "[")):
        return read_usage(path)
    if "JobID" in first:
        return read_sacct(path)
    return read_swf(path)


def read_sacct(path: Path) -> Trace:
    """Jobs of `sacct --parsable2 --allocations
    --format=JobID,User,Account,QOS,Partition,State,Submit,Start,ElapsedRaw,TimelimitRaw,ReqTRES,NCPUS,NNodes`.

    Size is GPUs, else processors. With `--duplicates`, a job that was stopped and started again counts once, from its
    first submission, with its last run. Raises BadTrace with the line.
    """
    lines = read_text_lines(path)
    separator = "\x1f" if "\x1f" in lines[0] else "|"
    header = lines[0].rstrip(separator).split(separator)
    if missing := [name for name in _NEEDED if name not in header]:
        raise BadTrace(
            f"{path}:1: the export has no {', '.join(missing)}.", hint=f"Ask sacct for {', '.join(_NEEDED)}."
        )
    jobs: list[tuple[int, dict[str, str]]] = []
    for number, line in enumerate(lines[1:], start=2):
        if not line.strip():
            continue
        cells = line.split(separator)
        if not len(header) <= len(cells) <= len(header) + (not cells[-1]):  # --parsable ends lines with a separator
            raise BadTrace(
                f"{path}:{number}: {len(cells):,} fields where the first line names {len(header)}.",
                hint="The line was cut, or a field has the separator in it: export with --delimiter=$'\\x1f'.",
            )
        job = dict(zip(header, cells, strict=False))
        if "." not in job["JobID"]:  # else a step of a job
            jobs.append((number, job))
    return _made(path, *_runs_joined(path, jobs))


def _runs_joined(path: Path, jobs: list[tuple[int, dict[str, str]]]) -> tuple[list[Row], list[int]]:
    """One row a job, and the lines that are left out."""
    last = {job["JobID"]: number for number, job in jobs}
    first: dict[str, Row] = {}
    rows: list[Row] = []
    skipped: list[int] = []
    for number, job in jobs:
        name = job["JobID"]
        row = _sacct_row(path, number, job)
        if row is None:
            skipped.append(number)
        elif job.get("State", "").startswith(_STOPPED) and last[name] > number:
            first.setdefault(name, row)
        else:
            begun = first.pop(name, row)
            rows.append(row._replace(submit=begun.submit, wait=begun.wait))
    return rows, skipped


def _sacct_row(path: Path, number: int, job: dict[str, str]) -> Row | None:
    if job["Submit"] in _UNKNOWN:
        return None
    try:
        submit = read_instant(job["Submit"])
        start = job.get("Start", "")
        wait = -1 if start in _UNKNOWN else read_instant(start) - submit
        run = int(job["ElapsedRaw"])
        limit = job.get("TimelimitRaw", "")
        estimate = run if limit in _UNKNOWN else int(limit) * 60
        tres = job.get("ReqTRES") or job.get("AllocTRES", "")
        gpus = [int(count) for count in _GPUS.findall(tres)]
        size = max(gpus) if gpus else int(job.get("NCPUS") or job.get("ReqCPUS") or job.get("NNodes") or 0)
    except ValueError as error:
        raise BadTrace(
            f"{path}:{number}: job {job['JobID'][:40]}: {error}", hint="Use the fields as sacct gives them."
        ) from error
    if run <= 0 or size <= 0:
        return None
    estimate = max(estimate, 1)
    return Row(
        submit=submit,
        run=min(run, estimate),
        estimate=estimate,
        size=size,
        line=number,
        user=job.get("User", ""),
        partition=job.get("Partition", ""),
        account=job.get("Account", ""),
        qos=job.get("QOS", ""),
        wait=wait,
    )


def read_instant(text: str) -> int:
    """Seconds of a time as sacct writes it, or as it does with SLURM_TIME_FORMAT=%s."""
    return int(text) if text.isdigit() else int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def read_usage(path: Path) -> Trace:
    """Usage records as JSON, an array or one on a line. Raises BadTrace with the record."""
    lines = read_text_lines(path)
    try:
        if lines[0].lstrip().startswith("["):
            entries = list(enumerate(json.loads("\n".join(lines)), start=1))
        else:
            entries = [(number, json.loads(line)) for number, line in enumerate(lines, start=1) if line.strip()]
    except json.JSONDecodeError as error:
        raise BadTrace(f"{path}: no JSON: {error}", hint="Give an array, or one record on a line.") from error
    rows: list[Row] = []
    skipped: list[int] = []
    for number, entry in entries:
        try:
            record = UsageRecord.model_validate(entry)
        except ValidationError as error:
            first = error.errors()[0]
            raise BadTrace(
                f"{path}: record {number}: {'.'.join(map(str, first['loc']))}: {first['msg']}", hint="Export it again."
            ) from error
        begun = record.submitted_at or record.started_at
        if begun is None or record.wall_s <= 0 or record.num_gpus <= 0:
            skipped.append(number)
            continue
        run = max(1, round(record.wall_s))
        rows.append(
            Row(
                int(begun.timestamp()),
                run,
                run,
                record.num_gpus,
                number,
                record.account or record.user,
                record.partition,
            )
        )
    return _made(path, rows, skipped)


def _made(path: Path, rows: list[Row], skipped: list[int]) -> Trace:
    if not rows:
        raise BadTrace(f"{path} has no job that ran.", hint="Widen the period of the export.")
    rows.sort(key=lambda row: (row.submit, row.line))  # exports are not always in the order of submission
    submit, run, estimate, size, line = (column([int(row[i]) for row in rows]) for i in range(5))
    note = (
        f"{len(skipped):,} jobs never ran, or lack a time or a size, and are left out; the first in line "
        f"{skipped[0]:,}."
        if skipped
        else ""
    )
    notes = [note] if note else []
    if hole := hole_note(submit, line):
        notes.append(hole)
    return Trace(
        begins_at=rows[0].submit,
        submit_s=submit - np.int64(rows[0].submit),
        run_s=run,
        estimate_s=estimate,
        size=size,
        line=line,
        user=tuple(row.user for row in rows),
        partition=tuple(row.partition for row in rows),
        account=tuple(row.account for row in rows) if any(row.account for row in rows) else (),
        qos=tuple(row.qos for row in rows) if any(row.qos for row in rows) else (),
        recorded_wait_s=column([row.wait for row in rows]) if any(row.wait >= 0 for row in rows) else None,
        notes=tuple(notes),
    )
