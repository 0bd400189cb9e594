"""What `fucina registry` does with files."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from fucina.cli.output import Format, say, show
from fucina.errors import BadInput
from fucina.trust.transparency import (
    BadLog,
    EntryKind,
    Evidence,
    InclusionProof,
    ReleaseLog,
    check_evidence,
    check_grown,
    read_evidence,
)


class CannotWrite(BadInput):
    """The file cannot be written."""

    code = "cannot_write"


class CheckedLog(BaseModel):
    """What a check of a log or proof found."""

    model_config = ConfigDict(frozen=True)

    kind: str
    num_entries: int
    num_releases: int
    num_withdrawn: int
    root: str
    grown_from: int | None
    words: str


def keep(evidence: Evidence, file: Path, form: Format) -> None:
    """Write what the hub gave, and say what it is. Raises CannotWrite."""
    try:
        file.write_text(evidence.model_dump_json(indent=1) + "\n", encoding="utf-8")
    except (OSError, ValueError) as error:
        raise CannotWrite(f"{file} cannot be written: {error}", hint="Name a file in a folder of yours.") from error
    if not show(evidence.checkpoint, form):
        what = "the log" if isinstance(evidence, ReleaseLog) else f"the proof of entry {evidence.entry.index}"
        say(f"[green]✓[/green] {file} holds {what}; root {evidence.checkpoint.root[:16]}… of")
        say(f"  {evidence.checkpoint.size:,} entries. Keep it: with `--known` it shows later that the log only grew.")


def checked(file: Path, *, known: Path | None, public_key: Path) -> CheckedLog:
    """Check a log or a proof, and against an earlier one if given. Raises BadLog, BadKey."""
    evidence = read_evidence(file)
    check_evidence(evidence, public_key=public_key)
    before = None
    if known is not None:
        earlier = read_evidence(known)
        check_evidence(earlier, public_key=public_key)
        if isinstance(evidence, InclusionProof):
            raise BadLog("A proof does not show that the log grew.", hint="Get the whole log: `fucina registry log`.")
        check_grown(evidence, known=earlier.checkpoint)
        before = earlier.checkpoint.size
    entries = (evidence.entry,) if isinstance(evidence, InclusionProof) else evidence.entries
    num_withdrawn = sum(entry.kind is EntryKind.WITHDRAWAL for entry in entries)
    size = evidence.checkpoint.size
    words = f"[green]✓[/green] {size:,} entries, signed by key {evidence.checkpoint.key[:16]}…: "
    if isinstance(evidence, InclusionProof):
        words += f"entry {evidence.entry.index} is one of them."
    else:
        words += f"releases {len(entries) - num_withdrawn:,}, withdrawals {num_withdrawn:,}."
    if before is not None:
        words += f" Its first {before:,} are those that were seen before."
    return CheckedLog(
        kind="proof" if isinstance(evidence, InclusionProof) else "log",
        num_entries=size,
        num_releases=len(entries) - num_withdrawn,
        num_withdrawn=num_withdrawn,
        root=evidence.checkpoint.root,
        grown_from=before,
        words=words,
    )
