import json
import re

import pytest
from pydantic import TypeAdapter

from fucina.trust.dossier import write_dossier
from fucina.trust.evidence import gather
from fucina.trust.typeset import template_data, write_pdf
from tests.trust.synthetic import ENDED_AT, RECIPE, make_run


def evidence_of(run, recipe=RECIPE):
    return gather(recipe, records=run.records, data=run.data, train=run.train, evaluation=run.evaluation)


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path)


def test_two_builds_are_identical_and_dated_by_the_training(run):
    evidence = evidence_of(run)
    dossier = write_dossier(evidence)

    pdf = write_pdf(evidence, dossier)

    assert pdf.startswith(b"%PDF-")
    assert pdf == write_pdf(evidence, dossier)
    assert re.search(rb"D:20261120", pdf)


@pytest.mark.parametrize(
    "words",
    [
        "#panic() $x$ *bold* _under_ `raw` @ref <label> \\ // comment",
        '"quoted" #import "@preview/x:0.1.0": *',
        "Ελληνικά, български, čeština, Gaeilge, ελιά",
        "x" * 4000,
        "line\nbreak\ttab\u2028separator",
    ],
)
def test_words_of_the_organisation_are_printed_and_never_run(run, words):
    evidence = evidence_of(run, RECIPE.model_copy(update={"purpose": words, "organisation": words[:200]}))

    assert write_pdf(evidence, write_dossier(evidence)).startswith(b"%PDF-")


def test_a_run_with_nothing_known_is_typeset_too(run):
    (run.data / "card.json").unlink()
    (run.train / "summary.json").unlink()
    evidence = evidence_of(run, RECIPE.model_copy(update={"contact": "", "sector": "", "accelerator": ""}))

    assert write_pdf(evidence, write_dossier(evidence)).startswith(b"%PDF-")


def test_the_template_gets_plain_values_only(run):
    evidence = evidence_of(run)
    data = template_data(evidence, write_dossier(evidence), ENDED_AT)

    assert json.loads(json.dumps(data, allow_nan=False)) == TypeAdapter(dict).validate_python(data)
    assert sum(data["counts"].values()) == sum(len(part["items"]) for part in data["parts"])
