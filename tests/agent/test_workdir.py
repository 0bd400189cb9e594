"""Placing a job: only stages, only inside, only the right bytes."""

import hashlib
import json
import os
import pwd
import shutil
import tempfile
from pathlib import Path

import pytest

from fucina.agent.policy import BadJob
from fucina.agent.workdir import DigestMismatch, Places, place
from fucina.client.wire import RunSource
from fucina.line.spec import StageName
from tests.agent.test_journal import claimed

TEXT = b'{"text": "ciao"}\n'
DIGEST = hashlib.sha256(TEXT).hexdigest()


def places(folder):
    return Places(state=folder, work=folder)


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
    workdir = place(places(tmp_path), job(), fetch=bring())
    given = json.loads((workdir / "stage.json").read_text())
    path = given["recipe"]["sources"][0]["path"]
    assert not path.startswith("/")
    assert (workdir / path).read_bytes() == TEXT
    place(places(tmp_path), job(), fetch=bring(b"never asked for again"))
    assert (workdir / path).read_bytes() == TEXT


def test_a_file_with_other_bytes_is_refused_and_not_kept(tmp_path):
    with pytest.raises(DigestMismatch, match="digest"):
        place(places(tmp_path), job(), fetch=bring(b"other"))
    place(places(tmp_path), job(), fetch=bring())


def test_a_name_that_leads_elsewhere_stays_inside(tmp_path):
    source = RunSource(name="../../../etc/passwd", sha256=DIGEST, num_bytes=1, licence="x")
    workdir = place(places(tmp_path), job(sources=(source,)), fetch=bring())
    assert [path.name for path in (workdir / "in").iterdir()] == ["0000-passwd"]


def test_a_given_tokenizer_is_brought_too(tmp_path):
    base = job()
    tokenizer = RunSource(name="tokenizer.json", sha256=DIGEST, num_bytes=1, licence="", role="tokenizer")
    recipe = {**base.input.recipe, "tokenizer": "tokenizer.json"}
    given = base.input.model_copy(update={"recipe": recipe})
    workdir = place(places(tmp_path), job(sources=(*base.sources, tokenizer), input=given), fetch=bring())
    placed = json.loads((workdir / "stage.json").read_text())["recipe"]
    assert (workdir / placed["tokenizer"]).read_bytes() == TEXT
    assert placed["sources"][0]["path"] != placed["tokenizer"]
    with pytest.raises(BadJob, match="tokenizer"):
        place(places(tmp_path / "b"), job(sources=(*base.sources, tokenizer)), fetch=bring())


def test_files_for_a_stage_that_takes_none_are_refused(tmp_path):
    base = job()
    other = base.input.model_copy(update={"stage": StageName.TRAIN})
    spec = base.spec.model_copy(update={"command": ("fucina", "stage", "train", ".")})
    with pytest.raises(BadJob):
        place(places(tmp_path), job(stage=StageName.TRAIN, input=other, spec=spec), fetch=bring())


def own_job(*names):
    """A job of a person's own with files."""
    sources = tuple(RunSource(name=name, sha256=DIGEST, num_bytes=len(TEXT), licence="") for name in names)
    return job(run="", stage=None, input=None, sources=sources)


def test_files_of_a_persons_own_job_lie_under_their_names(tmp_path):
    workdir = place(places(tmp_path), own_job("src/a.py", "b.txt"), fetch=bring())
    assert (workdir / "src" / "a.py").read_bytes() == (workdir / "b.txt").read_bytes() == TEXT
    assert workdir == tmp_path / "runs" / "job_1" / "work"


@pytest.mark.parametrize("name", ["../a", "/etc/passwd", "a/../../b", "~/x", ""])
def test_files_of_a_persons_own_job_stay_inside(tmp_path, name):
    with pytest.raises(BadJob, match="leads out"):
        place(places(tmp_path), own_job(name), fetch=bring())


def test_a_stage_without_its_input_is_refused(tmp_path):
    with pytest.raises(BadJob, match="without its input"):
        place(places(tmp_path), job(input=None, sources=()), fetch=bring())


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files for others")


@pytest.fixture
def shared():
    """A folder that every user can reach, as scratch is; pytest's own are closed to others."""
    with tempfile.TemporaryDirectory(prefix="fucina-agent-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@needs_root
def test_a_users_files_are_made_with_that_users_rights(shared):
    user = pwd.getpwnam("nobody")
    spec = job().spec.model_copy(update={"user": "nobody"})
    workdir = place(Places(state=shared / "state", work=shared / "work"), job(spec=spec), fetch=bring())
    for path in (workdir.parent, workdir, workdir / "stage.json", *workdir.glob("in/*")):
        assert path.stat().st_uid == user.pw_uid
    assert workdir.parent.stat().st_mode & 0o077 == 0
    assert os.geteuid() == 0


@needs_root
def test_a_link_in_a_users_folder_leads_root_nowhere(shared):
    user = pwd.getpwnam("nobody")
    spec = job().spec.model_copy(update={"user": "nobody"})
    secret = shared / "secret"
    secret.mkdir(mode=0o700)
    there = Places(state=shared / "state", work=shared / "work")
    workdir = place(there, job(spec=spec), fetch=bring())
    shutil.rmtree(workdir)
    workdir.symlink_to(secret)
    os.lchown(workdir, user.pw_uid, user.pw_gid)
    with pytest.raises(PermissionError):
        place(there, job(spec=spec), fetch=bring())
    assert list(secret.iterdir()) == []
    assert os.geteuid() == 0


@needs_root
def test_a_run_folder_of_somebody_else_is_refused(shared):
    there = Places(state=shared / "state", work=shared / "work")
    folder = there.run_folder(job())
    folder.mkdir(parents=True)
    os.chown(folder, 12345, 12345)
    spec = job().spec.model_copy(update={"user": "nobody"})
    with pytest.raises(BadJob, match="belongs to user 12345"):
        place(there, job(spec=spec), fetch=bring())
