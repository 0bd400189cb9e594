"""Bytes of a possibly compressed file, in pieces of bounded size and up to a bounded total."""

import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Protocol

import zstandard

MAX_EXPANSION = 256
"""Bytes out per byte in, above which a compressed file is taken for a decompression bomb."""

FREE_BYTES = 64 << 20
"""Output that every compressed file may have, whatever its size."""

# Small pieces bound what one call can expand to: deflate gives at most 1,032 times its input, and a Zstandard
# block of four bytes at most 128 KiB.
_PIECE_BYTES = {"": 1 << 20, "gzip": 1 << 13, "zstd": 1 << 10}
_MAX_WINDOW_BYTES = 128 << 20


class BrokenStream(Exception):
    """The rest of the file cannot be read; what came before stands. The argument is the reason."""


class _Decoder(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


def _decoder(compression: str) -> _Decoder:
    if compression == "gzip":
        return zlib.decompressobj(wbits=31)
    decoder: _Decoder = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW_BYTES).decompressobj()
    return decoder


def read_pieces(path: Path, *, compression: str) -> Iterator[bytes]:
    """Decompressed pieces of a file; several gzip members or Zstandard frames one after the other are one file.

    Raises BrokenStream with `truncated`, `corrupt-compression` or `expands-too-much` after the last good piece.
    """
    with path.open("rb") as file:
        pieces = iter(partial(file.read, _PIECE_BYTES[compression]), b"")
        if compression:
            pieces = check_expansion(expand(pieces, compression=compression), num_in=path.stat().st_size)
        yield from pieces


def check_expansion(pieces: Iterator[bytes], *, num_in: int) -> Iterator[bytes]:
    """The pieces until they are together more than `num_in` bytes may expand to.

    Raises BrokenStream with `expands-too-much`.
    """
    left = FREE_BYTES + MAX_EXPANSION * num_in
    for piece in pieces:
        left -= len(piece)
        if left < 0:
            raise BrokenStream("expands-too-much")
        yield piece


def expand(pieces: Iterator[bytes], *, compression: str) -> Iterator[bytes]:
    """What compressed pieces decompress to.

    Raises BrokenStream with `truncated` or `corrupt-compression`.
    """
    size = _PIECE_BYTES[compression]
    decoder: _Decoder | None = None
    for piece in pieces:
        for start in range(0, len(piece), size):
            data = piece[start : start + size]
            while data:
                decoder = decoder or _decoder(compression)
                try:
                    out = decoder.decompress(data)
                except (zlib.error, zstandard.ZstdError) as error:
                    raise BrokenStream("corrupt-compression") from error
                data = b""
                if decoder.eof:
                    data, decoder = decoder.unused_data.lstrip(b"\0"), None
                if out:
                    yield out
    if decoder is not None:
        raise BrokenStream("truncated")


def read_lines(pieces: Iterator[bytes], *, max_bytes: int) -> Iterator[bytes | None]:
    """Lines without their newline; None stands for a line of more than `max_bytes`, which is skipped unread."""
    parts: list[bytes] = []
    num_bytes = 0
    for piece in pieces:
        start = 0
        while (end := piece.find(b"\n", start)) >= 0:
            num_bytes += end - start
            yield None if num_bytes > max_bytes else b"".join((*parts, piece[start:end]))
            parts, num_bytes, start = [], 0, end + 1
        num_bytes += len(piece) - start
        if num_bytes > max_bytes:
            parts = []
        else:
            parts.append(piece[start:])
    if num_bytes:
        yield None if num_bytes > max_bytes else b"".join(parts)
