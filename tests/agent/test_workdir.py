"""Placing a job: only stages, only inside, only the right bytes."""

import hashlib
import json

import pytest

from fucina.agent.workdir import BadJob, DigestMismatch, place
from fucina.client.wire import RunSource
from fucina.compute.spec import JobSpec
from fucina.line.spec import StageName
from tests.agent.test_journal import claimed

TEXT = b'{"text": "ciao"}\n'
DIGEST = hashlib.sha256(TEXT).hexdigest()


def job(**changes):
    source = {"path": "", "name": "it/a.jsonl", "sha256": DIGEST, "num_bytes": len(TEXT), "licence": "CC0-1.0"}
    base = claimed()
    base = base.model_copy(
        update={
            "sources": (RunSource(name="it/a.jsonl", sha256=DIGEST, num_bytes=len(TEXT), licence="CC0-1.0"),),
            "input": base.input.model_copy(update={"recipe": {"sources": [source]}}),
        }
    )
    return base.model_copy(update=changes)


def bring(content=TEXT):
    return lambda _sha256, path: path.write_bytes(content)


def test_a_placed_job_has_its_files_and_its_frozen_input(tmp_path):
    workdir = place(tmp_path, job(), fetch=bring())
    given = json.loads((workdir / "stage.json").read_text())
    path = given["recipe"]["sources"][0]["path"]
    assert not path.startswith("/")
    assert (workdir / path).read_bytes() == TEXT
    place(tmp_path, job(), fetch=bring(b"never asked for again"))
    assert (workdir / path).read_bytes() == TEXT


def test_a_file_with_other_bytes_is_refused_and_not_kept(tmp_path):
    with pytest.raises(DigestMismatch, match="digest"):
        place(tmp_path, job(), fetch=bring(b"other"))
    place(tmp_path, job(), fetch=bring())


@pytest.mark.parametrize("run", ["../x", "/etc", "", "a/b", ".", "..", "x" * 100])
def test_a_run_that_leads_elsewhere_is_refused(tmp_path, run):
    with pytest.raises(BadJob):
        place(tmp_path, job(run=run), fetch=bring())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "command", [("sh", "-c", "true"), ("fucina", "up"), ("fucina", "stage", "train", "."), ("/bin/true",)]
)
def test_only_the_jobs_own_stage_is_run(tmp_path, command):
    spec = JobSpec(key="k", name="n", command=command, walltime_s=1)
    with pytest.raises(BadJob, match="stages only"):
        place(tmp_path, job(spec=spec), fetch=bring())


def test_a_name_that_leads_elsewhere_stays_inside(tmp_path):
    source = RunSource(name="../../../etc/passwd", sha256=DIGEST, num_bytes=1, licence="x")
    workdir = place(tmp_path, job(sources=(source,)), fetch=bring())
    assert [path.name for path in (workdir / "in").iterdir()] == ["0000-passwd"]


def test_a_given_tokenizer_is_brought_too(tmp_path):
    base = job()
    tokenizer = RunSource(name="tokenizer.json", sha256=DIGEST, num_bytes=1, licence="", role="tokenizer")
    recipe = {**base.input.recipe, "tokenizer": "tokenizer.json"}
    given = base.input.model_copy(update={"recipe": recipe})
    workdir = place(tmp_path, job(sources=(*base.sources, tokenizer), input=given), fetch=bring())
    placed = json.loads((workdir / "stage.json").read_text())["recipe"]
    assert (workdir / placed["tokenizer"]).read_bytes() == TEXT
    assert placed["sources"][0]["path"] != placed["tokenizer"]
    with pytest.raises(BadJob, match="tokenizer"):
        place(tmp_path / "b", job(sources=(*base.sources, tokenizer)), fetch=bring())


def test_files_for_a_stage_that_takes_none_are_refused(tmp_path):
    base = job()
    other = base.input.model_copy(update={"stage": StageName.TRAIN})
    spec = base.spec.model_copy(update={"command": ("fucina", "stage", "train", ".")})
    with pytest.raises(BadJob):
        place(tmp_path, job(stage=StageName.TRAIN, input=other, spec=spec), fetch=bring())
