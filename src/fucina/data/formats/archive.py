"""ZIP archives of documents: every member with its own reader, nothing ever unpacked to disk."""

import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from fucina.data.records import Record, broken
from fucina.data.streams import FREE_BYTES, MAX_EXPANSION, BrokenStream, check_expansion, expand

MAX_MEMBERS = 100_000
_PIECE_BYTES = 1 << 16
_ARCHIVES = frozenset((".zip", ".tar", ".tgz", ".7z", ".rar", ".bz2", ".xz", ".jar"))
_NEEDS_A_FILE = frozenset(("parquet", "zip"))

ReadMember = Callable[[Iterator[bytes], str, str], Iterator[Record]]
"""From decompressed pieces, the member's name and its reader to its records."""
FormatOf = Callable[[str], tuple[str, str]]


def read(path: Path, *, name: str, format_of: FormatOf, read_member: ReadMember) -> Iterator[Record]:
    """The records of all members in the order of their names; ids begin with the archive's name and the member's.

    `format_of` gives the reader ("" for none) and compression of a name. Raises BrokenStream.
    """
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise BrokenStream("corrupt-zip") from error
    with archive:
        members = sorted(archive.infolist(), key=lambda member: member.filename)
        if len(members) > MAX_MEMBERS:
            raise BrokenStream("too-many-members")
        budget = _Budget(limit=FREE_BYTES + MAX_EXPANSION * path.stat().st_size)
        for member in members:
            if not member.is_dir() and not _is_clutter(member.filename):
                yield from _member(
                    archive, member, name=name, budget=budget, format_of=format_of, read_member=read_member
                )


class _Budget:
    """Bytes that all members together may expand to."""

    def __init__(self, *, limit: int) -> None:
        self._left = limit

    def spend(self, num_bytes: int) -> None:
        self._left -= num_bytes
        if self._left < 0:
            raise BrokenStream("expands-too-much")


def _member(
    archive: zipfile.ZipFile,
    member: zipfile.ZipInfo,
    *,
    name: str,
    budget: _Budget,
    format_of: FormatOf,
    read_member: ReadMember,
) -> Iterator[Record]:
    identifier = f"{name}!{member.filename[:500]}".encode("utf-8", "replace").decode()
    reader, compression = format_of(member.filename)
    refused = _refusal(member, reader=reader, compression=compression)
    if refused:
        yield broken(identifier, refused)
        return
    try:
        pieces = _pieces(archive, member, budget=budget)
        if compression:
            pieces = check_expansion(expand(pieces, compression=compression), num_in=member.file_size)
        yield from read_member(pieces, identifier, reader)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError):
        yield broken(f"{identifier}#end", "corrupt-zip")
    except RuntimeError:
        yield broken(identifier, "encrypted")


def _refusal(member: zipfile.ZipInfo, *, reader: str, compression: str) -> str:
    """Why a member is not even opened; "" when it is."""
    path = PurePosixPath(member.filename.replace("\\", "/"))
    unsafe = path.is_absolute() or ".." in path.parts or "\0" in member.orig_filename or ":" in path.parts[0][1:2]
    if unsafe or stat.S_ISLNK(member.external_attr >> 16):
        return "unsafe-name"
    if member.flag_bits & 1:
        return "encrypted"
    if set(suffix.lower() for suffix in path.suffixes[-2:]) & _ARCHIVES:
        return "nested-archive"
    if not reader or reader in _NEEDS_A_FILE or (compression and reader == "parquet"):
        return "other-format"
    return ""


def _is_clutter(name: str) -> bool:
    """What operating systems leave in archives."""
    parts = PurePosixPath(name).parts
    return "__MACOSX" in parts or bool(parts) and parts[-1] in {".DS_Store", "Thumbs.db"}


def _pieces(archive: zipfile.ZipFile, member: zipfile.ZipInfo, *, budget: _Budget) -> Iterator[bytes]:
    with archive.open(member) as file:
        while piece := file.read(_PIECE_BYTES):
            budget.spend(len(piece))
            yield piece
