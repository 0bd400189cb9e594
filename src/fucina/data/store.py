"""Contents by digest in S3-compatible storage: sent and fetched in pieces, several at once, going on after a break.

A content is cut into pieces of equal size. Each is an object named by its own SHA-256, so that a piece which arrived is
never sent again, and a small object under the content's digest lists them; it is written last, so that what it names is
complete. Every piece is compared when it is fetched, and the whole at the end.
"""

import fcntl
import hashlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from pyarrow import ArrowException, fs
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fucina.errors import BadInput, NotVisible, Unavailable

PIECE_BYTES = 16 << 20
NUM_AT_ONCE = 6
"""Pieces under way; with their size this is what a transfer keeps in memory."""
MAX_PIECES = 1_000_000


class StoreUnreachable(Unavailable):
    """The storage does not answer, or refuses."""

    code = "store_unreachable"


class NotStored(NotVisible):
    """The storage has no content of that digest."""

    code = "not_stored"


class BadContent(Unavailable):
    """What came from the storage is not what its digest names."""

    code = "bad_content"


class NotYet(Unavailable):
    """The time that was given is over and a part is still missing; called again it goes on."""

    code = "not_yet"


class NoDigest(BadInput):
    """A text that is no SHA-256."""

    code = "no_digest"


class Contents(BaseModel):
    """What the storage says about one content."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    num_bytes: int = Field(ge=0)
    piece_bytes: int = Field(gt=0, le=1 << 30)
    pieces: tuple[str, ...] = Field(max_length=MAX_PIECES)
    """SHA-256 of each, in order."""


class ContentStore:
    """Contents below one folder of a storage, such as `bucket/fucina`."""

    def __init__(self, files: fs.FileSystem, folder: str, *, piece_bytes: int = PIECE_BYTES) -> None:
        self._files = files
        self._folder = folder.strip("/")
        self._piece_bytes = piece_bytes

    def has(self, sha256: str) -> bool:
        """Whether the whole content is there. Raises NoDigest, StoreUnreachable."""
        return self._sizes([self._list_path(sha256)])[0] is not None

    def put(self, path: Path, sha256: str, *, told: Callable[[int, int], object] | None = None) -> int:
        """Store a file under its digest; returns how many bytes were sent, 0 for one that is there.

        `told` hears how many of how many pieces are there. Raises NoDigest, BadContent, StoreUnreachable.
        """
        if self.has(sha256):
            return 0
        whole, digests = _digests(path, piece_bytes=self._piece_bytes)
        if whole != sha256:
            raise BadContent(
                f"{path} has SHA-256 {whole[:12]}…, not {sha256[:12]}….", hint="It has changed; look again."
            )
        num_bytes = path.stat().st_size
        first_of = {digest: number for number, digest in reversed(list(enumerate(digests)))}
        names = sorted(first_of, key=lambda digest: first_of[digest])
        sizes = self._sizes([self._piece_path(digest) for digest in names])
        spans = {digest: self._span(first_of[digest], num_bytes) for digest in names}
        missing = [name for name, size in zip(names, sizes, strict=True) if size != spans[name][1]]
        sent = 0
        with ThreadPoolExecutor(NUM_AT_ONCE) as pool:
            jobs = pool.map(lambda digest: self._send(path, digest, *spans[digest]), missing)
            for number, size in enumerate(jobs, start=len(names) - len(missing) + 1):
                sent += size
                if told:
                    told(number, len(names))
        about = Contents(num_bytes=num_bytes, piece_bytes=self._piece_bytes, pieces=tuple(digests))
        self._write(self._list_path(sha256), about.model_dump_json().encode())
        return sent

    def get(
        self,
        sha256: str,
        target: Path,
        *,
        limit_s: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> int:
        """Fetch a content to `target`, which appears only when whole; returns how many bytes came.

        What an earlier try left beside it is compared and kept. With `limit_s` no piece is begun after that time, but
        some in any case. Raises NoDigest, NotStored, BadContent, NotYet, StoreUnreachable.
        """
        about = self._about(sha256)
        partial = target.with_name(f".{target.name}.pieces")
        until = None if limit_s is None else clock() + limit_s
        with _alone_with(partial) as file:
            if target.is_file() and _sha256_of(target) == sha256:  # another process was faster
                partial.unlink()
                return 0
            file.truncate(about.num_bytes)
            missing = [n for n, digest in enumerate(about.pieces) if not _is_there(file.fileno(), about, n, digest)]
            came = 0
            with ThreadPoolExecutor(NUM_AT_ONCE) as pool:
                for first in range(0, len(missing), NUM_AT_ONCE):
                    if first and until is not None and clock() >= until:
                        raise NotYet(
                            f"{len(missing) - first} of {len(about.pieces)} pieces of {sha256[:12]}… are missing.",
                            hint="Ask again; it goes on where it was.",
                        )
                    batch = missing[first : first + NUM_AT_ONCE]
                    came += sum(pool.map(lambda n: self._fetch(file.fileno(), about, n), batch))
            os.fsync(file.fileno())
            found = _sha256_of(partial)
            if found != sha256:
                partial.unlink()
                raise BadContent(
                    f"The storage's {sha256[:12]}… has SHA-256 {found[:12]}….",
                    hint="Remove its list and store it again.",
                )
            partial.replace(target)
        return came

    def _about(self, sha256: str) -> Contents:
        path = self._list_path(sha256)
        if self._sizes([path])[0] is None:
            raise NotStored(f"{self._folder} has no content {sha256[:12]}….", hint="Store it: `fucina data put`.")
        try:
            about = Contents.model_validate_json(self._read(path))
        except ValidationError as error:
            raise BadContent(f"{path} is no list of pieces.", hint="Remove it and store the content again.") from error
        if len(about.pieces) != -(-about.num_bytes // about.piece_bytes):
            raise BadContent(
                f"{path} lists {len(about.pieces)} pieces for {about.num_bytes:,} bytes.",
                hint="Remove it and store the content again.",
            )
        return about

    def _span(self, number: int, num_bytes: int) -> tuple[int, int]:
        """Offset and size of a piece."""
        offset = number * self._piece_bytes
        return offset, min(self._piece_bytes, num_bytes - offset)

    def _send(self, path: Path, digest: str, offset: int, size: int) -> int:
        with path.open("rb") as file:
            file.seek(offset)
            data = file.read(size)
        if hashlib.sha256(data).hexdigest() != digest:
            raise BadContent(f"{path} changed while it was sent.", hint="Try again when nobody writes it.")
        self._write(self._piece_path(digest), data)
        return size

    def _fetch(self, descriptor: int, about: Contents, number: int) -> int:
        digest = about.pieces[number]
        data = self._read(self._piece_path(digest))
        if hashlib.sha256(data).hexdigest() != digest:
            raise BadContent(
                f"Piece {number + 1} of {len(about.pieces)} came changed, {len(data):,} bytes.",
                hint=f"Remove {self._piece_path(digest)} and store the content again.",
            )
        offset = number * about.piece_bytes
        written = 0
        while written < len(data):
            written += os.pwrite(descriptor, data[written:], offset + written)
        return len(data)

    def _list_path(self, sha256: str) -> str:
        return f"{self._folder}/lists/{_checked(sha256)}"

    def _piece_path(self, digest: str) -> str:
        return f"{self._folder}/pieces/{_checked(digest)[:2]}/{digest}"

    def _sizes(self, paths: Sequence[str]) -> list[int | None]:
        """Size of each object, None for one that is not there."""
        found = []
        for first in range(0, len(paths), 1000):
            try:
                infos = self._files.get_file_info(list(paths[first : first + 1000]))
            except (OSError, ArrowException) as error:
                raise self._trouble(error) from error
            found += [info.size if info.type == fs.FileType.File else None for info in infos]
        return found

    def _read(self, path: str) -> bytes:
        try:
            with self._files.open_input_stream(path, compression=None) as stream:
                return bytes(stream.read())
        except (OSError, ArrowException) as error:
            raise self._trouble(error) from error

    def _write(self, path: str, data: bytes) -> None:
        try:
            with self._files.open_output_stream(path, compression=None) as stream:
                stream.write(data)
        except (OSError, ArrowException) as error:
            raise self._trouble(error) from error

    def _trouble(self, error: Exception) -> StoreUnreachable:
        said = " ".join(str(error).split())[:300]
        return StoreUnreachable(
            f"The storage of {self._folder} does not serve: {said}",
            hint="Check bucket, endpoint, region and the credentials in the environment or in ~/.aws.",
        )


@contextmanager
def _alone_with(partial: Path) -> Iterator[BinaryIO]:
    """The file of that name, which no other process writes meanwhile; one that was renamed before is not taken."""
    while True:
        with os.fdopen(os.open(partial, os.O_RDWR | os.O_CREAT, 0o644), "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            try:
                is_same = os.fstat(file.fileno()).st_ino == partial.stat().st_ino
            except FileNotFoundError:
                is_same = False
            if is_same:
                yield file
                return


def _checked(sha256: str) -> str:
    """Raises NoDigest; a digest becomes part of a path."""
    if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
        raise NoDigest(f"{sha256[:80]!r} is no SHA-256.", hint="Give 64 hexadecimal digits in small letters.")
    return sha256


def _pieces(path: Path, *, piece_bytes: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        while data := file.read(piece_bytes):
            yield data


def _digests(path: Path, *, piece_bytes: int) -> tuple[str, list[str]]:
    """Of the whole file, and of each piece, in one pass."""
    whole, pieces = hashlib.sha256(), []
    for data in _pieces(path, piece_bytes=piece_bytes):
        whole.update(data)
        pieces.append(hashlib.sha256(data).hexdigest())
    return whole.hexdigest(), pieces


def _sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_there(descriptor: int, about: Contents, number: int, digest: str) -> bool:
    """Whether an earlier try has left this piece in its place."""
    offset = number * about.piece_bytes
    data = os.pread(descriptor, min(about.piece_bytes, about.num_bytes - offset), offset)
    return hashlib.sha256(data).hexdigest() == digest
