"""From the patterns of a project file to input files fixed by their digest."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from fucina.data.recipe import SourceFile
from fucina.errors import BadInput

FORMATS: dict[str, str] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "text",
    ".text": "text",
    ".md": "markdown",
    ".markdown": "markdown",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".warc": "warc",
    ".pdf": "pdf",
    ".docx": "docx",
    ".odt": "odt",
    ".zip": "zip",
}
"""Reader by file extension."""

COMPRESSIONS: dict[str, str] = {".gz": "gzip", ".zst": "zstd"}

_WHOLE_FILES = frozenset(("parquet", "zip"))
"""Formats with their index at the end; they compress by themselves."""
_GLOB_CHARACTERS = frozenset("*?[")
_CHUNK_BYTES = 1 << 20


class OutsideProject(BadInput):
    """A source lies outside the project's folder."""

    code = "source_outside_project"


class SourceMissing(BadInput):
    """No file of that name, or no file that the pattern matches."""

    code = "source_missing"


class SourceNotAFile(BadInput):
    """A directory, a device or a socket where a file was expected."""

    code = "source_not_a_file"


class SourceUnreadable(BadInput):
    """The file exists but may not be read."""

    code = "source_unreadable"


class UnsupportedFormat(BadInput):
    """No reader for files with this extension."""

    code = "source_unsupported"


def format_of(name: str) -> tuple[str, str]:
    """Reader and compression ("" for none) of a file, by its extensions.

    Raises UnsupportedFormat.
    """
    reader, compression = guess_format(name)
    if not reader:
        raise UnsupportedFormat(
            f"There is no reader for {name}.",
            hint=f"Give files that end in {', '.join(FORMATS)}; all but .parquet and .zip may also end in .gz or .zst.",
        )
    return reader, compression


def guess_format(name: str) -> tuple[str, str]:
    """Like `format_of`, with an empty reader where there is none."""
    suffixes = [suffix.lower() for suffix in PurePosixPath(name.replace("\\", "/")).suffixes]
    compression = ""
    if suffixes and suffixes[-1] in COMPRESSIONS:
        compression = COMPRESSIONS[suffixes.pop()]
    reader = FORMATS.get(suffixes[-1], "") if suffixes else ""
    return ("" if compression and reader in _WHOLE_FILES else reader), compression


def digest_file(path: Path) -> tuple[str, int]:
    """SHA-256 and size of a file, read once and in pieces.

    Raises SourceUnreadable.
    """
    digest = hashlib.sha256()
    num_bytes = 0
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
                num_bytes += len(chunk)
    except OSError as error:
        raise SourceUnreadable(
            f"{path.name} cannot be read: {error.strerror}.", hint="Check the permissions of the file."
        ) from error
    return digest.hexdigest(), num_bytes


def resolve(patterns: Sequence[tuple[str, str, str]], *, base: Path) -> tuple[SourceFile, ...]:
    """The files behind (pattern, licence, origin) triples, relative to `base`, each once and ordered by name.

    A file that several patterns match takes licence and origin of the first.
    Raises OutsideProject, SourceMissing, SourceNotAFile, SourceUnreadable, UnsupportedFormat.
    """
    root = base.resolve()
    found: dict[str, SourceFile] = {}
    for pattern, licence, origin in patterns:
        for path in _matches(pattern, root=root):
            name = path.relative_to(root).as_posix()
            if name in found:
                continue
            format_of(name)
            sha256, num_bytes = digest_file(path)
            found[name] = SourceFile(
                path=str(path), name=name, sha256=sha256, num_bytes=num_bytes, licence=licence, origin=origin
            )
    return tuple(found[name] for name in sorted(found))


def resolve_tokenizer(name: str, *, base: Path) -> SourceFile:
    """The given tokenizer, one file under `base`.

    Raises OutsideProject, SourceMissing, SourceNotAFile, SourceUnreadable.
    """
    path = _matches(name, root=base.resolve())[0]
    sha256, num_bytes = digest_file(path)
    return SourceFile(path=str(path), name=name, sha256=sha256, num_bytes=num_bytes, licence="")


def _matches(pattern: str, *, root: Path) -> list[Path]:
    """Files under `root` that a pattern names; a pattern without wildcards must name one file."""
    parts = PurePosixPath(pattern.replace("\\", "/")).parts
    if not parts or "\0" in pattern:
        raise SourceMissing(f"{pattern!r} names no file.", hint="Write a path or a glob such as corpus/*.jsonl.")
    if parts[0].startswith(("/", "~")) or ".." in parts or ":" in parts[0]:
        raise OutsideProject(
            f"The source {pattern} leads outside the folder of the project file.",
            hint="Copy the documents into the project's folder and give a path relative to it.",
        )
    relative = "/".join(parts)
    if not _GLOB_CHARACTERS & set(relative):
        return [_checked(root / relative, root=root, name=relative)]
    # Hidden files are not documents; a directory that matches is not an error in a glob.
    try:
        matched = [path for path in root.glob(relative) if not _is_hidden(path.relative_to(root))]
    except ValueError as error:
        raise SourceMissing(f"{pattern!r} is no pattern: {error}.", hint="Write **/ for any folder.") from error
    paths = [_checked(path, root=root, name=path.relative_to(root).as_posix()) for path in matched if not path.is_dir()]
    if not paths:
        raise SourceMissing(f"No file matches {pattern}.", hint=f"Look at what lies in {parts[0]} beside project.yaml.")
    return sorted(paths)


def _is_hidden(relative: Path) -> bool:
    return any(part.startswith(".") for part in relative.parts)


def _checked(path: Path, *, root: Path, name: str) -> Path:
    """The path unless it is missing, not a file, unreadable, or a link that leads outside `root`."""
    try:
        real = path.resolve(strict=True)
    except FileNotFoundError as error:
        raise SourceMissing(f"There is no file {name}.", hint="Check the spelling and the folder.") from error
    except (OSError, RuntimeError) as error:
        raise SourceUnreadable(f"{name} cannot be followed to a file.", hint="Check its links and folder.") from error
    if not real.is_relative_to(root):
        raise OutsideProject(
            f"{name} is a link that leads outside the folder of the project file.",
            hint="Copy the documents into the project's folder instead of linking to them.",
        )
    if real.is_dir():
        raise SourceNotAFile(f"{name} is a directory.", hint=f"Give a glob such as {name}/*.jsonl.")
    if not real.is_file():
        raise SourceNotAFile(f"{name} is not a regular file.", hint="Give a file.")
    if not os.access(real, os.R_OK):
        raise SourceUnreadable(f"{name} may not be read.", hint="Check the permissions of the file.")
    return path
