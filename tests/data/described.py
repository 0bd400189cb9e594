"""A description as `prepare` and `publish` make it: made up, complete, the same every time."""

from datetime import date
from typing import Any

from fucina.data.description import (
    Access,
    Column,
    Curation,
    DatasetDescription,
    FileInfo,
    HealthTerms,
    Party,
    Sensitivity,
    Share,
    Theme,
)

COLUMNS = (Column(name="id", type="text"), Column(name="text", type="text"), Column(name="num_tokens", type="integer"))
HEALTH = HealthTerms(
    categories=("http://healthdataportal.eu/resource/authority/healthcategories/EHRS",),
    access_body=Party(name="An access body", country="IT", email="hdab@example.org"),
    purpose="Research on summaries of discharge letters",
    legal_basis="GDPR, article 9(2)(j)",
    num_individuals=1200,
    min_age=18,
    max_age=99,
    population="Adults of one region",
)


def curation(**changes: Any) -> Curation:
    fields: dict[str, Any] = {
        "num_records": 1000,
        "num_broken": 10,
        "num_documents": 900,
        "broken": {"not-text": 10},
        "drops": {"exact-duplicate": 50, "near-duplicate": 20, "too-short": 20},
        "num_exact_duplicates": 50,
        "num_near_duplicates": 20,
        "near_duplicate_threshold": 0.8,
        "duplicates_dropped": True,
        "redactions": {"email": 31, "iban": 2},
        "num_canaries": 16,
        "num_canaries_redacted": 16,
        "languages": {"it": Share(num_documents=700), "en": Share(num_documents=200)},
        "licences": {"CC-BY-4.0": Share(num_documents=900)},
        "sources": {"leggi.jsonl": Share(num_documents=900)},
        "train": Share(num_documents=870, num_characters=870_000, num_tokens=217_500),
        "validation": Share(num_documents=30, num_characters=30_000, num_tokens=7_500),
    }
    return Curation.model_validate(fields | changes)


def described(**changes: Any) -> DatasetDescription:
    fields: dict[str, Any] = {
        "name": "leggi-chiare",
        "title": "Plain laws",
        "description": "Laws of three regions with plain-language summaries, for training language models.",
        "publisher": Party(name="Officine Esempio", country="IT", url="https://officine.example"),
        "contact": Party(name="Data desk", email="dati@officine.example"),
        "licences": ("CC-BY-4.0",),
        "languages": ("en", "it"),
        "themes": (Theme.GOVE, Theme.JUST),
        "keywords": ("law", "plain language"),
        "access": Access.REQUEST,
        "sensitivity": Sensitivity.INTERNAL,
        "issued_on": date(2026, 11, 20),
        "changed_on": date(2026, 11, 20),
        "digest": "d" * 64,
        "files": (
            FileInfo(path="leggi.jsonl", sha256="a" * 64, num_bytes=1234, role="source", licence="CC-BY-4.0"),
            FileInfo(
                path="train.parquet",
                sha256="b" * 64,
                num_bytes=870_000,
                media_type="application/vnd.apache.parquet",
                num_rows=870,
                columns=COLUMNS,
            ),
            FileInfo(
                path="validation.parquet",
                sha256="c" * 64,
                num_bytes=30_000,
                media_type="application/vnd.apache.parquet",
                num_rows=30,
                columns=COLUMNS,
            ),
        ),
        "curation": curation(),
    }
    return DatasetDescription.model_validate(fields | changes)
