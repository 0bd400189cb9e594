"""The factory's log of releases: what was released, replaced and withdrawn, in an order that nobody can change later.

Every entry is a leaf of a Merkle tree (`merkle`). A *checkpoint* is the tree's size and root under the factory's
signature; whoever keeps one can later see that the log has only grown. Entries name releases by digests, never people
or projects, so that everybody may have the log.
"""

import base64
import binascii
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from fucina.compute.spec import utc_iso
from fucina.errors import BadInput
from fucina.trust import merkle
from fucina.trust.keys import fingerprint, read_private_key, read_public_key
from fucina.trust.seal import SIGNATURE_FILE
from fucina.trust.tree import Finding, sha256_of

FORMAT: Literal["fucina-log-v1"] = "fucina-log-v1"
MAX_LOG_BYTES = 256 << 20
_SHA256 = r"^[0-9a-f]{64}$"


class BadLog(BadInput):
    """A file that is no log, no proof or no checkpoint of this factory."""

    code = "bad_log"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class EntryKind(StrEnum):
    """What the log tells of a release."""

    RELEASE = "release"
    WITHDRAWAL = "withdrawal"


class LogEntry(_Part):
    """One thing that happened to a release."""

    index: int = Field(ge=0)
    kind: EntryKind
    release: str = Field(max_length=64)
    """Reference in the hub."""
    model: str = Field(max_length=64)
    """Reference of the model that it is a version of."""
    version: int = Field(ge=1)
    signature: str = Field(pattern=_SHA256)
    """SHA-256 of `model.sig`, which covers every file of the release."""
    content: str = Field(max_length=128)
    """Content digest: the same for the same weights."""
    at: AwareDatetime
    reason: str = Field(default="", max_length=500)
    """Why it was withdrawn."""

    def leaf(self) -> bytes:
        """The entry as a leaf of the tree."""
        return merkle.leaf_hash(self.encoded())

    def encoded(self) -> bytes:
        """The one form that is hashed: JSON with sorted keys, no spaces, time in UTC with milliseconds."""
        fields = self.model_dump(mode="json") | {"at": utc_iso(self.at.astimezone(UTC))}
        return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


class Checkpoint(_Part):
    """How large the log was at a time, and what was in it, under the factory's signature."""

    size: int = Field(ge=0)
    root: str = Field(pattern=_SHA256)
    at: AwareDatetime
    key: str = Field(pattern=_SHA256)
    """Fingerprint of the key that signed."""
    signature: str = Field(max_length=200)
    """ECDSA over `message`, base64."""

    def message(self) -> bytes:
        """What is signed; its first line keeps the signature from meaning anything else."""
        return f"{FORMAT} checkpoint\n{self.size}\n{self.root}\n{utc_iso(self.at.astimezone(UTC))}\n".encode()


class ReleaseLog(_Part):
    """The whole log."""

    format: Literal["fucina-log-v1"] = FORMAT
    checkpoint: Checkpoint
    entries: tuple[LogEntry, ...]


class InclusionProof(_Part):
    """That one entry is in the log of a checkpoint, without the other entries."""

    format: Literal["fucina-log-proof-v1"] = "fucina-log-proof-v1"
    checkpoint: Checkpoint
    entry: LogEntry
    path: tuple[str, ...]
    """Siblings up to the root, hexadecimal."""


Evidence = ReleaseLog | InclusionProof
_EVIDENCE: TypeAdapter[Evidence] = TypeAdapter(Evidence)


def sign_checkpoint(*, size: int, root: bytes, at: datetime, private_key: Path) -> Checkpoint:
    """A checkpoint under the factory's key. Raises BadKey, KeyExposed."""
    key = read_private_key(private_key)
    unsigned = Checkpoint(size=size, root=root.hex(), at=at, key=fingerprint(key.public_key()), signature="")
    signature = key.sign(unsigned.message(), ec.ECDSA(hashes.SHA256()))
    return unsigned.model_copy(update={"signature": base64.b64encode(signature).decode()})


def read_evidence(path: Path) -> Evidence:
    """A log or a proof from a file. Raises BadLog."""
    try:
        size = path.stat().st_size
        if size > MAX_LOG_BYTES:
            raise BadLog(f"{path} has {size:,} bytes; a log has at most {MAX_LOG_BYTES:,}.", hint="Check the path.")
        return _EVIDENCE.validate_json(path.read_bytes())
    except OSError as error:
        raise BadLog(
            f"{path} cannot be read: {error.strerror}.", hint="Give a file of `fucina registry log`."
        ) from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"][1:]) or "the file"
        raise BadLog(
            f"{path} is neither a log nor a proof of one: {place}: {first['msg']}.",
            hint="Get it anew with `fucina registry log` or `fucina registry proof`.",
        ) from error


def check_evidence(evidence: Evidence, *, public_key: Path) -> None:
    """Whether the checkpoint is the factory's and covers what the file tells. Raises BadLog, BadKey."""
    checkpoint = evidence.checkpoint
    _check_signature(checkpoint, read_public_key(public_key))
    if isinstance(evidence, InclusionProof):
        _check_path(evidence)
        return
    for place, entry in enumerate(evidence.entries):
        if entry.index != place:
            raise BadLog(
                f"Entry {place} of the log is missing: entry {entry.index} stands in its place.",
                hint="Get the whole log from the factory again; if it is still so, an entry was removed.",
            )
    if len(evidence.entries) != checkpoint.size:
        raise BadLog(
            f"The log has {len(evidence.entries):,} entries; the factory signed {checkpoint.size:,}.",
            hint="Entries were removed from or added to this file. Get the whole log from the factory again.",
        )
    if merkle.root_of([entry.leaf() for entry in evidence.entries]).hex() != checkpoint.root:
        raise BadLog(
            "The entries are not those that the factory signed: at least one was changed.",
            hint="Get the whole log from the factory again.",
        )


def check_grown(log: ReleaseLog, *, known: Checkpoint) -> None:
    """Whether the log begins with what an earlier checkpoint of the same key covers. Raises BadLog."""
    if known.key != log.checkpoint.key:
        raise BadLog(
            f"The earlier checkpoint is of key {known.key[:16]}, the log of {log.checkpoint.key[:16]}.",
            hint="Compare logs of one factory.",
        )
    if known.size > log.checkpoint.size:
        raise BadLog(
            f"The log has {log.checkpoint.size:,} entries; {known.size:,} were seen before: it was cut.",
            hint="Keep both files and ask the factory.",
        )
    if merkle.root_of([entry.leaf() for entry in log.entries[: known.size]]).hex() != known.root:
        raise BadLog(
            f"The first {known.size:,} entries are not those that were seen before: the log was rewritten.",
            hint="Keep both files and ask the factory.",
        )


def proof_of(log: ReleaseLog, entry: LogEntry) -> InclusionProof:
    """That an entry is in the log. Raises ValueError for an entry that is not."""
    leaves = [each.leaf() for each in log.entries]
    if entry not in log.entries:
        raise ValueError(f"entry {entry.index}")
    path = merkle.inclusion_path(entry.index, leaves)
    return InclusionProof(checkpoint=log.checkpoint, entry=entry, path=tuple(step.hex() for step in path))


def findings_of(release: Path, evidence: Evidence, *, content: str) -> tuple[list[Finding], list[str]]:
    """What the log has against a release, and what else it says of it. The evidence must have been checked.

    `content` is the release's content digest as found.
    """
    try:
        signature = sha256_of(release / SIGNATURE_FILE)
    except OSError:
        signature = ""
    entries = (evidence.entry,) if isinstance(evidence, InclusionProof) else evidence.entries
    own = [entry for entry in entries if entry.signature == signature]
    released = next((entry for entry in own if entry.kind is EntryKind.RELEASE), None)
    if released is None:
        return [_not_in_log(evidence)], []
    findings = []
    if released.content != content:
        words = (
            f"Entry {released.index} of the log gives other content: {released.content[:16]}…, found {content[:16]}…."
        )
        findings.append(Finding(path=".", code="other_content", message=words))
    findings += [
        Finding(path=".", code="withdrawn", message=f"Withdrawn on {utc_iso(entry.at)[:10]}: {entry.reason}")
        for entry in own
        if entry.kind is EntryKind.WITHDRAWAL
    ]
    at = utc_iso(evidence.checkpoint.at)[:16].replace("T", " ")
    notes = [f"Entry {released.index} of the factory's log as of {at} UTC ({evidence.checkpoint.size:,} entries)."]
    notes += [
        f"There is a newer version: v{entry.version} of {utc_iso(entry.at)[:10]}."
        for entry in _newer(entries, released)
    ]
    if isinstance(evidence, InclusionProof):
        notes.append("A proof says nothing of a later withdrawal; the whole log does.")
    return findings, notes


def _newer(entries: Sequence[LogEntry], than: LogEntry) -> Iterator[LogEntry]:
    withdrawn = {entry.release for entry in entries if entry.kind is EntryKind.WITHDRAWAL}
    later = [
        entry
        for entry in entries
        if entry.kind is EntryKind.RELEASE
        and entry.model == than.model
        and entry.version > than.version
        and entry.release not in withdrawn
    ]
    yield from later[-1:]


def _not_in_log(evidence: Evidence) -> Finding:
    if isinstance(evidence, InclusionProof):
        words = "The proof is of another release."
    else:
        words = f"The release is not in the factory's log of {evidence.checkpoint.size:,} entries."
    return Finding(path=SIGNATURE_FILE, code="not_in_log", message=words)


def _check_signature(checkpoint: Checkpoint, key: ec.EllipticCurvePublicKey) -> None:
    own = fingerprint(key)
    if checkpoint.key != own:
        raise BadLog(
            f"The checkpoint is of key {checkpoint.key[:16]}, not of the one given, {own[:16]}.",
            hint="Give the public key of the factory whose log this is.",
        )
    try:
        key.verify(
            base64.b64decode(checkpoint.signature, validate=True), checkpoint.message(), ec.ECDSA(hashes.SHA256())
        )
    except (InvalidSignature, binascii.Error, ValueError) as error:
        raise BadLog(
            "The checkpoint's signature does not hold; size, root, time or signature were changed.",
            hint="Get the log from the factory again.",
        ) from error


def _check_path(proof: InclusionProof) -> None:
    try:
        steps = [bytes.fromhex(step) for step in proof.path]
        if any(len(step) != merkle.HASH_BYTES for step in steps):
            raise ValueError("a step of another length")
        found = merkle.root_from_path(
            proof.entry.leaf(), index=proof.entry.index, size=proof.checkpoint.size, path=steps
        ).hex()
        reason = "its path leads to another root"
    except ValueError as error:
        found, reason = "", str(error)
    if found != proof.checkpoint.root:
        raise BadLog(
            f"The proof does not hold: {reason}.",
            hint="The entry, its path or the checkpoint was changed. Get it from the factory again.",
        )
