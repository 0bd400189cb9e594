"""Checking a release, offline, with nothing but the factory's public key; names what is wrong and where."""

import hashlib
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from fucina.errors import BadInput
from fucina.line.contents import Contents, check_documents
from fucina.trust.recipe import GateResult
from fucina.trust.seal import SIGNATURE_FILE, FolderCheck, verify_folder
from fucina.trust.transparency import Evidence, check_evidence, findings_of
from fucina.trust.tree import Finding, content_digest_of, read_blocks

PROVENANCE_FILE = "provenance.intoto.jsonl"
CROSS_CHECKS = frozenset({"not_as_built", "other_model", "evidence_missing"})
"""Codes of findings that hold one file against another."""


class NotARelease(BadInput):
    """There is no folder to verify."""

    code = "not_a_release"


class VerifyReport(BaseModel):
    """What a check of a release found."""

    model_config = ConfigDict(frozen=True)

    ok: bool
    findings: tuple[Finding, ...]
    gates: tuple[GateResult, ...]
    """Decided again from the measured numbers."""
    content_digest: str
    """Over model, data and evaluation as found: the same for every release of the same weights."""
    key_fingerprint: str
    """SHA-256 of the public key that was given."""
    is_signed: bool
    """Whether the signature holds under that key; the findings say whether every file is the one that was signed."""
    project: str
    organisation: str
    num_files: int
    num_bytes: int
    num_open: int
    """Questions in the dossier that wait for a human."""
    notes: tuple[str, ...] = ()
    """What the factory's log says of it, where one was given."""


def verify(release: Path, *, public_key: Path, evidence: Evidence | None = None) -> VerifyReport:
    """Compare a release with its signature, its gates, its provenance, its rule set and the factory's log if given.

    Raises NotARelease, BadKey, BadLog; everything else is a finding.
    """
    if evidence is not None:
        check_evidence(evidence, public_key=public_key)
    _check_is_folder(release)
    check = verify_folder(release, public_key=public_key)
    contents = check_documents(release, sizes=check.sizes, digests=check.digests)
    findings = [_with_place(finding, release, check, contents) for finding in check.findings]
    findings += _more(check, contents)
    if _is_foreign_signature(check, contents):
        words = "It signs other files: the signature was taken from another release, or the files were."
        findings.append(Finding(path=SIGNATURE_FILE, code="other_release", message=words))
    content_digest = content_digest_of(check.digests)
    in_log, notes = findings_of(release, evidence, content=content_digest) if evidence else ([], [])
    findings += in_log
    unique = {_identity(finding): finding for finding in reversed(findings)}
    return VerifyReport(
        ok=not unique and check.is_signed,
        findings=tuple(unique[key] for key in sorted(unique)),
        gates=contents.gates,
        content_digest=content_digest,
        key_fingerprint=check.key_fingerprint,
        is_signed=check.is_signed,
        project=contents.project,
        organisation=contents.organisation,
        num_files=len(check.sizes),
        num_bytes=sum(check.sizes.values()),
        num_open=contents.num_open,
        notes=tuple(notes),
    )


def _identity(finding: Finding) -> tuple[str, str, str]:
    """What makes a finding one of its own: a missing file is told once, whoever misses it."""
    return finding.path, finding.code, "" if finding.code == "missing" else finding.message


def _check_is_folder(release: Path) -> None:
    try:
        is_folder = release.is_dir()
    except (OSError, ValueError) as error:
        raise NotARelease(f"{str(release)!r} cannot be read: {error}.", hint="Give the folder of a release.") from error
    if not is_folder:
        what = "is a file" if release.exists() else "does not exist"
        raise NotARelease(f"{release} {what}.", hint="Give the folder of a release: the one that holds model.sig.")


def _more(check: FolderCheck, contents: Contents) -> list[Finding]:
    """What the documents show beyond the signature.

    Where the signature already names the files that are not as signed, what disagrees with those is left out: it would
    name innocent files.
    """
    if not (check.is_signed and check.findings):
        return contents.findings
    return [finding for finding in contents.findings if finding.code not in CROSS_CHECKS]


def _is_foreign_signature(check: FolderCheck, contents: Contents) -> bool:
    """Whether the files agree with their own provenance while the signature, which holds, is over others."""
    signed = check.signed.get(PROVENANCE_FILE)
    is_other = signed is not None and signed != check.digests.get(PROVENANCE_FILE)
    agrees = bool(contents.subjects) and not any(finding.code == "not_as_built" for finding in contents.findings)
    return is_other and agrees


def _with_place(finding: Finding, release: Path, check: FolderCheck, contents: Contents) -> Finding:
    """Say which part of a large file changed, as far as the signed provenance knows its blocks."""
    path = finding.path
    size = check.sizes.get(path)
    if finding.code != "changed" or size is None:
        return finding
    words = finding.message
    blocks = contents.blocks.get(path)
    is_trusted = check.signed.get(PROVENANCE_FILE) == check.digests.get(PROVENANCE_FILE)
    if blocks is None or not is_trusted:
        words += f" It is somewhere in its {size:,} bytes."
    else:
        try:
            found = _different_blocks(
                release / path, block_bytes=blocks.block_bytes, expected=blocks.digests, size=size
            )
        except OSError as error:
            found = f"Reading it again failed: {error.strerror}."
        words += f" {found}"
    return Finding(path=path, code=finding.code, message=words)


def _different_blocks(path: Path, *, block_bytes: int, expected: tuple[str, ...], size: int) -> str:
    different: list[int] = []
    num_found = 0
    for index, block in enumerate(read_blocks(path, block_bytes=block_bytes)):
        num_found += 1
        if index < len(expected) and hashlib.sha256(block).hexdigest() != expected[index]:
            different.append(index)
    words = []
    if different:
        first, last = different[0] * block_bytes, min((different[-1] + 1) * block_bytes, size) - 1
        words.append(f"{len(different)} of {len(expected)} blocks differ, between byte {first:,} and byte {last:,}.")
    if num_found != len(expected):
        words.append(f"It has {num_found} blocks of {block_bytes:,} bytes, signed were {len(expected)}.")
    return " ".join(words)
