"""Who built what from which digests: an in-toto statement with SLSA's provenance predicate."""

import json
from collections.abc import Mapping
from typing import Any

from google.protobuf import json_format
from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
from in_toto_attestation.v1.resource_descriptor import ResourceDescriptor
from in_toto_attestation.v1.statement import Statement

from fucina import __version__
from fucina.compute.record import StageRecord
from fucina.compute.spec import utc_iso

PROVENANCE_FILE = "provenance.intoto.jsonl"
PREDICATE_TYPE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "urn:fucina:line:v1"
BUILDER = "urn:fucina:stage:release"
CONTENT = "content"
"""Name of the digest over everything that is the same for the same weights."""


def write_provenance(
    *,
    parameters: Mapping[str, str],
    run: str,
    records: Mapping[str, StageRecord],
    record_digests: Mapping[str, str],
    subjects: Mapping[str, str],
    blocks: Mapping[str, tuple[int, tuple[str, ...]]],
    content_digest: str,
) -> bytes:
    """One line of JSON over `subjects`, SHA-256 by path.

    `blocks` gives size and SHA-256 of the blocks of large files, so that a reader can say which part of one changed.
    """
    predicate = {
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": dict(parameters),
            "resolvedDependencies": _materials(records),
        },
        "runDetails": {
            "builder": {"id": BUILDER, "version": {"fucina": __version__}},
            "metadata": {
                "invocationId": run,
                "startedOn": utc_iso(min(record.started_at for record in records.values())),
                "finishedOn": utc_iso(max(record.ended_at for record in records.values())),
            },
            "byproducts": [
                *(_digest(f"record/{stage}", digest) for stage, digest in record_digests.items()),
                _digest(CONTENT, content_digest),
            ],
        },
    }
    checked = json_format.ParseDict(predicate, provenance_pb2.Provenance())
    statement = Statement(
        [_subject(path, digest, blocks.get(path)) for path, digest in sorted(subjects.items())],
        PREDICATE_TYPE,
        json_format.MessageToDict(checked),
    )
    statement.validate()
    return json.dumps(json_format.MessageToDict(statement.pb), sort_keys=True, ensure_ascii=False).encode() + b"\n"


def _materials(records: Mapping[str, StageRecord]) -> list[dict[str, Any]]:
    """Source files, recipes and intermediate outputs, each by its digest."""
    named = {
        name if name.startswith("source:") else f"{stage}/{name}": digest
        for stage, record in records.items()
        for name, digest in record.inputs.items()
    }
    return [_digest(name, digest) for name, digest in sorted(named.items())]


def _digest(name: str, sha256: str) -> dict[str, Any]:
    return {"name": name, "digest": {"sha256": sha256}}


def _subject(path: str, sha256: str, blocks: tuple[int, tuple[str, ...]] | None) -> Any:
    annotations = {"blockBytes": str(blocks[0]), "blockSha256": list(blocks[1])} if blocks else None
    return ResourceDescriptor(name=path, digest={"sha256": sha256}, annotations=annotations).pb
