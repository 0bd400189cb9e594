"""What the model was trained on, as Croissant metadata with its terms for responsible AI."""

import re
import warnings
from collections.abc import Mapping
from typing import Any

import mlcroissant
import pyarrow.parquet

from fucina.errors import BadInput
from fucina.trust.evidence import Evidence

CROISSANT_FILE = "data/croissant.json"
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
_TYPES = {
    "string": "sc:Text",
    "large_string": "sc:Text",
    "double": "sc:Float",
    "float": "sc:Float",
    "bool": "sc:Boolean",
}


class CroissantRefused(BadInput):
    """The validator found errors in the metadata."""

    code = "croissant_refused"


def write_croissant(evidence: Evidence) -> dict[str, Any]:
    """The metadata of the prepared documents, which themselves stay with the organisation. Holds no time."""
    recipe = evidence.recipe
    licences = sorted(evidence.card.licences) if evidence.card else []
    metadata = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": f"{recipe.project}-documents",
        "description": _description(evidence),
        "version": "1.0.0",
        "license": [licence_url(licence) for licence in licences] or ["see the data sheet"],
        "url": f"urn:sha256:{_data_id(evidence)}",
        "citeAs": f"{recipe.organisation}: documents of {recipe.project}",
        "creator": {"@type": "sc:Organization", "name": recipe.organisation},
        "inLanguage": sorted(evidence.card.languages) if evidence.card else list(recipe.languages),
        "keywords": ["language model", "training data", *([recipe.sector] if recipe.sector else [])],
        **_responsible_ai(evidence),
        "distribution": [*_source_files(evidence), *_document_files(evidence)],
        "recordSet": _record_sets(evidence),
    }
    return metadata


def check_croissant(metadata: Mapping[str, Any]) -> None:
    """Raises CroissantRefused with the validator's words unless the metadata has no error."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            read = mlcroissant.Metadata.from_json(ctx=mlcroissant.Context(), json_=dict(metadata))
    except mlcroissant.ValidationError as error:
        raise CroissantRefused(
            f"The data set's metadata is refused: {error}", hint="Report this as a defect."
        ) from error
    if errors := read.ctx.issues.errors:
        raise CroissantRefused(f"The data set's metadata is refused: {errors}", hint="Report this as a defect.")


def licence_url(licence: str) -> str:
    """Where an SPDX identifier is explained; other words as they are."""
    is_identifier = _SPDX.match(licence) and licence not in {"public-domain", "proprietary", "unknown"}
    return f"https://spdx.org/licenses/{licence}.html" if is_identifier else licence


def _data_id(evidence: Evidence) -> str:
    return evidence.results.data_sha256


def _description(evidence: Evidence) -> str:
    words = evidence.words
    return (
        f"Documents that the model of project {evidence.recipe.project} was trained and tested on: "
        f"{words('num_documents')} documents, {words('num_dataset_tokens')} tokens, in {words('languages')}. "
        "The documents themselves are not part of the release; each file is named with its digest."
    )


def _responsible_ai(evidence: Evidence) -> dict[str, Any]:
    card = evidence.card
    if card is None:
        return {}
    redacted = ", ".join(f"{count} {kind}" for kind, count in sorted(card.redactions.items())) or "none found"
    drops = ", ".join(f"{reason} {count}" for reason, count in sorted((card.broken | card.drops).items()))
    return {
        "rai:dataCollection": "Files that the organisation supplied: " + "; ".join(sorted(_origins(evidence))),
        "rai:dataCollectionType": ["Existing datasets"],
        "rai:dataPreprocessingProtocol": [
            "Unicode normalisation, language identification and rules of quality.",
            f"Exact, near duplicates dropped: {card.num_exact_duplicates} and {card.num_near_duplicates}; near means "
            f"a Jaccard similarity of word 5-grams of {card.near_duplicate_threshold:g} or more.",
            f"Dropped by reason: {drops or 'nothing'}.",
            "Split by document into training and validation.",
        ],
        "rai:personalSensitiveInformation": [
            f"Found and redacted by pattern: {redacted}.",
            f"{card.num_canaries} synthetic personal records were planted; {card.num_canaries_redacted} were found.",
            "Names and indirect identifiers are not detected.",
        ],
        "rai:dataLimitations": [
            "Rules of quality and language identification err in both directions.",
            "Whether the documents represent the people and the setting of use was not measured.",
        ],
        "rai:dataBiases": ["Not examined: no record of this run measures bias in the documents."],
        "rai:dataUseCases": [
            f"Training and validation of one language model. Stated purpose: {evidence.recipe.purpose}"
        ],
    }


def _origins(evidence: Evidence) -> set[str]:
    card = evidence.card
    return {f"{source.origin or source.name} ({source.licence})" for source in card.sources} if card else set()


def _source_files(evidence: Evidence) -> list[dict[str, Any]]:
    if evidence.card is None:
        return []
    return [
        {
            "@type": "cr:FileObject",
            "@id": f"source-{index}",
            "name": source.name,
            "description": f"As supplied; licence {source.licence}. {source.origin}".strip(),
            "contentUrl": source.name,
            "contentSize": f"{source.num_bytes} B",
            "encodingFormat": "application/octet-stream",
            "sha256": source.sha256,
        }
        for index, source in enumerate(evidence.card.sources)
    ]


def _document_files(evidence: Evidence) -> list[dict[str, Any]]:
    return [
        {
            "@type": "cr:FileObject",
            "@id": _file_id(path),
            "name": path,
            "description": "Prepared documents; kept by the organisation.",
            "contentUrl": path,
            "contentSize": f"{(evidence.data / path).stat().st_size} B",
            "encodingFormat": "application/vnd.apache.parquet",
            "sha256": digest,
        }
        for path, digest in sorted(evidence.data_files.items())
    ]


def _file_id(path: str) -> str:
    return "documents-" + re.sub(r"[^A-Za-z0-9]+", "-", path.removesuffix(".parquet"))


def _record_sets(evidence: Evidence) -> list[dict[str, Any]]:
    sets = []
    for path in sorted(evidence.data_files):
        name = _file_id(path)
        schema = pyarrow.parquet.read_schema(evidence.data / path)
        fields = [
            {
                "@type": "cr:Field",
                "@id": f"{name}-records/{column.name}",
                "name": column.name,
                "description": f"Column {column.name}.",
                "dataType": _TYPES.get(str(column.type), "sc:Integer" if "int" in str(column.type) else "sc:Text"),
                "source": {"fileObject": {"@id": name}, "extract": {"column": column.name}},
            }
            for column in schema
        ]
        sets.append(
            {
                "@type": "cr:RecordSet",
                "@id": f"{name}-records",
                "name": f"{name}-records",
                "description": f"One record for each document in {path}.",
                "field": fields,
            }
        )
    return sets
