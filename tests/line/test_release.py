import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fucina.compute.record import Interrupted
from fucina.line.release import BadOutput, GateFailed, OutputChanged, check_gates, content_digest
from fucina.line.verify import verify
from fucina.trust.keys import BadKey, ensure_key
from tests.trust.synthetic import build_release, make_documents, make_release, make_run

FILES = {
    "README.md",
    "data/croissant.json",
    "data/dataset.json",
    "data/datasheet.md",
    "dossier/dossier.json",
    "dossier/dossier.pdf",
    "evaluation/report.html",
    "evaluation/results.json",
    "ml-bom.cdx.json",
    "model.sig",
    "model/config.json",
    "model/model.safetensors",
    "model/tokenizer.json",
    "provenance.intoto.jsonl",
}


def files_of(release: Path) -> set[str]:
    return {path.relative_to(release).as_posix() for path in release.rglob("*") if path.is_file()}


@pytest.fixture
def released(tmp_path):
    return make_release(tmp_path)


@pytest.fixture
def made(tmp_path):
    run = make_run(tmp_path)
    return run, make_documents(run), ensure_key(tmp_path / "keys")


def test_the_bundle_holds_what_the_architecture_says_and_verifies(released):
    report = verify(released.release, public_key=released.public_key)

    assert files_of(released.release) == FILES
    assert report.ok, report.findings
    assert report.num_files == len(FILES)
    assert (report.project, report.organisation) == ("norme-chiare", "Officine Esempio")
    assert [gate.passed for gate in report.gates] == [True, True]
    assert report.num_open > 20


def test_nothing_private_leaves(released):
    for path in released.release.rglob("*"):
        if path.is_file():
            assert b"SECRET" not in path.read_bytes()
            assert b"PRIVATE KEY" not in path.read_bytes()
            assert str(released.run.folder).encode() not in path.read_bytes()


def test_the_content_digest_is_over_model_data_and_evaluation(released):
    provenance = json.loads((released.release / "provenance.intoto.jsonl").read_bytes())
    stated = {entry["name"]: entry["digest"]["sha256"] for entry in provenance["predicate"]["runDetails"]["byproducts"]}
    before = content_digest(released.release)

    assert stated["content"] == before == verify(released.release, public_key=released.public_key).content_digest
    (released.release / "README.md").write_text("Other words.")
    assert content_digest(released.release) == before
    (released.release / "model" / "config.json").write_text("{}")
    assert content_digest(released.release) != before


def test_the_same_weights_give_the_same_content_under_any_key(tmp_path):
    one, two = make_release(tmp_path / "one"), make_release(tmp_path / "two")

    assert content_digest(one.release) == content_digest(two.release)
    assert (one.release / "model.sig").read_bytes() != (two.release / "model.sig").read_bytes()


def test_a_finished_release_stays_as_it_is(released):
    before = {path: (released.release / path).stat().st_mtime_ns for path in FILES}

    result = build_release(released.run, released.documents, released.keys)

    assert {path: (released.release / path).stat().st_mtime_ns for path in FILES} == before
    assert result.counts["num_files"] == len(FILES)


def test_a_gate_that_fails_stops_the_release_with_its_numbers(tmp_path):
    run = make_run(tmp_path, leak_rate=0.0625)
    documents, keys = make_documents(run), ensure_key(tmp_path / "keys")

    with pytest.raises(
        GateFailed, match=r"1 of 2 gates failed.*pii_leak_rate is 0.0625 \(n = 272\), allowed is at most 0"
    ):
        build_release(run, documents, keys)

    assert not (tmp_path / "release" / "out").exists()
    assert not (tmp_path / "release" / "scratch").exists()


def test_a_gate_that_only_says_it_passed_is_decided_again(tmp_path):
    run = make_run(tmp_path, leak_rate=0.0625)
    results = run.evaluation / "results.json"
    results.write_text(
        results.read_text().replace('"passed": false', '"passed": true').replace('"passed":false', '"passed":true')
    )

    with pytest.raises(GateFailed, match="pii_leak_rate"):
        check_gates(results)


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\x00", b"[" * 100_000, b'{"suite": 1}'])
def test_unreadable_results_stop_the_release(made, content):
    run, documents, keys = made
    (run.evaluation / "results.json").write_bytes(content)

    with pytest.raises(BadOutput, match=r"results\.json cannot be used"):
        build_release(run, documents, keys)


@pytest.mark.parametrize(
    ("stage", "path"),
    [
        ("train", "train/out/model/model.safetensors"),
        ("train", "train/out/model/config.json"),
        ("evaluate", "evaluate/out/report.html"),
    ],
)
def test_an_output_changed_since_its_stage_ended_is_refused(made, stage, path):
    run, documents, keys = made
    with (run.folder / path).open("ab") as file:
        file.write(b"x")

    with pytest.raises(OutputChanged, match=f"the record of {stage} says") as refused:
        build_release(run, documents, keys)

    assert f"after {stage} ended" in refused.value.hint
    assert not (run.folder / "release" / "out" / "release").exists()


@pytest.mark.parametrize("name", ["pytorch_model.bin", "optimizer.pt", "modeling.py", "run.sh", "noext"])
def test_a_model_with_files_that_can_hold_code_is_refused(made, name):
    run, documents, keys = made
    (run.train / "model" / name).write_bytes(b"x")

    with pytest.raises(BadOutput, match=name):
        build_release(run, documents, keys)


def test_a_link_out_of_the_model_folder_is_refused(made, tmp_path):
    run, documents, keys = made
    (run.train / "model" / "merges.txt").symlink_to("/etc/hostname")

    with pytest.raises(BadOutput, match=r"merges\.txt"):
        build_release(run, documents, keys)


@pytest.mark.parametrize(
    "path", ["train/out/model/model.safetensors", "evaluate/out/report.html", "document/out/README.md"]
)
def test_a_missing_output_is_named(made, path):
    run, documents, keys = made
    (run.folder / path).unlink()

    with pytest.raises(BadOutput, match=Path(path).name):
        build_release(run, documents, keys)


def test_without_a_key_nothing_is_released(made):
    run, documents, keys = made
    keys.private.unlink()

    with pytest.raises(BadKey, match="no key file"):
        build_release(run, documents, keys)
    assert not (run.folder / "release" / "out" / "release").exists()


def test_a_wish_to_stop_is_heard_and_the_next_start_ends_the_same(made):
    run, documents, keys = made

    class Stopping(type(run.progress())):
        def report(self, *, done, total, unit, message="", values=None):
            self.stopping = done >= 3

    interrupted = type("Interruptible", (), {})()
    for name in ("data", "train", "evaluation", "records", "folder"):
        setattr(interrupted, name, getattr(run, name))
    interrupted.progress = lambda: Stopping(run.folder / "progress.ndjson", stage="release")

    with pytest.raises(Interrupted):
        build_release(interrupted, documents, keys)
    assert not (run.folder / "release" / "out" / "release").exists()
    build_release(run, documents, keys)
    assert verify(run.folder / "release" / "out" / "release", public_key=keys.public).ok


_KILLED = """
import sys
from pathlib import Path
from fucina.compute.record import Progress
from fucina.trust.keys import KeyPair
from tests.trust.synthetic import Run, build_release, record_of
Progress.report = lambda self, **values: print(values["message"], flush=True)
folder = Path(sys.argv[1])
outs = {name: folder / name / "out" for name in ("prepare", "train", "evaluate", "document")}
records = {name: record_of(name, outs[name]) for name in ("prepare", "train", "evaluate")}
run = Run(data=outs["prepare"], train=outs["train"], evaluation=outs["evaluate"], records=records, folder=folder)
build_release(run, outs["document"], KeyPair(folder / "keys" / "factory.key", folder / "keys" / "factory.pub"))
"""


@pytest.mark.slow
@pytest.mark.parametrize("at", ["README.md", "model/model.safetensors", "signing", "released"])
def test_killed_at_any_moment_it_ends_with_the_same_content(made, released_elsewhere, at):
    run, documents, keys = made
    root = Path(__file__).parent.parent.parent
    command = [sys.executable, "-c", _KILLED, str(run.folder)]
    environment = {**os.environ, "PYTHONPATH": f"{root}:{root / 'src'}"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as child:
        for line in child.stdout:
            if line.strip() == at:
                break
        else:
            pytest.fail(f"the child never came to {at}")
        child.kill()
    release = run.folder / "release" / "out" / "release"
    if release.exists():
        assert verify(release, public_key=keys.public).ok

    build_release(run, documents, keys)

    assert content_digest(release) == released_elsewhere
    assert verify(release, public_key=keys.public).ok


@pytest.fixture(scope="module")
def released_elsewhere(tmp_path_factory) -> str:
    """The content digest of a release that nobody disturbed."""
    return content_digest(make_release(tmp_path_factory.mktemp("elsewhere")).release)
