"""Storages behind the commands, and behind a site's agent."""

import re
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from fucina.data.storage import open_s3
from fucina.data.store import ContentStore
from fucina.errors import BadInput
from fucina.line.digests import sha256_file
from fucina.network.spec import ObjectStore, SlurmSite

LIMIT_S = 30
"""How long the site's side of a transfer works before it leaves to be called again; less than a command may take."""
_STORE = re.compile(r"^(?:s3://)?([A-Za-z0-9][A-Za-z0-9._-]{1,254})/([A-Za-z0-9_-][A-Za-z0-9._/-]{0,200})$")


class BadStore(BadInput):
    """A text that names no folder of a storage, or a file that cannot be stored."""

    code = "bad_store"


class Stored(BaseModel):
    """A file that is in the storage."""

    model_config = ConfigDict(frozen=True)

    path: str
    sha256: str
    num_bytes: int
    num_sent: int
    """0 where it was there already."""


class S3Carrier:
    """The storage between this machine and a site behind SSH. Implements `Carrier`."""

    def __init__(self, about: ObjectStore, slurm: SlurmSite) -> None:
        self.min_bytes = about.min_bytes
        self._about = about
        self._program = str(slurm.programs / "fucina") if slurm.programs else "fucina"
        self._store = store_of(about)

    def put(self, path: Path, sha256: str) -> int:
        """Lay a content down; returns how many bytes were sent. Raises StoreUnreachable, BadContent."""
        return self._store.put(path, sha256)

    def get_argv(self, sha256: str, target: str) -> list[str]:
        """The site's command that fetches it."""
        about = self._about
        options = [f"--store={about.bucket}/{about.folder}", f"--limit={LIMIT_S}"]
        options += [f"--s3-endpoint={about.endpoint}"] if about.endpoint else []
        options += [f"--s3-region={about.region}"] if about.region else []
        return [self._program, "data", "get", sha256, target, *options]


def store_of(about: ObjectStore) -> ContentStore:
    """The storage that a site file names. Raises BadEndpoint."""
    files = open_s3(endpoint=about.endpoint, region=about.region, anonymous=False)
    return ContentStore(files, f"{about.bucket}/{about.folder}")


def open_store(name: str, *, endpoint: str, region: str) -> ContentStore:
    """The storage behind `BUCKET/FOLDER`. Raises BadStore, BadEndpoint."""
    match = _STORE.match(name)
    if match is None or ".." in match[2].split("/"):
        raise BadStore(f"{name[:200]!r} names no folder of a storage.", hint="Write BUCKET/FOLDER.")
    return ContentStore(open_s3(endpoint=endpoint, region=region, anonymous=False), f"{match[1]}/{match[2]}")


def put_files(store: ContentStore, files: Sequence[Path]) -> list[Stored]:
    """Store each file by its digest. Raises BadStore, StoreUnreachable, BadContent."""
    for file in files:
        if not file.is_file():
            raise BadStore(f"{file} is no file that can be read.", hint="Check the path.")
    stored = []
    for file in files:
        sha256 = sha256_file(file)
        sent = store.put(file, sha256)
        stored.append(Stored(path=str(file), sha256=sha256, num_bytes=file.stat().st_size, num_sent=sent))
    return stored
