"""Digests of files, trees and values, written the same way everywhere."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path


def sha256_file(path: Path) -> str:
    """SHA-256 of a file's bytes, in constant memory."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_json(value: object) -> str:
    """SHA-256 of a JSON value in one fixed writing: sorted keys, no spaces, UTF-8."""
    return hashlib.sha256(
        json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    ).hexdigest()


def tree_digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below `folder`, by POSIX path, sorted."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): sha256_file(path) for path in files}


def sha256_tree(digests: Mapping[str, str]) -> str:
    """One digest for many files: over their sorted paths and digests."""
    return sha256_json(sorted(digests.items()))
