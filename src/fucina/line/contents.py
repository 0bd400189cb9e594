"""What the documents of a release say, held against its files and its rule set. Reads JSON only, and never much."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fucina.errors import BadInput
from fucina.trust.gates import decide
from fucina.trust.recipe import Dossier, DossierItem, EvaluationResults, GateResult, Standing
from fucina.trust.ruleset import load_ruleset
from fucina.trust.tree import Finding, content_digest_of
from fucina.units import format_bytes

REQUIRED = (
    "README.md",
    "data/croissant.json",
    "data/datasheet.md",
    "dossier/dossier.json",
    "dossier/dossier.pdf",
    "evaluation/report.html",
    "evaluation/results.json",
    "ml-bom.cdx.json",
    "model.sig",
    "model/config.json",
    "model/model.safetensors",
    "model/tokenizer.json",
    "provenance.intoto.jsonl",
)
WEIGHTS = "model/model.safetensors"
MAX_DOCUMENT_BYTES = 64 << 20
_SHA256 = re.compile(r"^[0-9a-f]{64}$")


class _Digest(BaseModel):
    model_config = ConfigDict(frozen=True)

    sha256: str = Field(pattern=_SHA256.pattern)


class _Annotations(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    block_bytes: int = Field(alias="blockBytes", gt=0, le=1 << 30)
    digests: tuple[str, ...] = Field(alias="blockSha256")


class _Subject(BaseModel):
    model_config = ConfigDict(frozen=True)

    name: str = ""
    digest: _Digest
    annotations: _Annotations | None = None


class _RunDetails(BaseModel):
    model_config = ConfigDict(frozen=True)

    byproducts: tuple[_Subject, ...]


class _BuildDefinition(BaseModel):
    model_config = ConfigDict(frozen=True)

    external_parameters: dict[str, str] = Field(alias="externalParameters")


class _Predicate(BaseModel):
    model_config = ConfigDict(frozen=True)

    build_definition: _BuildDefinition = Field(alias="buildDefinition")
    run_details: _RunDetails = Field(alias="runDetails")


class _Provenance(BaseModel):
    model_config = ConfigDict(frozen=True)

    type: str = Field(alias="_type", pattern="^https://in-toto.io/Statement/v1$")
    predicate_type: str = Field(alias="predicateType", pattern="^https://slsa.dev/provenance/v1$")
    subject: tuple[_Subject, ...]
    predicate: _Predicate


@dataclass(slots=True, kw_only=True)
class Contents:
    """What the documents say; grows while they are read."""

    folder: Path
    sizes: Mapping[str, int]
    digests: Mapping[str, str]
    findings: list[Finding] = field(default_factory=list)
    gates: tuple[GateResult, ...] = ()
    subjects: dict[str, str] = field(default_factory=dict)
    blocks: dict[str, _Annotations] = field(default_factory=dict)
    project: str = ""
    organisation: str = ""
    num_open: int = 0

    def add(self, path: str, code: str, message: str) -> None:
        """One more finding."""
        self.findings.append(Finding(path=path, code=code, message=message))

    def read(self, path: str) -> bytes | None:
        """A document's bytes; None, with a finding, where it cannot be one."""
        size = self.sizes.get(path)
        if size is None or path not in self.digests:
            return None
        if size > MAX_DOCUMENT_BYTES:
            limit = format_bytes(MAX_DOCUMENT_BYTES)
            self.add(path, "too_large", f"The document has {format_bytes(size)}; at most {limit} are read.")
            return None
        try:
            return (self.folder / path).read_bytes()
        except OSError as error:
            self.add(path, "unreadable", f"It cannot be read: {error.strerror}.")
            return None

    def read_object(self, path: str) -> dict[str, Any] | None:
        """A JSON object; None, with a finding, where it is none."""
        data = self.read(path)
        if data is None:
            return None
        try:
            value = json.loads(data)
        except (ValueError, RecursionError) as error:
            self.add(path, "not_readable_json", f"It is not JSON: {_short(error)}.")
            return None
        if not isinstance(value, dict):
            self.add(path, "not_readable_json", "It holds no JSON object.")
            return None
        return value


def check_documents(folder: Path, *, sizes: Mapping[str, int], digests: Mapping[str, str]) -> Contents:
    """Read every document of a release and hold it against the digests of the files."""
    contents = Contents(folder=folder, sizes=sizes, digests=digests)
    for path in REQUIRED:
        if path not in sizes:
            contents.add(path, "missing", "A release has this file.")
    _check_evaluation(contents)
    _check_dossier(contents)
    _check_croissant(contents)
    _check_bom(contents)
    _check_provenance(contents)
    return contents


def _check_evaluation(contents: Contents) -> None:
    path = "evaluation/results.json"
    data = contents.read(path)
    if data is None:
        return
    try:
        results = EvaluationResults.model_validate_json(data)
        gates = decide({gate.metric: gate.limit for gate in results.gates}, results.metrics)
    except (ValidationError, BadInput) as error:
        contents.add(path, "bad_document", f"These are no evaluation results: {_short(error)}.")
        return
    contents.gates = gates
    if gates != results.gates:
        contents.add(path, "gate_not_as_measured", "The gates do not follow from the measured numbers.")
    for gate in gates:
        if not gate.passed:
            limit = f"{'at most' if gate.direction == 'at_most' else 'at least'} {gate.limit:g}"
            contents.add(path, "gate_failed", f"{gate.metric} is {gate.measured:.4g}, allowed is {limit}.")
    if WEIGHTS in contents.digests and results.model_sha256 != contents.digests[WEIGHTS]:
        contents.add(
            path, "other_model", f"It is about weights {results.model_sha256[:16]}, not about those in {WEIGHTS}."
        )


def _check_dossier(contents: Contents) -> None:
    path = "dossier/dossier.json"
    data = contents.read(path)
    if data is not None:
        try:
            dossier = Dossier.model_validate_json(data)
        except ValidationError as error:
            contents.add(path, "bad_document", f"This is no dossier: {_short(error)}.")
        else:
            contents.num_open = dossier.num_open
            _check_items(contents, path, dossier)
    pdf = contents.read("dossier/dossier.pdf")
    if pdf is not None and not pdf.startswith(b"%PDF-"):
        contents.add("dossier/dossier.pdf", "bad_document", "This is no PDF.")


def _check_items(contents: Contents, path: str, dossier: Dossier) -> None:
    try:
        rules = load_ruleset(dossier.ruleset)
    except BadInput as error:
        contents.add(path, "unknown_ruleset", error.message)
        return
    asked = [rule.id for rule in rules.items]
    given = [item.id for item in dossier.items]
    for item_id in asked:
        if given.count(item_id) != 1:
            contents.add(
                path,
                "dossier_incomplete",
                f"{rules.ruleset} asks for {item_id}; it is there {given.count(item_id)} times.",
            )
    for item_id in sorted(set(given) - set(asked)):
        contents.add(path, "dossier_unknown_item", f"{rules.ruleset} has no item {item_id}.")
    for item in dossier.items:
        _check_item(contents, path, item)
    weights = contents.digests.get(WEIGHTS)
    if weights is not None and dossier.facts.get("model_sha256") != weights:
        contents.add(path, "other_model", f"It is about other weights than those in {WEIGHTS}.")


def _check_item(contents: Contents, path: str, item: DossierItem) -> None:
    if item.standing is Standing.OPEN and not item.question:
        contents.add(path, "dossier_incomplete", f"{item.id} is open and asks nothing.")
    if item.standing is not Standing.OPEN and not (item.evidence and item.text):
        contents.add(path, "dossier_incomplete", f"{item.id} is {item.standing} by nothing.")
    for evidence in item.evidence:
        if ":" not in evidence and evidence not in REQUIRED and evidence not in contents.sizes:
            contents.add(path, "evidence_missing", f"{item.id} rests on {evidence}, which is not there.")


def _check_croissant(contents: Contents) -> None:
    path = "data/croissant.json"
    metadata = contents.read_object(path)
    if metadata is None:
        return
    problems = list(_croissant_problems(metadata))
    if problems:
        contents.add(path, "bad_document", f"The Croissant metadata is broken: {problems[0]}.")


def _croissant_problems(metadata: dict[str, Any]) -> list[str]:
    problems = []
    if metadata.get("@type") != "sc:Dataset" or not isinstance(metadata.get("@context"), dict):
        problems.append("it describes no data set")
    if not str(metadata.get("conformsTo", "")).startswith("http://mlcommons.org/croissant/"):
        problems.append("it names no version of Croissant")
    if not (isinstance(metadata.get("name"), str) and metadata["name"]):
        problems.append("the data set has no name")
    files, sets = metadata.get("distribution"), metadata.get("recordSet")
    if not isinstance(files, list) or not isinstance(sets, list):
        return [*problems, "it lists no files or no records"]
    known = set()
    for file in files:
        if not isinstance(file, dict) or not _SHA256.match(str(file.get("sha256", ""))):
            problems.append("a file has no SHA-256")
        else:
            known.add(str(file.get("@id")))
    for record_set in sets:
        fields = record_set.get("field") if isinstance(record_set, dict) else None
        for entry in fields if isinstance(fields, list) else [None]:
            if _source_of(entry) not in known:
                problems.append("a field has no file that it comes from")
    return problems


def _source_of(entry: object) -> str:
    for key in ("source", "fileObject", "@id"):
        entry = entry.get(key) if isinstance(entry, dict) else None
    return str(entry)


def _check_bom(contents: Contents) -> None:
    path = "ml-bom.cdx.json"
    bom = contents.read_object(path)
    if bom is None:
        return
    metadata = bom.get("metadata")
    model = metadata.get("component") if isinstance(metadata, dict) else None
    components = bom.get("components")
    if bom.get("bomFormat") != "CycloneDX" or not isinstance(model, dict) or not isinstance(components, list):
        contents.add(path, "bad_document", "This is no CycloneDX bill of materials of a model.")
        return
    if not isinstance(model.get("modelCard"), dict):
        contents.add(path, "bad_document", "The bill of materials has no model card.")
    named = {str(part.get("name")): _sha256_of(part) for part in components if isinstance(part, dict)}
    if WEIGHTS in contents.digests and _sha256_of(model) != contents.digests[WEIGHTS]:
        contents.add(path, "other_model", f"It is about other weights than those in {WEIGHTS}.")
    for file, digest in contents.digests.items():
        if file.startswith("model/") and named.get(file) != digest:
            contents.add(path, "other_model", f"It does not list {file} as it is.")


def _sha256_of(component: dict[str, Any]) -> str:
    hashes = component.get("hashes")
    for entry in hashes if isinstance(hashes, list) else []:
        if isinstance(entry, dict) and entry.get("alg") == "SHA-256":
            return str(entry.get("content"))
    return ""


def _check_provenance(contents: Contents) -> None:
    path = "provenance.intoto.jsonl"
    data = contents.read(path)
    if data is None:
        return
    try:
        provenance = _Provenance.model_validate_json(data)
    except ValidationError as error:
        contents.add(path, "bad_document", f"This is no provenance statement: {_short(error)}.")
        return
    parameters = provenance.predicate.build_definition.external_parameters
    contents.project, contents.organisation = parameters.get("project", ""), parameters.get("organisation", "")
    contents.subjects = {subject.name: subject.digest.sha256 for subject in provenance.subject}
    contents.blocks = {subject.name: subject.annotations for subject in provenance.subject if subject.annotations}
    for file in sorted(contents.subjects.keys() | contents.digests.keys() - {path, "model.sig"}):
        if contents.subjects.get(file) != contents.digests.get(file):
            contents.add(file, "not_as_built", "It is not what the provenance says was built.")
    stated = {part.name: part.digest.sha256 for part in provenance.predicate.run_details.byproducts}
    if stated.get("content") != content_digest_of(contents.subjects):
        contents.add(path, "bad_document", "Its content digest does not follow from its own files.")


def _short(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(str(part) for part in first['loc']) or 'the document'}: {first['msg']}"
    return str(error) or type(error).__name__
