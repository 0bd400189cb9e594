"""Files that are one document each: plain text, Markdown, HTML, PDF, office documents."""

import re
from collections.abc import Callable, Iterator

from fucina.data.encodings import decode
from fucina.data.formats import office, pdf
from fucina.data.html import NestedTooDeep, OptedOut, extract
from fucina.data.recipe import HtmlProfile
from fucina.data.records import Record, broken, collect, whole

_FRONT_MATTER = re.compile(r"\A---\n.{0,20000}?\n(?:---|\.\.\.)\n", re.DOTALL)

_BINARY: dict[str, Callable[[bytes], str]] = {"pdf": pdf.text_of, "docx": office.docx_text, "odt": office.odt_text}

READERS = frozenset({"text", "markdown", "html", *_BINARY})
"""The formats that `read` knows."""


def read(pieces: Iterator[bytes], *, name: str, reader: str, profile: HtmlProfile) -> Record:
    """The document that a file is.

    Raises BrokenStream.
    """
    data = collect(pieces)
    if data is None:
        return broken(name, "too-large")
    return document(data, identifier=name, reader=reader, profile=profile)


def document(data: bytes, *, identifier: str, reader: str, profile: HtmlProfile, declared: str = "") -> Record:
    """The document in these bytes; `declared` is the encoding that a server named."""
    if not data.strip():
        return broken(identifier, "empty")
    if reader in _BINARY:
        try:
            return whole(identifier, _BINARY[reader](data), encoding="")
        except (pdf.BrokenPdf, office.BrokenOffice) as error:
            return broken(identifier, str(error))
    decoded = decode(data, html=reader == "html", declared=declared)
    if not decoded.encoding:
        return broken(identifier, "not-text")
    text = decoded.text
    if reader == "html":
        try:
            text = extract(text, profile=profile)
        except NestedTooDeep:
            return broken(identifier, "nested-too-deep")
        except OptedOut:
            return broken(identifier, "opted-out")
    elif reader == "markdown":
        text = _FRONT_MATTER.sub("", text.replace("\r\n", "\n"))
    return whole(identifier, text, encoding=decoded.encoding)
