"""Descriptions as DCAT-AP 3.0.1, and as HealthDCAT-AP where a description has terms of health, in JSON-LD.

Concepts of authority tables carry their type and label, so that a file can be validated without asking anybody.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict

from fucina.data.authority import (
    ACCESS_RIGHTS,
    AUTHORITY,
    FILE_TYPES,
    LANGUAGES,
    LICENCES,
    THEMES,
    access_right,
)
from fucina.data.croissant import licence_url
from fucina.data.dcat_health import health_of, legislation
from fucina.data.dcat_terms import CONTEXT, Node, agent, kind, typed, words
from fucina.data.description import DatasetDescription, FileInfo, Party, Theme

TRAINING_DATA = "urn:fucina:dataset-type:training-data"
"""The EU's table of kinds of datasets has none for what models are trained on."""


class Entry(BaseModel):
    """A description with its place in a catalogue."""

    model_config = ConfigDict(frozen=True)

    described: DatasetDescription
    ref: str
    page: str
    """Absolute address of its page."""
    downloads: dict[str, str] = {}
    """Absolute address of each file that can be downloaded without leave, by path."""


class CatalogueHead(BaseModel):
    """What a catalogue says of itself."""

    model_config = ConfigDict(frozen=True)

    url: str
    """Absolute address of the catalogue, which is its name too."""
    title: str
    description: str
    publisher: Party
    page: str
    changed_on: date | None = None


def catalogue_of(head: CatalogueHead, entries: Iterable[Entry], *, more: Sequence[Node] = ()) -> dict[str, Any]:
    """A catalogue with its datasets; `more` are further nodes, such as those of paging."""
    rows = list(entries)
    languages = sorted({code for row in rows for code in row.described.languages if code in LANGUAGES})
    catalogue: Node = {
        "@id": head.url,
        "@type": "dcat:Catalog",
        "dct:title": words(head.title),
        "dct:description": words(head.description),
        "dct:publisher": agent(head.publisher),
        "foaf:homepage": typed(head.page, "foaf:Document"),
        "dct:language": [_language(code) for code in languages or ["en"]],
        "dcat:themeTaxonomy": {
            **typed(f"{AUTHORITY}/data-theme", "skos:ConceptScheme"),
            "dct:title": words("Data theme"),
        },
        "dcat:dataset": [{"@id": _iri(row)} for row in rows],
    }
    if head.changed_on:
        catalogue["dct:modified"] = _day(head.changed_on)
    if any(row.described.health for row in rows):
        catalogue["dcatap:applicableLegislation"] = legislation()
    return {"@context": CONTEXT, "@graph": [catalogue, *(dataset_of(row) for row in rows), *more]}


def dataset_of(entry: Entry) -> Node:
    """One dataset with its distributions."""
    described = entry.described
    right = access_right(described.access, described.sensitivity)
    found: Node = {
        "@id": _iri(entry),
        "@type": "dcat:Dataset",
        "dct:title": words(described.title),
        "dct:description": words(described.description),
        "dct:identifier": entry.ref,
        "dct:publisher": agent(described.publisher),
        "dcat:contactPoint": kind(described.contact or described.publisher, page=entry.page),
        "dcat:landingPage": typed(entry.page, "foaf:Document"),
        "dct:accessRights": {
            **typed(f"{AUTHORITY}/access-right/{right}", "dct:RightsStatement", "skos:Concept"),
            "skos:prefLabel": words(ACCESS_RIGHTS[right]),
        },
        "dcat:version": str(described.version),
        "dct:provenance": {"@type": "dct:ProvenanceStatement", "rdfs:label": words(_provenance(described))},
        "dct:type": {
            **typed(TRAINING_DATA, "skos:Concept"),
            "skos:prefLabel": words("Data for training language models"),
        },
        "dcat:distribution": [_distribution(entry, file) for file in described.files_of("documents")]
        or [_whole(entry)],
    }
    optional: Node = {
        "dcat:keyword": [words(word) for word in described.keywords],
        "dct:language": [_language(code) for code in described.languages if code in LANGUAGES],
        "dcat:theme": [_theme(theme) for theme in described.themes],
        "dct:issued": _day(described.issued_on),
        "dct:modified": _day(described.changed_on),
        "adms:versionNotes": words(described.notes) if described.notes else None,
    }
    found.update({name: value for name, value in optional.items() if value})
    if described.health is not None:
        found.update(health_of(described, described.health, page=entry.page))
    return found


def _iri(entry: Entry) -> str:
    return f"{entry.page}#dataset"


def _provenance(described: DatasetDescription) -> str:
    if described.provenance:
        return described.provenance
    sources = described.files_of("source")
    origins = sorted({file.origin or file.path for file in sources})
    told = "; ".join(origins[:20]) + (f"; and {len(origins) - 20} more" if len(origins) > 20 else "")
    return f"Prepared from {len(sources)} files: {told}." if sources else "No record says what it was made from."


def _distribution(entry: Entry, file: FileInfo) -> Node:
    found = _whole(entry)
    found |= {
        "@id": f"{entry.page}#file-{quote(file.path, safe='')}",
        "dct:title": words(file.path),
        "dcat:byteSize": {"@value": str(file.num_bytes), "@type": "xsd:nonNegativeInteger"},
        "spdx:checksum": {
            "@type": "spdx:Checksum",
            "spdx:algorithm": typed("http://spdx.org/rdf/terms#checksumAlgorithm_sha256", "spdx:ChecksumAlgorithm"),
            "spdx:checksumValue": {"@value": file.sha256, "@type": "xsd:hexBinary"},
        },
        "dct:format": {
            **typed(f"{AUTHORITY}/file-type/{FILE_TYPES.get(file.media_type, 'OCTET')}", "dct:MediaTypeOrExtent"),
        },
        "dcat:mediaType": typed(f"http://www.iana.org/assignments/media-types/{file.media_type}", "dct:MediaType"),
    }
    if file.path in entry.downloads:
        found["dcat:downloadURL"] = typed(entry.downloads[file.path], "rdfs:Resource")
    return found


def _whole(entry: Entry) -> Node:
    """A distribution that says where to ask; for a dataset of which no file is told."""
    described = entry.described
    found: Node = {
        "@id": f"{entry.page}#distribution",
        "@type": "dcat:Distribution",
        "dct:title": words(described.title),
        "dcat:accessURL": typed(entry.page, "rdfs:Resource"),
        "dct:license": _licence(described),
    }
    if described.health is not None:
        found["dcatap:applicableLegislation"] = legislation()
    return found


def _licence(described: DatasetDescription) -> Node:
    """One document: a distribution has one licence, and several are told together."""
    if len(described.licences) == 1:
        licence = described.licences[0]
        url = LICENCES.get(licence, licence_url(licence))
        if url.startswith("http") and " " not in url:
            return {**typed(url, "dct:LicenseDocument"), "dct:title": words(licence)}
    told = " AND ".join(described.licences) or "No licence is recorded"
    return {"@type": "dct:LicenseDocument", "dct:title": words(told)}


def _language(code: str) -> Node:
    iri = f"{AUTHORITY}/language/{LANGUAGES[code]}"
    return {**typed(iri, "dct:LinguisticSystem", "skos:Concept"), "skos:prefLabel": words(LANGUAGES[code])}


def _theme(theme: Theme) -> Node:
    return {**typed(f"{AUTHORITY}/data-theme/{theme}", "skos:Concept"), "skos:prefLabel": words(THEMES[theme])}


def _day(day: date | None) -> Node | None:
    return {"@value": day.isoformat(), "@type": "xsd:date"} if day else None
