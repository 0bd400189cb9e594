"""The log of releases: appending to it, and giving it out under the factory's signature."""

from datetime import datetime

from django.conf import settings
from django.db import transaction

from fucina.errors import BadInput, Unavailable
from fucina.hub.registry.models import LogHead, LogLeaf, Release
from fucina.trust import merkle
from fucina.trust.seal import SIGNATURE_FILE
from fucina.trust.transparency import (
    EntryKind,
    InclusionProof,
    LogEntry,
    ReleaseLog,
    proof_of,
    sign_checkpoint,
)


class NotSigned(BadInput):
    """A release without a signature has no place in the log."""

    code = "not_signed"


class LogCannotBeSigned(Unavailable):
    """The hub has no key."""

    code = "log_cannot_be_signed"


@transaction.atomic
def append(release: Release, kind: EntryKind, *, at: datetime, reason: str = "") -> LogLeaf:
    """Add what happened to a release as the newest entry. Raises NotSigned."""
    signature = next((file["sha256"] for file in release.files if file["path"] == SIGNATURE_FILE), "")
    if not signature:
        raise NotSigned(f"Release {release.ref} has no {SIGNATURE_FILE}.", hint="Run the project again.")
    LogHead.objects.get_or_create(pk=1)
    head = LogHead.objects.select_for_update(no_key=True).get(pk=1)
    entry = LogEntry(
        index=head.size,
        kind=kind,
        release=release.ref,
        model=release.model.ref,
        version=release.version,
        signature=signature,
        content=release.content_digest,
        at=at,
        reason=reason,
    )
    leaf = LogLeaf.objects.create(index=head.size, release=release, encoded=entry.encoded().decode())
    head.size += 1
    head.save(update_fields=["size"])
    return leaf


def release_log(*, at: datetime) -> ReleaseLog:
    """The whole log under a new checkpoint. Raises LogCannotBeSigned."""
    entries = tuple(LogEntry.model_validate_json(text) for text in LogLeaf.objects.values_list("encoded", flat=True))
    root = merkle.root_of([entry.leaf() for entry in entries])
    try:
        checkpoint = sign_checkpoint(size=len(entries), root=root, at=at, private_key=settings.FACTORY.private_key)
    except BadInput as error:
        raise LogCannotBeSigned(
            f"The hub cannot sign its log: {error.message}", hint="The operator looks after the factory's key."
        ) from error
    return ReleaseLog(checkpoint=checkpoint, entries=entries)


def release_proof(release: Release, *, at: datetime) -> InclusionProof:
    """That a release is in the log. Raises LogCannotBeSigned, NotSigned."""
    leaf = release.log_entries.first()
    if leaf is None:
        raise NotSigned(f"Release {release.ref} is not in the log.", hint="Run the project again.")
    log = release_log(at=at)
    return proof_of(log, log.entries[leaf.index])
