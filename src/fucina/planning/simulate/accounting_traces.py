"""Reads traces from Slurm's accounting (`sacct --parsable2`, `|` or 0x1f between fields) and from the hub's own usage
records."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from fucina.accounting.usage import UsageRecord
from fucina.planning.simulate.swf import read_swf
from fucina.planning.simulate.trace import BadTrace, Trace, column, read_text_lines

_NEEDED = ("JobID", "Submit", "ElapsedRaw")
_GPUS = re.compile(r"gres/gpu(?::[^=,]+)?=(\d+)")
_UNKNOWN = {"", "Unknown", "None", "N/A", "Partition_Limit", "UNLIMITED"}

Row = tuple[int, int, int, int, int, str, str]
"""Submission, run, estimate, size, line, user, partition."""


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
    --format=JobID,User,Partition,Submit,ElapsedRaw,TimelimitRaw,ReqTRES,NCPUS,NNodes`.

    Size is GPUs, else processors. Raises BadTrace with the line.
    """
    lines = read_text_lines(path)
    separator = "\x1f" if "\x1f" in lines[0] else "|"
    header = lines[0].rstrip(separator).split(separator)
    if missing := [name for name in _NEEDED if name not in header]:
        raise BadTrace(
            f"{path}:1: the export has no {', '.join(missing)}.", hint=f"Ask sacct for {', '.join(_NEEDED)}."
        )
    rows: list[Row] = []
    skipped: list[int] = []
    for number, line in enumerate(lines[1:], start=2):
        if not line.strip():
            continue
        cells = line.split(separator)
        if len(cells) < len(header):
            raise BadTrace(
                f"{path}:{number}: {len(cells)} fields where the first line names {len(header)}.",
                hint="The line was cut.",
            )
        job = dict(zip(header, cells, strict=False))
        if "." in job["JobID"]:
            continue  # a step of a job
        row = _sacct_row(path, number, job)
        if row is None:
            skipped.append(number)
        else:
            rows.append(row)
    return _made(path, rows, skipped)


def _sacct_row(path: Path, number: int, job: dict[str, str]) -> Row | None:
    if job["Submit"] in _UNKNOWN:
        return None
    try:
        submit = int(datetime.fromisoformat(job["Submit"]).replace(tzinfo=UTC).timestamp())
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
    return submit, min(run, estimate), estimate, size, number, job.get("User", ""), job.get("Partition", "")


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
            (int(begun.timestamp()), run, run, record.num_gpus, number, record.account or record.user, record.partition)
        )
    return _made(path, rows, skipped)


def _made(path: Path, rows: list[Row], skipped: list[int]) -> Trace:
    if not rows:
        raise BadTrace(f"{path} has no job that ran.", hint="Widen the period of the export.")
    rows.sort(key=lambda row: (row[0], row[4]))  # exports are not always in the order of submission
    submit, run, estimate, size, line = (column([int(row[i]) for row in rows]) for i in range(5))
    note = (
        f"{len(skipped):,} jobs never ran, or lack a time or a size, and are left out; the first in line "
        f"{skipped[0]:,}."
        if skipped
        else ""
    )
    return Trace(
        submit_s=submit - np.int64(rows[0][0]),
        run_s=run,
        estimate_s=estimate,
        size=size,
        line=line,
        user=tuple(row[5] for row in rows),
        partition=tuple(row[6] for row in rows),
        notes=(note,) if note else (),
    )
