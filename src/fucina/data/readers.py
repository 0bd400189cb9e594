"""Records from source files: the reader for each format; a broken record carries its reason and stops nothing."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from fucina.data.formats import archive, csv_table, document, jsonl, parquet, warc
from fucina.data.recipe import HtmlProfile
from fucina.data.records import BROKEN, MAX_RECORD_BYTES, Record, broken
from fucina.data.sources import format_of, guess_format
from fucina.data.streams import BrokenStream, read_pieces

__all__ = ["BROKEN", "MAX_RECORD_BYTES", "Record", "read_records"]


def read_records(path: Path, *, name: str, profile: HtmlProfile = HtmlProfile.FAST) -> Iterator[Record]:
    """Records of one source file in their order; ids are the record's own, else the source's name and the position."""
    reader, compression = format_of(name)
    try:
        if reader == "parquet":
            yield from parquet.read(path, name=name)
        elif reader == "zip":
            members = partial(_read_member, profile=profile)
            yield from archive.read(path, name=name, format_of=guess_format, read_member=members)
        else:
            yield from _read_pieces(read_pieces(path, compression=compression), name, reader, profile=profile)
    except BrokenStream as error:
        yield broken(f"{name}#end", str(error))
    except OSError:
        yield broken(f"{name}#end", "unreadable")


def _read_pieces(pieces: Iterator[bytes], name: str, reader: str, *, profile: HtmlProfile) -> Iterator[Record]:
    if reader == "jsonl":
        yield from jsonl.read(pieces, name=name)
    elif reader == "csv":
        yield from csv_table.read(pieces, name=name)
    elif reader == "warc":
        yield from warc.read(pieces, name=name, profile=profile)
    else:
        yield document.read(pieces, name=name, reader=reader, profile=profile)


def _read_member(pieces: Iterator[bytes], name: str, reader: str, *, profile: HtmlProfile) -> Iterator[Record]:
    """A member of an archive: what breaks it leaves the other members alone, but for a bomb."""
    try:
        yield from _read_pieces(pieces, name, reader, profile=profile)
    except BrokenStream as error:
        if str(error) == "expands-too-much":
            raise
        yield broken(f"{name}#end", str(error))
