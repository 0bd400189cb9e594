"""Files of applications: checked by content, kept under their digest, given out as downloads only."""

import hashlib
import os
import tempfile
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db import transaction

from fucina.access.attachment_kinds import BadAttachment, check_name, kind_of
from fucina.errors import NotVisible
from fucina.hub.access.drafts import check_editable
from fucina.hub.access.models import Application, Attachment
from fucina.hub.access.moving import lock
from fucina.hub.people.actions import record
from fucina.hub.people.models import Person

MAX_ATTACHMENTS = 10


def attachment_path(attachment: Attachment) -> Path:
    """Where the bytes lie."""
    return _folder() / attachment.sha256[:2] / attachment.sha256


def _folder() -> Path:
    home: Path = settings.FACTORY.home
    return home / "hub" / "attachments"


@transaction.atomic
def attach(*, application: Application, name: str, content: bytes, by: Person, at: datetime) -> Attachment:
    """Add a file; the same content again is one attachment.

    Raises NotAMember, WrongMove, BadAttachment, AttachmentTooLarge.
    """
    row = lock(application)
    check_editable(row, by=by)
    plain = check_name(name)
    media_type = kind_of(content, name=plain)
    sha256 = hashlib.sha256(content).hexdigest()
    mine = Attachment.objects.filter(application=row, removed_at=None)
    known = mine.filter(sha256=sha256).first()
    if known is not None:
        return known
    if mine.count() >= MAX_ATTACHMENTS:
        raise BadAttachment(f"The application has {MAX_ATTACHMENTS} attachments.", hint="Remove one first.")
    attachment = Attachment.objects.create(
        application=row,
        name=plain,
        media_type=media_type,
        num_bytes=len(content),
        sha256=sha256,
        added_by=by,
        added_at=at,
    )
    _keep(attachment_path(attachment), content)
    record(by, "access.attach", row, at=at, data={"attachment": attachment.ref, "sha256": sha256})
    return attachment


def _keep(path: Path, content: bytes) -> None:
    """Write the bytes in one step; a file of that digest has the same ones."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if path.is_file():
        return
    descriptor, temporary = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    finally:
        Path(temporary).unlink(missing_ok=True)


@transaction.atomic
def remove_attachment(*, application: Application, ref: str, by: Person, at: datetime) -> None:
    """Take a file out of an application. Raises NotVisible, NotAMember, WrongMove."""
    row = lock(application)
    attachment = find_attachment(row, ref)
    check_editable(row, by=by)
    attachment.removed_at = at
    attachment.save(update_fields=["removed_at"])
    record(by, "access.remove_attachment", row, at=at, data={"attachment": ref, "sha256": attachment.sha256})


def find_attachment(application: Application, ref: str) -> Attachment:
    """A file of the application. Raises NotVisible."""
    rows = Attachment.objects.filter(application=application, removed_at=None)
    found = rows.filter(ref=ref).first() if "\x00" not in ref else None
    if found is None:
        raise NotVisible(f"There is no attachment {ref!r} that you may see.", hint="Look at the application.")
    return found
