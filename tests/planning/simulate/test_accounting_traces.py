import json

import pytest

from fucina.planning.simulate.accounting_traces import read_trace
from fucina.planning.simulate.trace import BadTrace

HEADER = "JobID|User|Partition|Submit|ElapsedRaw|TimelimitRaw|ReqTRES|NCPUS"
ROWS = (
    "11|ada|gpu|2026-11-01T10:00:10|100|10|billing=4,cpu=8,gres/gpu:a100=4,gres/gpu=4,node=1|8",
    "11.batch|||2026-11-01T10:00:10|100|||8",
    "10|ada|gpu|2026-11-01T10:00:00|900|10|cpu=2,node=1|2",
    "12|dag|gpu|2026-11-01T10:01:00|0|10|cpu=2,node=1|2",
)


@pytest.mark.parametrize("separator", ["|", "\x1f"])
def test_an_export_of_sacct_becomes_a_trace_in_the_order_of_submission(tmp_path, separator):
    path = tmp_path / "jobs.txt"
    path.write_text("\n".join((HEADER, *ROWS)).replace("|", separator) + "\n")
    found = read_trace(path)
    assert found.submit_s.tolist() == [0, 10]
    assert found.size.tolist() == [2, 4]
    assert found.run_s.tolist() == [600, 100]  # ended at its limit of ten minutes
    assert found.estimate_s.tolist() == [600, 600]
    assert found.user == ("ada", "ada")
    assert "1 jobs never ran" in found.notes[0]


def test_usage_records_become_a_trace(tmp_path):
    record = {
        "site": "s", "job_key": "k", "state": "completed",
        "submitted_at": "2026-11-01T10:00:00Z", "ended_at": "2026-11-01T11:00:00Z",
        "wall_s": 1800.4, "num_gpus": 4, "gpu_s": 7204, "account": "proj",
    }  # fmt: skip
    path = tmp_path / "usage.ndjson"
    path.write_text(json.dumps(record) + "\n" + json.dumps({**record, "num_gpus": 0}) + "\n")
    found = read_trace(path)
    assert (found.size.tolist(), found.run_s.tolist(), found.user) == ([4], [1800], ("proj",))
    path.write_text(json.dumps([record, record]))
    assert len(read_trace(path)) == 2


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("JobID|User\n1|a\n", ":1: the export has no Submit, ElapsedRaw"),
        (HEADER + "\n" + ROWS[0] + "|more\n", ":2: 9 fields where the first line names 8"),
        (HEADER + "\n" + ROWS[0] + "|" * 3_000_000, ":2: 3,000,008 fields where the first line names 8"),
        (HEADER + "\n1|a|gpu\n", ":2: 3 fields where the first line names 8"),
        (HEADER + "\n" + ROWS[0].replace("2026-11-01T", "yesterday "), ":2: job 11: "),
        (HEADER + "\n" + ROWS[3], "no job that ran"),
        ('{"site": ', "no JSON"),
        ('{"site": "s"}', "record 1: job_key: Field required"),
    ],
)
def test_a_bad_export_is_named_with_its_place(tmp_path, text, told):
    path = tmp_path / "bad"
    path.write_text(text)
    with pytest.raises(BadTrace) as caught:
        read_trace(path)
    assert told in caught.value.message
