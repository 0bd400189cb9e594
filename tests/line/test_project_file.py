"""Faults of a project file, each with its line, its field and what to do."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fucina.line.project_file import MAX_BYTES, BadProjectFile, load_project
from fucina.line.spec import ProjectSpec

GOOD = """\
name: norme-chiare
organisation: Officine Esempio
purpose: Drafts plain-language summaries of regulations
data:
  sources: [{path: corpora/it/*.jsonl, licence: CC-BY-4.0}]
train: {size: 3M, tokens: 12M}
"""


def project(tmp_path, text):
    path = tmp_path / "project.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_the_example_loads(example):
    assert load_project(example / "project.yaml").name == "penna-nuova"


def test_every_field_that_is_left_out_has_a_default(tmp_path):
    spec = load_project(project(tmp_path, GOOD))
    assert spec.train.tokens == 12_000_000
    assert spec.evaluate.gates == {"pii_leak_rate": 0.0, "memorised_share": 0.01}
    assert ProjectSpec.model_validate_json(spec.model_dump_json()) == spec


def test_a_byte_order_mark_does_no_harm(tmp_path):
    assert load_project(project(tmp_path, b"\xef\xbb\xbf" + GOOD.encode())).name == "norme-chiare"


@pytest.mark.parametrize(
    ("change", "said", "hint"),
    [
        (("train:", "trian:"), r"line 6, trian: unknown key", "'train'"),
        (("size: 3M", "sizes: 3M"), r"line 6, train\.sizes: unknown key", "'size'"),
        (("size: 3M", "size: 5X"), r"line 6, train\.size: There is no model size '5X'", "1M"),
        (("tokens: 12M", "tokens: lots"), r"line 6, train\.tokens: .*'lots'", ""),
        (("name: norme-chiare", "name: Norme Chiare"), r"line 1, name:", ""),
        (("name: norme-chiare\n", ""), r"name: missing", "Add `name:`"),
        (("licence: CC-BY-4.0", "origin: x"), r"line 5, data\.sources\.0\.licence: missing", "licence"),
        (("[{path: corpora/it/*.jsonl, licence: CC-BY-4.0}]", "[]"), r"line 5, data\.sources", ""),
        (
            ("train:", "evaluate: {gates: {beauty: 1}}\ntrain:"),
            r"line 6, evaluate\.gates: there is no gate 'beauty'",
            "",
        ),
        (("train:", "compute: {gpu_hours: -1}\ntrain:"), r"line 6, compute\.gpu_hours", ""),
        (("train:", "data: 3\ntrain:"), r"data", ""),
        (("purpose: Drafts", "purpose: [Drafts"), r"line \d", "YAML"),
    ],
)
def test_a_fault_has_its_line_and_its_field(tmp_path, change, said, hint):
    path = project(tmp_path, GOOD.replace(*change))
    with pytest.raises(BadProjectFile, match=said) as caught:
        load_project(path)
    assert hint in caught.value.hint
    assert caught.value.hint


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0\1\2",
        "name: é".encode("latin-1"),
        GOOD.encode("utf-16"),
        b"- a\n- b",
        b"just words",
        b"a: &a [*a]",
        b"!!python/object/apply:os.system ['true']",
        b"{" * 5000,
        b"x" * (MAX_BYTES + 1),
        b"name: 1\nname: 2",
        b"2026-13-45: x",
    ],
)
def test_what_is_no_project_file_is_refused(tmp_path, content):
    with pytest.raises(BadProjectFile):
        load_project(project(tmp_path, content))


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(BadProjectFile, match="no file"):
        load_project(tmp_path / "project.yaml")
    with pytest.raises(BadProjectFile, match="directory"):
        load_project(tmp_path)


@settings(max_examples=60, deadline=None)
@given(data=st.binary(max_size=400))
def test_no_bytes_at_all_give_anything_but_a_project_or_a_message(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(data)
    with pytest.raises(BadProjectFile):
        load_project(path)
