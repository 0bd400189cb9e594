"""The badge and the drift: numbers of records, nothing guessed."""

import math

import pytest

from fucina.data.description import FileInfo, Share
from fucina.data.drift import drift
from fucina.data.readiness import Criterion, faults_of, readiness
from tests.data.described import curation, described


def marks(num_verified=2, **changes):
    return {mark.criterion: mark for mark in readiness(described(**changes), num_verified=num_verified)}


def test_what_every_record_shows_is_ready():
    found = marks()

    assert all(mark.met for mark in found.values())
    assert "50 exact and 20 near" in found[Criterion.DEDUPLICATED].evidence
    assert "16 of 16" in found[Criterion.REDACTED].evidence


UNLICENSED = FileInfo(path="x", sha256="1" * 64, num_bytes=1, role="source", licence="unknown")


@pytest.mark.parametrize(
    ("criterion", "changes", "words"),
    [
        (Criterion.DOCUMENTED, {"description": "Laws."}, "a description of"),
        (Criterion.DOCUMENTED, {"files": ()}, "its files"),
        (Criterion.DOCUMENTED, {"languages": ()}, "its languages"),
        (Criterion.LICENSED, {"licences": ()}, "No licence"),
        (Criterion.LICENSED, {"files": (UNLICENSED,)}, "1 of its sources"),
        (Criterion.DEDUPLICATED, {"curation": None}, "No record"),
        (Criterion.DEDUPLICATED, {"curation": curation(duplicates_dropped=False)}, "were kept"),
        (Criterion.DEDUPLICATED, {"curation": curation(duplicates_dropped=None)}, "no record tells"),
        (Criterion.REDACTED, {"curation": curation(num_canaries_redacted=15)}, "15 of 16"),
        (Criterion.REDACTED, {"curation": curation(num_canaries=0, num_canaries_redacted=0)}, "No planted"),
        (Criterion.VALIDATED, {"curation": None}, "No record"),
        (Criterion.VALIDATED, {"curation": curation(num_records=5)}, "accounted for"),
        (Criterion.VALIDATED, {"num_verified": 1}, "1 of 2"),
        (Criterion.VALIDATED, {"num_verified": None}, "0 of 2"),
    ],
)
def test_what_no_record_shows_is_not_met(criterion, changes, words):
    mark = marks(**changes)[criterion]

    assert not mark.met
    assert words in mark.evidence


@pytest.mark.parametrize(
    "changes",
    [
        {"num_documents": 901},
        {"train": Share(num_documents=871)},
        {"languages": {"it": Share(num_documents=899)}},
        {"licences": {"MIT": Share(num_documents=901)}},
    ],
)
def test_numbers_that_contradict_each_other_are_found(changes):
    assert faults_of(described()) == []
    assert faults_of(described(curation=curation(**changes)))


def test_drift_is_zero_for_the_same_and_counts_what_moved():
    same = curation()
    assert {found.index for found in drift(same, same)} == {0.0}
    moved = curation(languages={"it": Share(num_documents=350), "en": Share(num_documents=550)})

    languages = next(found for found in drift(same, moved) if found.of == "languages")

    expected = (350 / 900 - 700 / 900) * math.log(350 / 700) + (550 / 900 - 200 / 900) * math.log(550 / 200)
    assert languages.index == pytest.approx(expected, abs=1e-6)
    assert languages.verdict == "large"
    assert {shift.name for shift in languages.shifts} == {"it", "en"}


def test_a_language_that_is_new_or_gone_gives_a_finite_index():
    before = curation(languages={"it": Share(num_documents=900)})
    after = curation(languages={"fr": Share(num_documents=900)})

    languages = next(found for found in drift(before, after) if found.of == "languages")

    assert 0 < languages.index < 100
    assert languages.verdict == "large"


def test_what_neither_version_has_is_left_out():
    empty = curation(redactions={}, licences={})

    assert not {"redactions", "licences"} & {found.of for found in drift(empty, empty)}
