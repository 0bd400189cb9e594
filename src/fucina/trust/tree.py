"""The files of a folder that leaves the factory: what lies in it, what may not, and their digests."""

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

BLOCK_BYTES = 1 << 20
MAX_BLOCKS = 16384


class Finding(BaseModel):
    """One thing that is wrong with a release, and where."""

    model_config = ConfigDict(frozen=True)

    path: str
    """Relative to the release; "." is the folder itself."""
    code: str
    """Stable: `changed`, `missing`, `added`, `gate_failed` and so on."""
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """What one walk over a folder met. Paths are relative, with slashes, in order."""

    sizes: dict[str, int]
    """Bytes by path, of regular files."""
    findings: tuple[Finding, ...]
    """Whatever has no place in a release."""


def walk(folder: Path) -> Tree:
    """Everything under `folder`, symbolic links never followed."""
    sizes: dict[str, int] = {}
    findings: list[Finding] = []
    waiting = [""]
    while waiting:
        prefix = waiting.pop()
        try:
            with os.scandir(f"{folder}/{prefix}") as entries:
                found = list(entries)
            if not found:
                findings.append(
                    _finding(prefix or ".", "empty_folder", "The folder is empty; no signature covers that.")
                )
            for entry in found:
                path = f"{prefix}/{entry.name}" if prefix else entry.name
                if _is_folder(entry, path, findings):
                    waiting.append(path)
                elif entry.is_file(follow_symlinks=False) and _is_plain(entry.name):
                    sizes[path] = entry.stat(follow_symlinks=False).st_size
        except OSError as error:
            findings.append(_finding(prefix or ".", "unreadable", f"The folder cannot be read: {error.strerror}."))
    ordered = tuple(sorted(findings, key=lambda finding: (finding.path, finding.code)))
    return Tree(sizes=dict(sorted(sizes.items())), findings=ordered)


def _is_folder(entry: os.DirEntry[str], path: str, findings: list[Finding]) -> bool:
    """Whether to go into it; what is neither a plain file nor a plain folder becomes a finding."""
    if not _is_plain(entry.name):
        findings.append(_finding(path, "bad_name", "The name has characters that a release does not use."))
    elif entry.is_symlink():
        findings.append(_finding(path, "symlink", "A symbolic link has no place in a release."))
    elif entry.is_dir(follow_symlinks=False):
        return True
    elif not entry.is_file(follow_symlinks=False):
        findings.append(_finding(path, "special_file", "Neither a file nor a folder."))
    return False


def _is_plain(name: str) -> bool:
    return name.isprintable() and not set(name) & {"\\", ":"} and name.isascii()


def _finding(path: str, code: str, message: str) -> Finding:
    return Finding(path=os.fsencode(path).decode("utf-8", "backslashreplace"), code=code, message=message)


def read_blocks(path: Path, *, block_bytes: int = BLOCK_BYTES) -> Iterator[bytes]:
    """The content of a regular file in blocks; raises OSError for anything else."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(0, "Not a regular file")
        while block := _read_full(file.fileno(), block_bytes):
            yield block


def _read_full(descriptor: int, num_bytes: int) -> bytes:
    block = os.read(descriptor, num_bytes)
    while block and len(block) < num_bytes:
        more = os.read(descriptor, num_bytes - len(block))
        if not more:
            break
        block += more
    return block


def sha256_of(path: Path) -> str:
    """SHA-256 of a regular file, hexadecimal. Raises OSError."""
    digest = hashlib.sha256()
    for block in read_blocks(path):
        digest.update(block)
    return digest.hexdigest()


def block_bytes_for(num_bytes: int) -> int:
    """Size of the blocks that a file of `num_bytes` is described with."""
    size = BLOCK_BYTES
    while num_bytes > size * MAX_BLOCKS:
        size *= 2
    return size


def block_digests(path: Path, *, block_bytes: int) -> tuple[str, ...]:
    """SHA-256 of each block, hexadecimal; they say later which part of a large file changed. Raises OSError."""
    return tuple(hashlib.sha256(block).hexdigest() for block in read_blocks(path, block_bytes=block_bytes))


CONTENT_FOLDERS = ("data/", "evaluation/", "model/")
"""What is the same for the same weights; the rest of a release carries times."""


def content_digest_of(digests: dict[str, str]) -> str:
    """SHA-256 over the sorted paths and digests of the content folders: one line `digest  path` each."""
    lines = [f"{digest}  {path}\n" for path, digest in sorted(digests.items()) if path.startswith(CONTENT_FOLDERS)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()
