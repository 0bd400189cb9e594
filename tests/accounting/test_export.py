"""Formats that others read."""

import re
from datetime import UTC, datetime

from fucina.accounting.assemble import group, usage_record
from fucina.accounting.export import EGI_HEADER, EGI_MANDATORY, XDMOD_FIELDS, egi_message, xdmod_lines
from fucina.accounting.sacct import Broken, read_rows
from tests.accounting.slurmdb import SITE, Row

T0 = int(datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp())
ROWS = [
    Row(job_id=7, label="5_2", submit=T0, start=T0 + 60, end=T0 + 60 + 93784, comment="fucina:run|1", user="ali\nce"),
    Row(job_id=8, submit=T0, start=T0 + 1, end=T0 + 11, state="REQUEUED"),
    Row(job_id=8, submit=T0 + 11, start=T0 + 140, end=T0 + 200),
    Row(job_id=9, submit=T0, end=T0 + 5, state="CANCELLED by 0", tres="", elapsed=0),
]


def records():
    by_id = {}
    for row in ROWS:
        line = row.line().replace(b"ali\nce", b"ali ce")
        (run,) = read_rows([line], broken=Broken())
        by_id.setdefault(run.job_id, []).append(run)
    return [usage_record(job, site=SITE, measured_at=None) for runs in by_id.values() for job in group(runs)]


def test_xdmod_lines_have_the_shredders_columns():
    """The shredder splits at `|`, wants 26 columns, UTC times, and skips states that it calls not ended."""
    lines = list(xdmod_lines(records()))
    rows = [dict(zip(XDMOD_FIELDS, line.split("|"), strict=True)) for line in lines]
    assert len(XDMOD_FIELDS) == 26
    assert [(row["jobid"], row["jobidraw"], row["state"]) for row in rows] == [
        ("5_2", "7", "COMPLETED"),
        ("8", "8", "PREEMPTED"),
        ("8", "8", "COMPLETED"),
    ]
    assert rows[0]["elapsed"] == "1-02:03:04"
    assert rows[1]["elapsed"] == "00:00:10"
    for row in rows:
        for name in ("submit", "eligible", "start", "end"):
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", row[name])
        assert "gres/gpu=4" in row["alloctres"].split(",")
        assert row["nodelist"] not in {"", "None assigned"}
    assert rows[0]["start"] == "2026-11-20T12:01:00"


def test_an_egi_message_has_every_mandatory_field():
    lines = list(egi_message(records(), site="FUCINA-IT", submit_host="alpha.example.org", service_level=12.5))
    assert lines[0] == EGI_HEADER == "APEL-individual-job-message: v0.3"
    assert lines[-1] == "%%"
    found = "\n".join(lines[1:]).split("\n%%")[:-1]
    assert len(found) == 2
    for text in found:
        fields = dict(line.split(": ", 1) for line in text.strip().splitlines())
        assert set(EGI_MANDATORY) <= set(fields)
        assert fields["ServiceLevelType"] in {"Si2k", "HEPSPEC"}
        assert int(fields["EndTime"]) >= int(fields["StartTime"])
        assert fields["InfrastructureType"] == "local"
    fields = dict(line.split(": ", 1) for line in found[1].strip().splitlines())
    assert (fields["LocalJobId"], fields["WallDuration"], fields["CpuDuration"]) == ("8", "70", "560")
