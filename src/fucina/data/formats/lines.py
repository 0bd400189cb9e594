"""Lines of text from the pieces of a file, whatever its encoding."""

from collections.abc import Iterator
from itertools import chain

from fucina.data import records
from fucina.data.encodings import decode
from fucina.data.streams import read_lines


class UnreadableLines(Exception):
    """The file as a whole is no text; the argument is the reason."""


def byte_lines(pieces: Iterator[bytes]) -> tuple[Iterator[bytes | None], str]:
    """Lines in an ASCII superset, and the encoding that was undone for that ("" for none).

    None stands for a line that is too large. A UTF-16 file is read whole first.
    Raises UnreadableLines, BrokenStream.
    """
    first = next(pieces, b"")
    whole = chain((first.removeprefix(b"\xef\xbb\xbf"),), pieces)
    if first[:2] not in (b"\xff\xfe", b"\xfe\xff") and b"\0" not in first[:64]:
        return read_lines(whole, max_bytes=records.MAX_RECORD_BYTES), ""
    data = records.collect(whole)
    if data is None:
        raise UnreadableLines("too-large")
    decoded = decode(data)
    if not decoded.encoding:
        raise UnreadableLines("not-text")
    return iter([line.encode("utf-8", "replace") for line in decoded.text.split("\n")]), decoded.encoding
