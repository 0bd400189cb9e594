import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fucina.line.verify import NotARelease, VerifyReport, verify
from fucina.trust.keys import BadKey
from fucina.trust.sign import sign_folder
from tests.trust.synthetic import Released, make_release


@pytest.fixture(scope="module")
def original(tmp_path_factory) -> Released:
    return make_release(tmp_path_factory.mktemp("original"))


@pytest.fixture(scope="module")
def sandbox(original, tmp_path_factory) -> Path:
    """One copy that a property test changes and mends again."""
    return Path(shutil.copytree(original.release, tmp_path_factory.mktemp("sandbox") / "release"))


@pytest.fixture
def release(original, tmp_path) -> Path:
    return Path(shutil.copytree(original.release, tmp_path / "release"))


@pytest.fixture(scope="module")
def files(original) -> list[str]:
    found = (path for path in original.release.rglob("*") if path.is_file())
    return sorted(path.relative_to(original.release).as_posix() for path in found)


def codes(report: VerifyReport) -> set[tuple[str, str]]:
    return {(finding.path, finding.code) for finding in report.findings}


def culprits(report: VerifyReport) -> set[str]:
    return {finding.path for finding in report.findings}


def resign(release: Path, original: Released) -> VerifyReport:
    """Sign anew what was changed: whoever holds the key must still not pass off a broken release."""
    (release / "model.sig").unlink(missing_ok=True)
    sign_folder(release, private_key=original.keys.private)
    return verify(release, public_key=original.public_key)


@settings(
    max_examples=200, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(choice=st.data())
def test_any_changed_byte_of_any_file_is_refused_and_the_file_named(original, sandbox, files, choice):
    name = choice.draw(st.sampled_from(files))
    good = (sandbox / name).read_bytes()
    position = choice.draw(st.integers(0, len(good) - 1))
    byte = choice.draw(st.integers(0, 255).filter(lambda value: value != good[position]))
    try:
        (sandbox / name).write_bytes(good[:position] + bytes([byte]) + good[position + 1 :])
        report = verify(sandbox, public_key=original.public_key)
    finally:
        (sandbox / name).write_bytes(good)

    assert not report.ok
    assert name in culprits(report)
    assert {finding.path for finding in report.findings if finding.code == "changed"} <= {name}


@settings(
    max_examples=100, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(choice=st.data())
def test_any_other_content_of_any_file_is_refused_and_the_file_named(original, sandbox, files, choice):
    name = choice.draw(st.sampled_from(files))
    good = (sandbox / name).read_bytes()
    cut = choice.draw(st.integers(0, len(good)))
    new = good[:cut] + choice.draw(st.binary(max_size=40)) + choice.draw(st.sampled_from([b"", good[cut:]]))
    try:
        (sandbox / name).write_bytes(new)
        report = verify(sandbox, public_key=original.public_key)
    finally:
        (sandbox / name).write_bytes(good)

    assert report.ok == (new == good)
    assert new == good or name in culprits(report)


def test_one_byte_more_on_each_file_is_refused(original, release, files):
    for name in files:
        with (release / name).open("ab") as file:
            file.write(b"x")
        assert name in culprits(verify(release, public_key=original.public_key))
        with (release / name).open("rb+") as file:
            file.truncate((release / name).stat().st_size - 1)
    assert verify(release, public_key=original.public_key).ok


def test_each_missing_file_is_named_and_no_other(original, release, files):
    for name in files:
        (release / name).rename(release.parent / "aside")
        assert codes(verify(release, public_key=original.public_key)) == {(name, "missing")}
        (release.parent / "aside").rename(release / name)


@pytest.mark.parametrize(
    "name", ["extra", ".hidden", ".gitignore", "model/.gitattributes", "model/x.safetensors", ".git/x"]
)
def test_an_added_file_is_named(original, release, name):
    (release / name).parent.mkdir(exist_ok=True)
    (release / name).write_bytes(b"")

    assert (name, "added") in codes(verify(release, public_key=original.public_key))


def test_added_folders_and_links_are_named(original, release, tmp_path):
    (release / "data" / "empty").mkdir()
    (release / "model" / "link").symlink_to(release / "README.md")
    os.mkfifo(release / "pipe")

    report = verify(release, public_key=original.public_key)

    assert codes(report) == {("data/empty", "empty_folder"), ("model/link", "symlink"), ("pipe", "special_file")}


def test_a_signature_of_another_release_is_named(original, release, tmp_path):
    other = make_release(tmp_path / "other", seed=2, keys=original.keys)
    shutil.copy(other.release / "model.sig", release / "model.sig")

    report = verify(release, public_key=original.public_key)

    assert ("model.sig", "other_release") in codes(report)


def test_a_signature_by_another_key_is_named(original, release, tmp_path):
    other = make_release(tmp_path / "other")
    (release / "model.sig").unlink()
    sign_folder(release, private_key=other.keys.private)

    assert codes(verify(release, public_key=original.public_key)) == {("model.sig", "other_key")}
    assert codes(verify(original.release, public_key=other.public_key)) == {("model.sig", "other_key")}


def test_weights_of_another_release_are_named(original, release, tmp_path):
    other = make_release(tmp_path / "other", seed=2, keys=original.keys)
    shutil.copytree(other.release / "model", release / "model", dirs_exist_ok=True)

    assert ("model/model.safetensors", "changed") in codes(verify(release, public_key=original.public_key))
    report = resign(release, original)
    assert {
        ("dossier/dossier.json", "other_model"),
        ("evaluation/results.json", "other_model"),
        ("ml-bom.cdx.json", "other_model"),
        ("model/model.safetensors", "not_as_built"),
    } <= codes(report)


def edit(path: Path, change) -> None:
    content = json.loads(path.read_bytes())
    change(content)
    path.write_text(json.dumps(content, indent=1))


def test_an_edited_number_is_named_even_when_signed_anew(original, release):
    path = release / "evaluation" / "results.json"
    edit(path, lambda content: content["metrics"][1].update(value=0.0001))

    report = resign(release, original)

    assert ("evaluation/results.json", "gate_not_as_measured") in codes(report)
    assert ("evaluation/results.json", "not_as_built") in codes(report)


def test_a_gate_is_decided_again_from_the_numbers(original, release):
    path = release / "evaluation" / "results.json"
    edit(path, lambda content: content["metrics"][0].update(value=0.25))

    report = resign(release, original)

    assert ("evaluation/results.json", "gate_failed") in codes(report)
    failed = [gate for gate in report.gates if not gate.passed]
    assert [(gate.metric, gate.measured) for gate in failed] == [("pii_leak_rate", 0.25)]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda dossier: dossier["items"].pop(7), "asks for"),
        (lambda dossier: dossier["items"].append(dossier["items"][0]), "2 times"),
        (lambda dossier: dossier["items"][0].update(question=""), "asks nothing"),
        (lambda dossier: dossier["items"][0].update(standing="evidenced"), "by nothing"),
        (lambda dossier: dossier["items"][4].update(evidence=["nowhere.txt"]), "nowhere.txt"),
        (lambda dossier: dossier["items"][0].update(id="annex-x"), "has no item annex-x"),
        (lambda dossier: dossier.update(ruleset="eu-ai-act/1999-01-01"), "no rule set"),
        (lambda dossier: dossier.update(ruleset="../../secret"), "no rule set"),
        (lambda dossier: dossier.pop("items"), "no dossier"),
        (lambda dossier: dossier["facts"].update(model_sha256="0" * 64), "other weights"),
    ],
)
def test_an_incomplete_dossier_is_named_even_when_signed_anew(original, release, change, word):
    edit(release / "dossier" / "dossier.json", change)

    report = resign(release, original)

    assert any(finding.path == "dossier/dossier.json" and word in finding.message for finding in report.findings)


def test_each_missing_document_is_named_even_when_signed_anew(original, release, files):
    for name in files:
        if name != "model.sig":
            (release / name).rename(release.parent / "aside")
            # Releases from before the description was kept stay valid; one that had it may not lose it.
            code = "not_as_built" if name == "data/dataset.json" else "missing"
            assert (name, code) in codes(resign(release, original))
            (release.parent / "aside").rename(release / name)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("data/croissant.json", lambda content: content.pop("conformsTo")),
        ("data/croissant.json", lambda content: content["distribution"][0].pop("sha256")),
        ("data/croissant.json", lambda content: content["distribution"].pop()),
        ("data/croissant.json", lambda content: content.update(recordSet=7)),
        ("data/croissant.json", lambda content: content.update(distribution=[None])),
        ("data/croissant.json", lambda content: content["recordSet"].append([])),
        ("ml-bom.cdx.json", lambda content: content.update(metadata=[])),
        ("ml-bom.cdx.json", lambda content: content.update(components={})),
        ("ml-bom.cdx.json", lambda content: content["metadata"]["component"].pop("modelCard")),
        ("ml-bom.cdx.json", lambda content: content["metadata"]["component"].update(hashes=["x", 1])),
        ("provenance.intoto.jsonl", lambda content: content.pop("subject")),
        ("provenance.intoto.jsonl", lambda content: content["subject"].pop()),
        ("provenance.intoto.jsonl", lambda content: content["predicate"]["runDetails"].update(byproducts=[])),
        ("evaluation/results.json", lambda content: content["gates"][0].update(metric="nonsense")),
    ],
)
def test_a_broken_document_is_found_even_when_signed_anew(original, release, name, change):
    edit(release / name, change)

    report = resign(release, original)

    assert not report.ok
    assert {finding.code for finding in report.findings if finding.path == name} - {"not_as_built"} or any(
        finding.code == "not_as_built" for finding in report.findings
    )


def test_a_subject_that_is_not_as_built_is_named(original, release):
    edit(release / "provenance.intoto.jsonl", lambda content: content["subject"][0]["digest"].update(sha256="0" * 64))

    assert ("README.md", "not_as_built") in codes(resign(release, original))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00" * 1000,
        b"\xff\xfe\xff",
        b"[" * 200_000,
        b'{"a":' * 100_000,
        b"1" * 10_000,
        b'{"x": NaN}',
        b"[]",
        b"null",
        '{"suite": "ä"}'.encode("utf-16"),
        b'{"model_sha256": "\\ud800"}',
    ],
)
@pytest.mark.parametrize(
    "name",
    [
        "evaluation/results.json",
        "dossier/dossier.json",
        "data/croissant.json",
        "ml-bom.cdx.json",
        "provenance.intoto.jsonl",
    ],
)
def test_no_content_of_a_document_ends_in_a_traceback(original, release, name, content):
    (release / name).write_bytes(content)
    assert name in culprits(verify(release, public_key=original.public_key))
    if content:
        assert name in culprits(resign(release, original))


def test_a_document_too_large_to_read_is_named_and_not_read(original, release):
    with (release / "evaluation" / "results.json").open("r+b") as file:
        file.truncate(200 << 20)

    assert ("evaluation/results.json", "too_large") in codes(verify(release, public_key=original.public_key))


def test_the_part_of_a_large_file_is_named(tmp_path):
    large = make_release(tmp_path, weights=1_000_000)
    weights = large.release / "model" / "model.safetensors"
    with weights.open("r+b") as file:
        file.seek((2 << 20) + 5)
        byte = file.read(1)
        file.seek((2 << 20) + 5)
        file.write(bytes([byte[0] ^ 1]))

    (finding,) = verify(large.release, public_key=large.public_key).findings[:1]

    assert (finding.path, finding.code) == ("model/model.safetensors", "changed")
    assert "1 of 4 blocks differ, between byte 2,097,152 and byte 3,145,727." in finding.message


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_named(original, release):
    (release / "README.md").chmod(0)
    (release / "model").chmod(0)
    try:
        report = verify(release, public_key=original.public_key)
    finally:
        (release / "model").chmod(0o755)

    assert {("README.md", "unreadable"), ("model", "unreadable")} <= codes(report)


def test_what_is_no_folder_is_bad_input(original, tmp_path):
    for path in (tmp_path / "nowhere", original.release / "README.md", Path("a\0b"), tmp_path / ("x" * 300)):
        with pytest.raises(NotARelease):
            verify(path, public_key=original.public_key)
    with pytest.raises(BadKey):
        verify(original.release, public_key=tmp_path / "nowhere")


def test_an_empty_folder_is_no_release(original, tmp_path):
    report = verify(tmp_path, public_key=original.public_key)

    assert not report.ok
    assert ("model.sig", "missing") in codes(report)


def test_the_report_crosses_as_json_whatever_the_names(original, release):
    (release / os.fsdecode(b"bad-\xff-name")).write_text("x")

    report = verify(release, public_key=original.public_key)

    assert VerifyReport.model_validate_json(report.model_dump_json()) == report
    assert not report.ok


def test_a_moved_and_renamed_release_verifies(original, tmp_path):
    elsewhere = Path(shutil.copytree(original.release, tmp_path / "elsewhere" / "v1"))
    (tmp_path / "link").symlink_to(elsewhere)

    assert verify(elsewhere, public_key=original.public_key).ok
    assert verify(tmp_path / "link", public_key=original.public_key).ok


def test_verifying_needs_nothing_heavy():
    code = (
        "import sys, fucina.line.verify; "
        "print([m for m in ('torch', 'transformers', 'numpy', 'model_signing', 'sigstore', 'mlcroissant', 'django') "
        "if m in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
