import json

import pytest
from google.protobuf import json_format
from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement

from fucina.trust.provenance import write_provenance
from tests.trust.synthetic import make_run


@pytest.fixture
def statement(tmp_path):
    run = make_run(tmp_path)
    return write_provenance(
        parameters={"project": "norme-chiare", "organisation": "Officine Esempio"},
        run="run-1",
        records=run.records,
        record_digests={"train": "d" * 64},
        subjects={"model/model.safetensors": "e" * 64, "README.md": "f" * 64},
        blocks={"model/model.safetensors": (1048576, ("0" * 64, "1" * 64))},
        content_digest="9" * 64,
    )


def test_it_is_one_line_that_the_library_accepts(statement):
    assert statement.count(b"\n") == 1
    parsed = json_format.ParseDict(json.loads(statement), statement_pb2.Statement())

    Statement.copy_from_pb(parsed).validate()
    json_format.ParseDict(json.loads(statement)["predicate"], provenance_pb2.Provenance())


def test_it_says_who_built_what_from_which_digests(statement):
    content = json.loads(statement)
    definition, details = content["predicate"]["buildDefinition"], content["predicate"]["runDetails"]

    assert [subject["name"] for subject in content["subject"]] == ["README.md", "model/model.safetensors"]
    materials = {entry["name"]: entry["digest"]["sha256"] for entry in definition["resolvedDependencies"]}
    assert materials["source:corpora/it/leggi.jsonl"] == "a" * 64
    assert materials["train/recipe"] == "1" * 64
    assert details["metadata"]["invocationId"] == "run-1"
    assert {entry["name"]: entry["digest"]["sha256"] for entry in details["byproducts"]} == {
        "record/train": "d" * 64,
        "content": "9" * 64,
    }


def test_blocks_of_large_files_are_named(statement):
    subject = json.loads(statement)["subject"][1]

    assert subject["annotations"] == {"blockBytes": "1048576", "blockSha256": ["0" * 64, "1" * 64]}
