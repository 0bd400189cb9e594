"""A description as Croissant 1.1 metadata, with its terms for responsible AI."""

import re
from collections.abc import Iterable
from typing import Any

from fucina.data.description import Curation, DatasetDescription, FileInfo

CONFORMS_TO = "http://mlcommons.org/croissant/1.1"

CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "prov": "http://www.w3.org/ns/prov#",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "readLines": "cr:readLines",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "sdVersion": "cr:sdVersion",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
    "unArchive": "cr:unArchive",
    "value": "cr:value",
}
"""The context that the vocabulary asks each file to carry."""

_SPDX = re.compile(r"^[A-Za-z0-9.+-]+$")
NO_IDENTIFIERS = frozenset({"public-domain", "proprietary", "unknown"})
"""Single words for a licence that SPDX does not list."""
_TYPES = {"text": "sc:Text", "integer": "sc:Integer", "number": "sc:Float", "boolean": "sc:Boolean"}


def croissant_of(described: DatasetDescription) -> dict[str, Any]:
    """The metadata of a dataset; holds a time only where the description does."""
    sources, documents = described.files_of("source"), described.files_of("documents")
    dates = {"datePublished": described.issued_on, "dateModified": described.changed_on}
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": described.name,
        "description": described.description,
        "version": f"{described.version}.0.0",
        "license": [licence_url(licence) for licence in described.licences] or ["see the data sheet"],
        "url": f"urn:sha256:{described.digest}" if described.digest else f"urn:fucina:dataset:{described.name}",
        "citeAs": f"{described.publisher.name}: {described.title}",
        "creator": {"@type": "sc:Organization", "name": described.publisher.name},
        "inLanguage": list(described.languages),
        "keywords": list(described.keywords),
        **{name: day.isoformat() for name, day in dates.items() if day is not None},
        **(_responsible_ai(described, described.curation) if described.curation else {}),
        "distribution": [
            *(_source(index, file) for index, file in enumerate(sources)),
            *(_documents(file) for file in documents),
        ],
        "recordSet": [_record_set(file) for file in documents if file.columns],
    }


def licence_url(licence: str) -> str:
    """Where an SPDX identifier is explained; other words as they are."""
    is_identifier = _SPDX.match(licence) and licence not in NO_IDENTIFIERS
    return f"https://spdx.org/licenses/{licence}.html" if is_identifier else licence


def _responsible_ai(described: DatasetDescription, curation: Curation) -> dict[str, Any]:
    redacted = ", ".join(f"{count} {kind}" for kind, count in sorted(curation.redactions.items())) or "none found"
    drops = ", ".join(f"{reason} {count}" for reason, count in sorted((curation.broken | curation.drops).items()))
    origins = sorted({f"{file.origin or file.path} ({file.licence})" for file in described.files_of("source")})
    return {
        "rai:dataCollection": "Files that the organisation supplied: " + "; ".join(origins),
        "rai:dataCollectionType": ["Existing datasets"],
        "rai:dataPreprocessingProtocol": [
            "Unicode normalisation, language identification and rules of quality.",
            f"Exact, near duplicates dropped: {curation.num_exact_duplicates} and {curation.num_near_duplicates}; near "
            f"means a Jaccard similarity of word 5-grams of {curation.near_duplicate_threshold:g} or more.",
            f"Dropped by reason: {drops or 'nothing'}.",
            "Split by document into training and validation.",
        ],
        "rai:personalSensitiveInformation": [
            f"Found and redacted by pattern: {redacted}.",
            f"{curation.num_canaries} synthetic personal records were planted; "
            f"{curation.num_canaries_redacted} were found.",
            "Names and indirect identifiers are not detected.",
        ],
        "rai:dataLimitations": [
            "Rules of quality and language identification err in both directions.",
            "Whether the documents represent the people and the setting of use was not measured.",
        ],
        "rai:dataBiases": ["Not examined: no record of this run measures bias in the documents."],
        "rai:dataUseCases": list(_uses(described)),
    }


def _uses(described: DatasetDescription) -> Iterable[str]:
    stated = f" Stated purpose: {described.purpose}" if described.purpose else ""
    yield f"Training and validation of one language model.{stated}" if stated else "Training of language models."


def _source(index: int, file: FileInfo) -> dict[str, Any]:
    told = f"As supplied; licence {file.licence}. {file.origin}".strip()
    return _file_object(f"source-{index}", file, description=told)


def _documents(file: FileInfo) -> dict[str, Any]:
    return _file_object(_file_id(file.path), file, description="Prepared documents; kept by the organisation.")


def _file_object(identifier: str, file: FileInfo, *, description: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": identifier,
        "name": file.path,
        "description": description,
        "contentUrl": file.path,
        "contentSize": f"{file.num_bytes} B",
        "encodingFormat": file.media_type,
        "sha256": file.sha256,
    }


def _file_id(path: str) -> str:
    return "documents-" + re.sub(r"[^A-Za-z0-9]+", "-", path.removesuffix(".parquet"))


def _record_set(file: FileInfo) -> dict[str, Any]:
    name = _file_id(file.path)
    fields = [
        {
            "@type": "cr:Field",
            "@id": f"{name}-records/{column.name}",
            "name": column.name,
            "description": column.description or f"Column {column.name}.",
            "dataType": _TYPES[column.type],
            "source": {"fileObject": {"@id": name}, "extract": {"column": column.name}},
        }
        for column in file.columns
    ]
    return {
        "@type": "cr:RecordSet",
        "@id": f"{name}-records",
        "name": f"{name}-records",
        "description": f"One record for each document in {file.path}.",
        "field": fields,
    }
