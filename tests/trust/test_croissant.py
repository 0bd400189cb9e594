import copy
import json

import mlcroissant
import pytest

from fucina.data.croissant import croissant_of
from fucina.trust.croissant import CroissantRefused, check_croissant, licence_url, write_croissant
from fucina.trust.evidence import gather
from tests.data.described import HEALTH, described
from tests.trust.synthetic import RECIPE, make_documents, make_run


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path)


@pytest.fixture
def metadata(run):
    evidence = gather(RECIPE, records=run.records, data=run.data, train=run.train, evaluation=run.evaluation)
    return write_croissant(evidence)


@pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated:DeprecationWarning")
def test_the_validator_accepts_the_file(run):
    dataset = mlcroissant.Dataset(make_documents(run) / "data" / "croissant.json")

    assert not dataset.metadata.ctx.issues.errors
    assert [record_set.uuid for record_set in dataset.metadata.record_sets] == [
        "documents-train-records",
        "documents-validation-records",
    ]
    assert dataset.metadata.personal_sensitive_information
    assert dataset.metadata.data_limitations


def test_every_file_is_named_with_its_digest(run, metadata):
    by_name = {file["name"]: file["sha256"] for file in metadata["distribution"]}

    assert by_name["train.parquet"] == run.records["prepare"].outputs["train.parquet"]
    assert by_name["corpora/it/leggi.jsonl"] == "a" * 64
    assert not any("private" in name for name in by_name)


def test_columns_become_fields_with_their_types(metadata):
    fields = {field["name"]: field["dataType"] for field in metadata["recordSet"][0]["field"]}

    assert fields == {"id": "sc:Text", "text": "sc:Text", "language": "sc:Text", "num_tokens": "sc:Integer"}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data["recordSet"][0]["field"][0]["source"]["fileObject"].update({"@id": "nowhere"}),
        lambda data: data["distribution"][0].pop("contentUrl"),
        lambda data: data["recordSet"][0]["field"][0].pop("dataType"),
    ],
)
def test_broken_metadata_is_refused(metadata, spoil):
    broken = copy.deepcopy(metadata)
    spoil(broken)

    with pytest.raises(CroissantRefused):
        check_croissant(broken)


def test_it_is_plain_json(metadata):
    assert json.loads(json.dumps(metadata, allow_nan=False)) == metadata


@pytest.mark.parametrize(
    ("licence", "url"),
    [
        ("CC-BY-4.0", "https://spdx.org/licenses/CC-BY-4.0.html"),
        ("public-domain", "public-domain"),
        ("Used with leave of the author", "Used with leave of the author"),
        ("MIT OR Apache-2.0", "MIT OR Apache-2.0"),
    ],
)
def test_licences_are_linked_where_a_page_explains_them(licence, url):
    assert licence_url(licence) == url


@pytest.mark.parametrize(
    "changes",
    [{}, {"curation": None}, {"files": ()}, {"licences": (), "keywords": (), "languages": ()}, {"health": HEALTH}],
)
def test_any_description_is_accepted_by_the_validator(changes):
    check_croissant(croissant_of(described(**changes)))
