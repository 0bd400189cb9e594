"""A release as one ZIP file that is written while it is sent."""

import io
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from typing_extensions import Buffer

CHUNK_BYTES = 2**20
EPOCH = (1980, 1, 1, 0, 0, 0)
"""Of every entry, so that the same release gives the same bytes."""


class _Outbox(io.RawIOBase):
    """Keeps what was written until it is taken; cannot seek, so the archive is written in one go."""

    def __init__(self) -> None:
        super().__init__()
        self._data = bytearray()
        self._position = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def write(self, data: Buffer, /) -> int:
        piece = bytes(data)
        self._data += piece
        self._position += len(piece)
        return len(piece)

    def take(self) -> bytes:
        """What was written since the last time."""
        data = bytes(self._data)
        self._data.clear()
        return data


def stream_zip(folder: Path, paths: Iterable[str], *, root: str) -> Iterator[bytes]:
    """The files of `folder` under `root/`, stored without compression."""
    outbox = _Outbox()
    with zipfile.ZipFile(outbox, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for path in paths:
            info = zipfile.ZipInfo(f"{root}/{path}", date_time=EPOCH)
            info.external_attr = 0o644 << 16
            with (folder / path).open("rb") as source, archive.open(info, "w", force_zip64=True) as target:
                while chunk := source.read(CHUNK_BYTES):
                    target.write(chunk)
                    yield outbox.take()
            yield outbox.take()
    yield outbox.take()
