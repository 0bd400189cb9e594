"""The badge "AI-ready": five questions of a description, each answered with its evidence or with what is missing."""

from collections.abc import Callable
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from fucina.data.croissant import NO_IDENTIFIERS
from fucina.data.description import DatasetDescription

MIN_DESCRIPTION_CHARACTERS = 40
NO_LICENCE = NO_IDENTIFIERS - {"public-domain", "proprietary"} | {"", "none", "noassertion"}
"""Words that state no licence."""


class Criterion(StrEnum):
    """What data must be, to be trained on with good conscience."""

    DOCUMENTED = "documented"
    LICENSED = "licensed"
    DEDUPLICATED = "deduplicated"
    REDACTED = "redacted"
    VALIDATED = "validated"


class Mark(BaseModel):
    """One criterion with its evidence, or with what is missing."""

    model_config = ConfigDict(frozen=True)

    criterion: Criterion
    met: bool
    evidence: str


def readiness(described: DatasetDescription, *, num_verified: int | None = None) -> tuple[Mark, ...]:
    """All five; `num_verified` files of the documents arrived with the digest that is described, None where none did.

    Only what a record shows counts: a criterion without a record is not met.
    """
    questions: tuple[tuple[Criterion, Callable[[], tuple[bool, str]]], ...] = (
        (Criterion.DOCUMENTED, lambda: _documented(described)),
        (Criterion.LICENSED, lambda: _licensed(described)),
        (Criterion.DEDUPLICATED, lambda: _deduplicated(described)),
        (Criterion.REDACTED, lambda: _redacted(described)),
        (Criterion.VALIDATED, lambda: _validated(described, num_verified)),
    )
    marks = []
    for criterion, answer in questions:
        met, evidence = answer()
        marks.append(Mark(criterion=criterion, met=met, evidence=evidence))
    return tuple(marks)


def _documented(described: DatasetDescription) -> tuple[bool, str]:
    documents = described.files_of("documents")
    missing = [
        word
        for word, there in (
            (f"a description of {MIN_DESCRIPTION_CHARACTERS} characters", _is_long(described.description)),
            ("its languages", bool(described.languages)),
            ("its files", bool(documents)),
            ("the columns of its tables", all(file.columns for file in documents)),
            ("the files that it was made from", bool(described.files_of("source"))),
        )
        if not there
    ]
    if missing:
        return False, f"Missing: {', '.join(missing)}."
    sources = len(described.files_of("source"))
    return True, f"{len(documents)} files with digest and columns, made from {sources} named files."


def _is_long(text: str) -> bool:
    return len(" ".join(text.split())) >= MIN_DESCRIPTION_CHARACTERS


def _licensed(described: DatasetDescription) -> tuple[bool, str]:
    silent = [file.path for file in described.files_of("source") if file.licence.strip().lower() in NO_LICENCE]
    if silent:
        return False, f"{len(silent)} of its sources state no licence, {silent[0]} first."
    named = [licence for licence in described.licences if licence.strip().lower() not in NO_LICENCE]
    if not named:
        return False, "No licence is stated."
    return True, f"Stated: {', '.join(named)}."


def _deduplicated(described: DatasetDescription) -> tuple[bool, str]:
    found = described.curation
    if found is None:
        return False, "No record of a search for duplicates."
    told = (
        f"{found.num_exact_duplicates} exact and {found.num_near_duplicates} near duplicates found at a similarity of "
        f"{found.near_duplicate_threshold:g}"
    )
    if found.duplicates_dropped is None:
        return False, f"{told}; no record tells whether they were dropped."
    if not found.duplicates_dropped:
        return False, f"{told}; documents that are alike were kept."
    return True, f"{told} and dropped."


def _redacted(described: DatasetDescription) -> tuple[bool, str]:
    found = described.curation
    if found is None or not found.num_canaries:
        return False, "No planted record shows that redaction works."
    told = f"{found.num_canaries_redacted} of {found.num_canaries} planted records were found and redacted"
    values = sum(found.redactions.values())
    return found.num_canaries_redacted == found.num_canaries, f"{told}, with {values} values of the documents."


def _validated(described: DatasetDescription, num_verified: int | None) -> tuple[bool, str]:
    if faults := faults_of(described):
        return False, faults[0]
    documents = described.files_of("documents")
    if num_verified is None or num_verified < len(documents) or not documents:
        return False, f"{num_verified or 0} of {len(documents)} files were received and compared with their digest."
    return True, f"{len(documents)} files were received with the digest that is described; the numbers add up."


def faults_of(described: DatasetDescription) -> list[str]:
    """Where the numbers of a description contradict each other."""
    found = described.curation
    if found is None:
        return ["No record of how it was curated."]
    faults = []
    kept = found.train.num_documents + found.validation.num_documents
    if kept != found.num_documents:
        faults.append(f"The splits hold {kept} documents; {found.num_documents} were kept.")
    accounted = found.num_broken + sum(found.drops.values()) + found.num_documents
    if accounted != found.num_records:
        faults.append(f"{found.num_records} records were read; {accounted} are accounted for.")
    rows = [file.num_rows for file in described.files_of("documents") if file.num_rows is not None]
    if rows and sum(rows) != found.num_documents:
        faults.append(f"The files hold {sum(rows)} documents; {found.num_documents} were kept.")
    for name, parts in (("languages", found.languages), ("licences", found.licences)):
        num = sum(part.num_documents for part in parts.values())
        if parts and num != found.num_documents:
            faults.append(f"The {name} add up to {num} documents; {found.num_documents} were kept.")
    return faults
