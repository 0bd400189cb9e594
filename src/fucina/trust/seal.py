"""Reading `model.sig`: whose signature it is, and whether every file is the one that was signed.

The file is a Sigstore bundle around a DSSE envelope, as the model-signing tool reads and writes it; here it must also
be in one canonical form, so that none of its bytes is free to change.
"""

import base64
import binascii
import json
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fucina.trust.keys import fingerprint, read_public_key
from fucina.trust.tree import Finding, Tree, read_blocks, sha256_of, walk

SIGNATURE_FILE = "model.sig"
MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://model_signing/signature/v1.0"
SERIALIZATION = {
    "method": "files",
    "hash_type": "sha256",
    "allow_symlinks": False,
    "ignore_paths": [SIGNATURE_FILE],
}
"""What a signature covers: every file but itself."""


class _SignedFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    algorithm: str = Field(pattern="^sha256$")
    digest: str = Field(pattern="^[0-9a-f]{64}$")


class _Predicate(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    serialization: dict[str, object]
    resources: tuple[_SignedFile, ...]


class _Statement(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    type: str = Field(alias="_type", pattern=f"^{STATEMENT_TYPE}$")
    predicate_type: str = Field(alias="predicateType", pattern=f"^{PREDICATE_TYPE}$")
    subject: tuple[object, ...]
    predicate: _Predicate


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderCheck:
    """A signed folder compared with its signature."""

    findings: tuple[Finding, ...]
    is_signed: bool
    """Whether the signature itself holds under the given key."""
    key_fingerprint: str
    """Of the key that was given."""
    signed: dict[str, str]
    """SHA-256 by path as signed; empty when the signature does not hold."""
    digests: dict[str, str]
    """SHA-256 by path as found, the signature file included."""
    sizes: dict[str, int]


class _Broken(Exception):
    """The signature file cannot be trusted; `code` and the words say why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def envelope(*, payload: bytes, signature: bytes, key_fingerprint: str) -> bytes:
    """The one form in which `model.sig` is written."""
    content = {
        "mediaType": MEDIA_TYPE,
        "verificationMaterial": {"publicKey": {"hint": key_fingerprint}, "tlogEntries": []},
        "dsseEnvelope": {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"sig": base64.b64encode(signature).decode(), "keyid": ""}],
        },
    }
    return json.dumps(content, separators=(",", ":")).encode() + b"\n"


def verify_folder(folder: Path, *, public_key: Path) -> FolderCheck:
    """Compare every file under `folder` with the signature in it, offline.

    Raises BadKey for an unusable key; everything about the folder is a finding.
    """
    key = read_public_key(public_key)
    tree = walk(folder)
    findings = list(tree.findings)
    digests: dict[str, str] = {}
    for path in tree.sizes:
        try:
            digests[path] = sha256_of(folder / path)
        except OSError as error:
            findings.append(
                Finding(path=path, code="unreadable", message=f"The file cannot be read: {error.strerror}.")
            )
    try:
        signed = _read_signature(folder, tree, key)
    except _Broken as broken:
        findings.append(Finding(path=SIGNATURE_FILE, code=broken.code, message=str(broken)))
        signed = None
    if signed is not None:
        findings.extend(_compare(signed, tree, digests))
    return FolderCheck(
        findings=tuple(findings),
        is_signed=signed is not None,
        key_fingerprint=fingerprint(key),
        signed=signed or {},
        digests=digests,
        sizes=tree.sizes,
    )


def split(data: bytes) -> tuple[bytes, bytes, str]:
    """Payload, signature and key fingerprint of a signature file in any JSON form. Raises ValueError."""
    try:
        content = json.loads(data)
        sealed = content["dsseEnvelope"]
        hint = content["verificationMaterial"]["publicKey"]["hint"]
        if not isinstance(hint, str):
            raise ValueError("no key is named")
        return base64.b64decode(sealed["payload"]), base64.b64decode(sealed["signatures"][0]["sig"]), hint
    except (KeyError, IndexError, TypeError, RecursionError, binascii.Error) as error:
        raise ValueError(f"{type(error).__name__} {error}") from error


def _read_signature(folder: Path, tree: Tree, key: ec.EllipticCurvePublicKey) -> dict[str, str]:
    data = _read_signature_file(folder, tree)
    try:
        payload, signature, hint = split(data)
    except ValueError as error:
        raise _Broken("signature_broken", f"It is not a signature file any more ({error}).") from error
    own = fingerprint(key)
    holds = _holds(key, payload, signature)
    if not holds and hint != own:
        raise _Broken("other_key", f"It was made with the key {hint[:16]}, not with the one given, {own[:16]}.")
    if not holds:
        raise _Broken("signature_invalid", f"The signature does not hold under the key {own[:16]}; it was changed.")
    canonical = envelope(payload=payload, signature=signature, key_fingerprint=own)
    if canonical != data:
        at = next((i for i, (a, b) in enumerate(zip(data, canonical, strict=False)) if a != b), len(canonical))
        raise _Broken("signature_broken", f"Byte {at} is not as the factory wrote it.")
    return _signed_files(payload)


def _read_signature_file(folder: Path, tree: Tree) -> bytes:
    size = tree.sizes.get(SIGNATURE_FILE)
    if size is None:
        raise _Broken("missing", "The release has no signature.")
    limit = 65536 + sum(1024 + 8 * len(path) for path in tree.sizes)
    if size > limit:
        raise _Broken("signature_broken", f"It has {size} bytes; a signature over these files has at most {limit}.")
    try:
        return b"".join(read_blocks(folder / SIGNATURE_FILE))
    except OSError as error:
        raise _Broken("unreadable", f"The file cannot be read: {error.strerror}.") from error


def _holds(key: ec.EllipticCurvePublicKey, payload: bytes, signature: bytes) -> bool:
    """Whether the signature holds over the payload in DSSE's pre-authentication encoding."""
    message = b"DSSEv1 %d %s %d %s" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(payload), payload)
    try:
        key.verify(signature, message, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def _signed_files(payload: bytes) -> dict[str, str]:
    try:
        statement = _Statement.model_validate_json(payload)
    except ValidationError as error:
        raise _Broken("signature_broken", "The key signed something else than the files of a release.") from error
    predicate = statement.predicate
    if predicate.serialization != SERIALIZATION:
        raise _Broken("signature_broken", "The signature does not cover every file of the release.")
    return {item.name: item.digest for item in predicate.resources}


def _compare(signed: dict[str, str], tree: Tree, digests: dict[str, str]) -> list[Finding]:
    findings: list[Finding] = []
    for path in sorted(signed.keys() | tree.sizes.keys()):
        if path == SIGNATURE_FILE:
            continue
        if path not in tree.sizes:
            findings.append(Finding(path=path, code="missing", message="The file was signed and is not there."))
        elif path not in signed:
            findings.append(Finding(path=path, code="added", message="The file is there and was not signed."))
        elif path in digests and digests[path] != signed[path]:
            words = f"SHA-256 is {digests[path][:16]}…, signed was {signed[path][:16]}…."
            findings.append(Finding(path=path, code="changed", message=words))
    return findings
