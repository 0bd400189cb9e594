"""The `release` stage: the bundle that leaves the factory and stands alone."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from fucina.compute.record import Progress, StageRecord, StageResult
from fucina.errors import BadInput, WrongState
from fucina.line.digests import sha256_json
from fucina.line.stage import ReleaseRecipe
from fucina.trust.gates import decide
from fucina.trust.provenance import PROVENANCE_FILE, write_provenance
from fucina.trust.recipe import EvaluationResults, GateResult
from fucina.trust.sign import sign_folder
from fucina.trust.tree import BLOCK_BYTES, block_bytes_for, block_digests, content_digest_of, sha256_of, walk

RELEASE = "release"
DOCUMENTS = (
    "README.md",
    "data/croissant.json",
    "data/dataset.json",
    "data/datasheet.md",
    "dossier/dossier.json",
    "dossier/dossier.pdf",
    "ml-bom.cdx.json",
)
EVALUATION = ("results.json", "report.html")
MODEL_SUFFIXES = frozenset({".json", ".jinja", ".md", ".model", ".safetensors", ".txt"})
"""Files that a model may consist of; none of them can hold code that loading would run."""


class GateFailed(WrongState):
    """A measured number does not keep its limit; the model is not released."""

    code = "gate_failed"


class OutputChanged(WrongState):
    """An earlier stage's output is not the one that its record names."""

    code = "output_changed"


class BadOutput(BadInput):
    """An earlier stage left something that cannot be released."""

    code = "bad_output"


def build(
    recipe: ReleaseRecipe,
    *,
    records: dict[str, StageRecord],
    data: Path,
    train: Path,
    evaluation: Path,
    documents: Path,
    out: Path,
    scratch: Path,
    signing_key: Path,
    progress: Progress,
) -> StageResult:
    """Assemble, attest and sign `out/release`; a finished one stays as it is.

    `data` is not read: nothing of the documents themselves leaves the site.
    Raises GateFailed, OutputChanged, BadOutput, BadKey, KeyExposed.
    """
    release = out / RELEASE
    if not release.is_dir():
        check_gates(evaluation / "results.json")
        plan = _plan(train=train, evaluation=evaluation, documents=documents)
        partial = scratch / RELEASE
        shutil.rmtree(partial, ignore_errors=True)
        total = len(plan) + 2
        for done, (path, source) in enumerate(plan.items()):
            progress.raise_if_stopping()
            progress.report(done=done, total=total, unit="files", message=path)
            _copy(source, partial / path)
        digests = {path: sha256_of(partial / path) for path in plan}
        _check_against_records(digests, records)
        _attest(recipe, partial, records=records, digests=digests)
        progress.report(done=total - 1, total=total, unit="files", message="signing")
        sign_folder(partial, private_key=signing_key)
        _sync(partial)
        out.mkdir(parents=True, exist_ok=True)
        partial.replace(release)
    sizes = walk(release).sizes
    progress.report(done=len(sizes), total=len(sizes), unit="files", message="released")
    return StageResult(counts={"num_files": len(sizes), "num_bytes": sum(sizes.values())})


def content_digest(release: Path) -> str:
    """One digest for what is the same for the same weights: the model, its data's description and its evaluation."""
    return content_digest_of({path: sha256_of(release / path) for path in walk(release).sizes})


def check_gates(results_file: Path) -> tuple[GateResult, ...]:
    """Decide every gate again from the measured numbers. Raises GateFailed, BadOutput."""
    try:
        results = EvaluationResults.model_validate_json(results_file.read_bytes())
        gates = decide({gate.metric: gate.limit for gate in results.gates}, results.metrics)
    except (OSError, ValidationError, BadInput) as error:
        raise BadOutput(f"{results_file.name} cannot be used: {error}", hint="Run the evaluate stage again.") from error
    failed = [gate for gate in gates if not gate.passed]
    if failed:
        words = "; ".join(_words(gate) for gate in failed)
        raise GateFailed(
            f"{len(failed)} of {len(gates)} gates failed, so nothing is released: {words}.",
            hint="Improve the data or the training, or change evaluate.gates in the project file, and run again.",
        )
    return gates


def _words(gate: GateResult) -> str:
    if not gate.n:
        return f"{gate.metric} was measured on nothing, its limit is {gate.limit:g}"
    limit = f"{'at most' if gate.direction == 'at_most' else 'at least'} {gate.limit:g}"
    return f"{gate.metric} is {gate.measured:.4g} (n = {gate.n:,}), allowed is {limit}"


def _plan(*, train: Path, evaluation: Path, documents: Path) -> dict[str, Path]:
    """Where each file of the bundle comes from. Raises BadOutput."""
    tree = walk(train / "model")
    if tree.findings:
        raise BadOutput(
            f"The model folder cannot be released: {tree.findings[0].path}: {tree.findings[0].message}",
            hint="Run the train stage again.",
        )
    model = {f"model/{path}": train / "model" / path for path in tree.sizes}
    for path in model:
        if Path(path).suffix not in MODEL_SUFFIXES:
            raise BadOutput(
                f"{path} has no place in a release: a model is safetensors, its configuration and tokenizer.",
                hint=f"Allowed are: {', '.join(sorted(MODEL_SUFFIXES))}.",
            )
    plan = {
        **model,
        **{f"evaluation/{name}": evaluation / name for name in EVALUATION},
        **{name: documents / name for name in DOCUMENTS},
    }
    missing = [path for path, source in plan.items() if not source.is_file() or source.is_symlink()]
    if missing or "model/model.safetensors" not in model:
        raise BadOutput(
            f"Missing for the release: {', '.join(missing) or 'model/model.safetensors'}.",
            hint="Run the earlier stages again.",
        )
    return dict(sorted(plan.items()))


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(0o644)


def _check_against_records(digests: Mapping[str, str], records: Mapping[str, StageRecord]) -> None:
    """Every file must be the one that its stage recorded. Raises OutputChanged."""
    for path, digest in digests.items():
        if path.startswith("model/"):
            stage, name = "train", path
        elif path.startswith("evaluation/"):
            stage, name = "evaluate", path.removeprefix("evaluation/")
        else:
            stage, name = "document", path
        recorded = records[stage].outputs.get(name) if stage in records else None
        if recorded != digest:
            raise OutputChanged(
                f"{path} has SHA-256 {digest[:16]}; the record of {stage} says {str(recorded)[:16]}.",
                hint=f"Someone changed it after {stage} ended. Run that stage again.",
            )


def _attest(
    recipe: ReleaseRecipe, folder: Path, *, records: Mapping[str, StageRecord], digests: Mapping[str, str]
) -> None:
    blocks = {}
    for path in digests:
        size = (folder / path).stat().st_size
        if size > BLOCK_BYTES:
            block_bytes = block_bytes_for(size)
            blocks[path] = (block_bytes, block_digests(folder / path, block_bytes=block_bytes))
    statement = write_provenance(
        parameters={"project": recipe.project, "organisation": recipe.organisation},
        run=recipe.run,
        records=records,
        record_digests={stage: sha256_json(record.model_dump(mode="json")) for stage, record in records.items()},
        subjects=digests,
        blocks=blocks,
        content_digest=content_digest_of(dict(digests)),
    )
    (folder / PROVENANCE_FILE).write_bytes(statement)


def _sync(folder: Path) -> None:
    """Bring every file to the disk before the bundle gets its name."""
    for path in walk(folder).sizes:
        with (folder / path).open("rb") as file:
            os.fsync(file.fileno())
