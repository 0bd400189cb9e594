"""The bill of materials: the model, its data and its libraries as CycloneDX 1.6."""

import json
import uuid
from typing import Any

from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.contact import OrganizationalEntity
from cyclonedx.model.license import DisjunctiveLicense, LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.spdx import is_expression, is_supported_id
from packageurl import PackageURL

from fucina import __version__
from fucina.trust.evidence import Evidence

BOM_FILE = "ml-bom.cdx.json"
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:fucina:ml-bom")


def write_bom(evidence: Evidence) -> dict[str, Any]:
    """`ml-bom.cdx.json`: its serial number follows from the weights, its time from the end of training."""
    model = _model(evidence)
    bom = Bom(
        serial_number=uuid.uuid5(_NAMESPACE, evidence.results.model_sha256),
        version=1,
    )
    bom.metadata.component = model
    bom.metadata.timestamp = evidence.records["train"].ended_at
    bom.metadata.tools.components.add(
        Component(name="fucina", version=__version__, type=ComponentType.APPLICATION, bom_ref="tool:fucina")
    )
    parts = [*_files(evidence), *_data(evidence), *_libraries(evidence)]
    for part in parts:
        bom.components.add(part)
    bom.register_dependency(model, parts)
    content: dict[str, Any] = json.loads(JsonV1Dot6(bom).output_as_string())
    content["metadata"]["component"]["modelCard"] = _model_card(
        evidence, [part.bom_ref.value for part in _data(evidence)]
    )
    return content


def _licence(words: str) -> DisjunctiveLicense | LicenseExpression:
    if is_supported_id(words):
        return DisjunctiveLicense(id=words)
    return LicenseExpression(words) if is_expression(words) else DisjunctiveLicense(name=words)


def _sha256(digest: str) -> HashType:
    return HashType(alg=HashAlgorithm.SHA_256, content=digest)


def _model(evidence: Evidence) -> Component:
    recipe = evidence.recipe
    return Component(
        name=recipe.project,
        version=evidence.results.model_sha256[:16],
        type=ComponentType.MACHINE_LEARNING_MODEL,
        bom_ref="model",
        description=recipe.purpose,
        supplier=OrganizationalEntity(name=recipe.organisation),
        licenses=[_licence(recipe.licence)],
        hashes=[_sha256(evidence.results.model_sha256)],
    )


def _files(evidence: Evidence) -> list[Component]:
    return [
        Component(
            name=f"model/{path}",
            type=ComponentType.FILE,
            bom_ref=f"file:model/{path}",
            hashes=[_sha256(digest)],
        )
        for path, digest in sorted(evidence.model_files.items())
    ]


def _data(evidence: Evidence) -> list[Component]:
    documents = [
        Component(name=path, type=ComponentType.DATA, bom_ref=f"data:{path}", hashes=[_sha256(digest)])
        for path, digest in sorted(evidence.data_files.items())
    ]
    if evidence.card is None:
        return documents
    sources = [
        Component(
            name=source.name,
            type=ComponentType.DATA,
            bom_ref=f"source:{index}:{source.name}",
            description=source.origin or None,
            licenses=[_licence(source.licence)],
            hashes=[_sha256(source.sha256)],
            properties=[Property(name="fucina:num_bytes", value=str(source.num_bytes))],
        )
        for index, source in enumerate(evidence.card.sources)
    ]
    return [*sources, *documents]


def _libraries(evidence: Evidence) -> list[Component]:
    stages: dict[tuple[str, str], list[str]] = {}
    for stage, record in evidence.records.items():
        for name, number in record.versions.items():
            stages.setdefault((name, number), []).append(stage)
    return [
        Component(
            name=name,
            version=number,
            type=ComponentType.PLATFORM if name == "python" else ComponentType.LIBRARY,
            bom_ref=f"library:{name}@{number}",
            purl=None if name == "python" else PackageURL(type="pypi", name=name.lower(), version=number),
            properties=[Property(name="fucina:stages", value=", ".join(used))],
        )
        for (name, number), used in sorted(stages.items())
    ]


def _model_card(evidence: Evidence, data_refs: list[str]) -> dict[str, Any]:
    """The part that the library has no type for; its shape is the schema's `modelCard`."""
    facts = evidence.facts
    architecture = str(facts["architecture"] or "unknown")
    metrics = [
        {
            "type": metric.name,
            "value": f"{metric.value:.6g}",
            "confidenceInterval": {"lowerBound": f"{metric.low:.6g}", "upperBound": f"{metric.high:.6g}"},
        }
        for metric in evidence.results.metrics
    ]
    shown = (
        "num_parameters",
        "num_training_tokens",
        "training_architecture_flop",
        "training_energy_kwh",
        "energy_method",
    )
    return {
        "modelParameters": {
            "approach": {"type": "self-supervised"},
            "task": "text-generation",
            "architectureFamily": "transformer",
            "modelArchitecture": architecture,
            "datasets": [{"ref": ref} for ref in data_refs],
            "inputs": [{"format": "text"}],
            "outputs": [{"format": "text"}],
        },
        "quantitativeAnalysis": {"performanceMetrics": metrics},
        "considerations": {
            "useCases": [evidence.recipe.purpose],
            "technicalLimitations": ["Continues text; not trained to follow instructions.", "Bias was not measured."],
        },
        "properties": [{"name": f"fucina:{name}", "value": evidence.words(name)} for name in shown],
    }
