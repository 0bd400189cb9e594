"""What the model was trained on: its description, and from that Croissant metadata with terms for responsible AI."""

import re
import warnings
from collections.abc import Mapping
from typing import Any

import mlcroissant

from fucina.data.croissant import croissant_of, licence_url
from fucina.data.description import DatasetDescription, Party, curation_of, sources_of
from fucina.data.tabular import table_info
from fucina.errors import BadInput
from fucina.trust.evidence import Evidence

CROISSANT_FILE = "data/croissant.json"
_CODE = re.compile(r"^[a-z]{2,3}$")

__all__ = ["CROISSANT_FILE", "CroissantRefused", "check_croissant", "describe", "licence_url", "write_croissant"]


class CroissantRefused(BadInput):
    """The validator found errors in the metadata."""

    code = "croissant_refused"


def describe(evidence: Evidence) -> DatasetDescription:
    """The prepared documents, which themselves stay with the organisation. Holds no time."""
    recipe, card = evidence.recipe, evidence.card
    licences = sorted(card.licences) if card else []
    return DatasetDescription(
        name=f"{recipe.project}-documents"[:63],
        title=f"documents of {recipe.project}",
        description=_description(evidence),
        purpose=recipe.purpose,
        publisher=Party(name=recipe.organisation),
        licences=tuple(licences),
        languages=tuple(code for code in (sorted(card.languages) if card else recipe.languages) if _CODE.match(code)),
        keywords=("language model", "training data", *([recipe.sector] if recipe.sector else [])),
        digest=evidence.results.data_sha256 or None,
        files=(
            *(sources_of(card) if card else ()),
            *(
                table_info(evidence.data / path, name=path, sha256=digest)
                for path, digest in sorted(evidence.data_files.items())
            ),
        ),
        curation=curation_of(card) if card else None,
    )


def write_croissant(evidence: Evidence) -> dict[str, Any]:
    """The metadata of the prepared documents."""
    return croissant_of(describe(evidence))


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


def _description(evidence: Evidence) -> str:
    words = evidence.words
    return (
        f"Documents that the model of project {evidence.recipe.project} was trained and tested on: "
        f"{words('num_documents')} documents, {words('num_dataset_tokens')} tokens, in {words('languages')}. "
        "The documents themselves are not part of the release; each file is named with its digest."
    )
