"""Bytes on the hub's disk: received to a temporary name, checked, then put in place at once."""

import hashlib
import os
import re
import tempfile
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Protocol

from django.conf import settings

from fucina.errors import BadInput

CHUNK_BYTES = 2**20
MAX_FILE_BYTES = 64 * 2**30
"""Largest file that the hub takes in."""

SHA256 = re.compile(r"[0-9a-f]{64}")


class BadUpload(BadInput):
    """Bytes that are not what they were announced as."""

    code = "bad_upload"


class BadPath(BadInput):
    """A path that would leave its folder, or that no file may have."""

    code = "bad_path"


class ByteStream(Protocol):
    """Something that is read in pieces."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; empty at the end."""
        ...


def hub_folder() -> Path:
    """Where the hub keeps files."""
    home: Path = settings.FACTORY.home
    return home / "hub"


def check_sha256(text: str) -> str:
    """The digest, if it is one. Raises BadUpload."""
    if SHA256.fullmatch(text) is None:
        raise BadUpload(f"{text[:80]!r} is not a SHA-256 digest.", hint="Give 64 lower-case hexadecimal digits.")
    return text


def check_relative(path: str) -> PurePosixPath:
    """A path of plain names under some folder. Raises BadPath."""
    parts = path.split("/")
    bad = (
        not path
        or len(path.encode("utf-8", "replace")) > 1000
        or "\\" in path
        or not path.isprintable()
        or any(part in {"", ".", ".."} or len(part.encode("utf-8", "replace")) > 255 for part in parts)
    )
    if bad:
        raise BadPath(
            f"{path[:80]!r} is not a relative path of plain names.",
            hint="Write folder/file, without .., // or a leading slash.",
        )
    return PurePosixPath(path)


def inside(folder: Path, path: str) -> Path:
    """Where `path` lies under `folder`. Raises BadPath also when a symbolic link stands on the way."""
    target = folder.joinpath(*check_relative(path).parts)
    step = folder
    for part in target.relative_to(folder).parts:
        step = step / part
        if step.is_symlink():
            raise BadPath(f"{path[:80]!r} leads over a symbolic link.", hint="Use another name.")
    return target


def receive(stream: ByteStream, *, num_bytes: int, sha256: str, to: Path) -> None:
    """Store a stream that must have that size and digest; what exists at `to` is replaced at once.

    Raises BadUpload, and then nothing has changed.
    """
    if not 0 <= num_bytes <= MAX_FILE_BYTES:
        raise BadUpload(
            f"The file has {num_bytes:,} bytes; the hub takes up to {MAX_FILE_BYTES:,}.",
            hint="Split it into smaller files.",
        )
    incoming = hub_folder() / "incoming"
    incoming.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=incoming)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            received, found = _copy(stream, file, limit=num_bytes)
            file.flush()
            os.fsync(file.fileno())
        if received != num_bytes:
            raise BadUpload(f"{received:,} of {num_bytes:,} bytes arrived.", hint="Send the file again.")
        if found != sha256:
            raise BadUpload(
                f"The bytes have digest {found}; {sha256} was announced.", hint="Read the file again and send it."
            )
        _put_in_place(temporary, to)
    finally:
        temporary.unlink(missing_ok=True)


def _put_in_place(temporary: Path, to: Path) -> None:
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        temporary.replace(to)
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise BadPath(f"{to.name[:80]!r} would be a file and a folder at once.", hint="Use another name.") from error


class _Writer(Protocol):
    def write(self, data: bytes, /) -> int: ...


def _copy(stream: ByteStream, file: _Writer, *, limit: int) -> tuple[int, str]:
    received = 0
    digest = hashlib.sha256()
    while received < limit and (chunk := stream.read(min(CHUNK_BYTES, limit - received))):
        received += len(chunk)
        digest.update(chunk)
        file.write(chunk)
    return received, digest.hexdigest()


def drop_broken_uploads(*, at: datetime) -> int:
    """Remove what uploads that were killed more than a day ago left behind; returns how many."""
    before = (at - timedelta(days=1)).timestamp()
    old = [path for path in (hub_folder() / "incoming").glob("*") if path.stat().st_mtime < before]
    for path in old:
        path.unlink(missing_ok=True)
    return len(old)


def blob_path(sha256: str) -> Path:
    """Where the bytes with that digest lie."""
    return hub_folder() / "blobs" / sha256[:2] / sha256
