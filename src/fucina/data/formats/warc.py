"""Web archives (ISO 28500): the pages that servers answered with."""

import io
from collections.abc import Iterator

from fastwarc.warc import ArchiveIterator, WarcRecordType

from fucina.data import records
from fucina.data.formats import document
from fucina.data.html import value_reserves
from fucina.data.recipe import HtmlProfile
from fucina.data.records import Record, broken
from fucina.data.streams import BrokenStream

_READERS = {
    "text/html": "html",
    "application/xhtml+xml": "html",
    "text/plain": "text",
    "text/markdown": "markdown",
    "application/pdf": "pdf",
}
_RESERVING = ("x-robots-tag", "tdm-reservation")


class _Pieces(io.RawIOBase):
    """Pieces of bytes as the file that the archive's iterator reads."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""
        self._position = 0
        self.failure = ""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        size = size if size > 0 else 1 << 16
        while not self._rest:
            try:
                piece = next(self._pieces, None)
            except BrokenStream as error:
                # The iterator may hide it; what came before stands.
                self.failure = str(error)
                return b""
            if piece is None:
                return b""
            self._rest = piece
        piece, self._rest = self._rest[:size], self._rest[size:]
        self._position += len(piece)
        return piece

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """The iterator asks where it is; it cannot move."""
        if (offset, whence) not in ((0, io.SEEK_CUR), (self._position, io.SEEK_SET)):
            raise io.UnsupportedOperation("seek")
        return self._position


def read(pieces: Iterator[bytes], *, name: str, profile: HtmlProfile) -> Iterator[Record]:
    """The answers in an archive that are pages or documents; other kinds of records are passed over.

    Raises BrokenStream.
    """
    stream = _Pieces(pieces)
    number = 0
    kinds = WarcRecordType.response | WarcRecordType.resource
    iterator = iter(
        ArchiveIterator(stream, record_types=kinds, stream_detect=False, parse_http=False, fsspec_args=False)
    )
    while True:
        try:
            entry = next(iterator, None)
            if entry is None:
                break
            number += 1
            yield _record(entry, name=f"{name}#{number}", profile=profile)
        except (OSError, EOFError, ValueError, RuntimeError):
            yield broken(f"{name}#end", stream.failure or "corrupt-warc")
            return
    if stream.failure:
        raise BrokenStream(stream.failure)


def _record(entry, *, name: str, profile: HtmlProfile) -> Record:  # type: ignore[no-untyped-def]
    headers = {str(key).lower(): str(value) for key, value in entry.headers.items()}
    url = headers.get("warc-target-uri", "").strip("<>")[:2000]
    num_bytes = entry.content_length
    if num_bytes > records.MAX_RECORD_BYTES:
        return broken(name, "too-large")
    block = entry.reader.read(num_bytes)
    if len(block) < num_bytes:
        raise EOFError
    entry.set_bytes_content(block)
    entry.parse_http("all")
    http = {str(key).lower(): str(value) for key, value in entry.http_headers.items()} if entry.is_http else {}
    if entry.is_http and entry.http_headers.status_code not in (None, 200):
        return broken(name, "http-error")
    media, _, parameters = (http if entry.is_http else headers).get("content-type", "").partition(";")
    reader = _READERS.get(media.strip().lower())
    if reader is None:
        return broken(name, "other-format")
    if any(value_reserves(header, http.get(header, "")) for header in _RESERVING):
        return broken(name, "opted-out")
    # The body may be compressed by itself.
    data = entry.reader.read(records.MAX_RECORD_BYTES + 1)
    if len(data) > records.MAX_RECORD_BYTES:
        return broken(name, "too-large")
    declared = parameters.lower().partition("charset=")[2].split(";")[0].strip("\"' ")
    record = document.document(data, identifier=name, reader=reader, profile=profile, declared=declared)
    return Record(id=record.id, text=record.text, encoding=record.encoding, broken=record.broken, url=url)
