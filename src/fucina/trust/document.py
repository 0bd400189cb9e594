"""The `document` stage: everything that is written about a model, from the records of the run."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fucina.compute.record import Progress, StageRecord, StageResult
from fucina.data.croissant import croissant_of
from fucina.data.description import DESCRIPTION_FILE
from fucina.trust.bom import BOM_FILE, write_bom
from fucina.trust.croissant import CROISSANT_FILE, check_croissant, describe
from fucina.trust.datasheet import DATASHEET_FILE, write_datasheet
from fucina.trust.dossier import DOSSIER_FILE, write_dossier
from fucina.trust.evidence import gather
from fucina.trust.model_card import MODEL_CARD_FILE, write_model_card
from fucina.trust.recipe import DocumentRecipe, Standing
from fucina.trust.typeset import PDF_FILE, write_pdf


def document(
    recipe: DocumentRecipe,
    *,
    records: dict[str, StageRecord],
    data: Path,
    train: Path,
    evaluation: Path,
    out: Path,
    scratch: Path,
    progress: Progress,
) -> StageResult:
    """Write model card, data sheet, Croissant, bill of materials and dossier into `out`.

    The same records give the same bytes. Raises BadEvidence, UnknownRuleSet, CroissantRefused, NotTypeset.
    """
    total = 7
    progress.report(done=0, total=total, unit="documents", message="reading the records")
    evidence = gather(recipe, records=records, data=data, train=train, evaluation=evaluation)
    dossier = write_dossier(evidence)
    described = describe(evidence)
    croissant = croissant_of(described)
    check_croissant(croissant)
    documents = {
        CROISSANT_FILE: json_bytes(croissant),
        DESCRIPTION_FILE: json_bytes(described.model_dump(mode="json")),
        DATASHEET_FILE: write_datasheet(evidence).encode(),
        DOSSIER_FILE: json_bytes(dossier.model_dump(mode="json")),
        BOM_FILE: json_bytes(write_bom(evidence)),
        MODEL_CARD_FILE: write_model_card(evidence, dossier).encode(),
    }
    progress.raise_if_stopping()
    progress.report(done=len(documents), total=total, unit="documents", message="typesetting the dossier")
    documents[PDF_FILE] = write_pdf(evidence, dossier)
    for name, content in documents.items():
        write_file(out / name, content, scratch=scratch)
    progress.report(done=total, total=total, unit="documents", message=f"{dossier.num_open} questions are open")
    standings = {f"num_{standing}": sum(item.standing is standing for item in dossier.items) for standing in Standing}
    return StageResult(counts={"num_documents": len(documents), "num_items": len(dossier.items), **standings})


def json_bytes(value: Mapping[str, Any]) -> bytes:
    """JSON as every document of a release is written."""
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def write_file(path: Path, content: bytes, *, scratch: Path) -> None:
    """Write a whole file or none; `scratch` is on the same file system."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch.mkdir(parents=True, exist_ok=True)
    temporary = scratch / f"{path.name}.new"
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
