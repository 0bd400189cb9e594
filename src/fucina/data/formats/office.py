"""Text of word-processor documents: DOCX (ISO/IEC 29500) and ODT (ISO/IEC 26300)."""

import io
import zipfile
import zlib
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import iterparse

from fucina.data import records

_WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_ODF_TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
_ODF_OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
_PIECE_BYTES = 1 << 20

_DOCX_SKIPPED = frozenset(_WORD + name for name in ("del", "instrText", "delText", "delInstrText"))
_DOCX_BREAKS = {_WORD + "tab": "\t", _WORD + "br": "\n", _WORD + "cr": "\n", _WORD + "noBreakHyphen": "-"}
_ODT_SKIPPED = frozenset((_ODF_OFFICE + "annotation", _ODF_TEXT + "tracked-changes", _ODF_TEXT + "note-citation"))
_ODT_BREAKS = {_ODF_TEXT + "tab": "\t", _ODF_TEXT + "line-break": "\n"}


class BrokenOffice(Exception):
    """No text can be had; the argument is the reason."""


def docx_text(data: bytes) -> str:
    """The paragraphs of a Word document, deleted text left out.

    Raises BrokenOffice.
    """
    return _text(data, member="word/document.xml", paragraphs=frozenset((_WORD + "p",)), words=_docx_words)


def odt_text(data: bytes) -> str:
    """The paragraphs and headings of an OpenDocument text, notes kept, comments and deleted text left out.

    Raises BrokenOffice.
    """
    return _text(data, member="content.xml", paragraphs=frozenset((_ODF_TEXT + "p", _ODF_TEXT + "h")), words=_odt_words)


def _docx_words(element: Element) -> str:
    parts: list[str] = []
    stack = [element]
    while stack:
        node = stack.pop()
        if node.tag in _DOCX_SKIPPED:
            continue
        if node.tag == _WORD + "t":
            parts.append(node.text or "")
        else:
            parts.append(_DOCX_BREAKS.get(node.tag, ""))
        stack.extend(reversed(node))
    return "".join(parts)


def _odt_words(element: Element) -> str:
    parts = [element.text or ""]
    stack: list[Element | str] = [*_with_tails(element)]
    while stack:
        node = stack.pop()
        if isinstance(node, str):
            parts.append(node)
        elif node.tag == _ODF_TEXT + "s":
            parts.append(" " * min(100, int(node.get(_ODF_TEXT + "c", "1"))))
        elif node.tag not in _ODT_SKIPPED:
            parts.append(_ODT_BREAKS.get(node.tag, "") + (node.text or ""))
            stack.extend(_with_tails(node))
    return "".join(parts)


def _with_tails(element: Element) -> list[Element | str]:
    """Children and the text behind each, last first."""
    found: list[Element | str] = []
    for child in reversed(element):
        found += [child.tail or "", child]
    return found


def _text(data: bytes, *, member: str, paragraphs: frozenset[str], words) -> str:  # type: ignore[no-untyped-def]
    lines: list[str] = []
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            content = _member(archive, member)
        inside = 0
        for event, element in iterparse(io.BytesIO(content), events=("start", "end"), forbid_dtd=True):
            if element.tag in paragraphs:
                inside += 1 if event == "start" else -1
                # A text box inside a paragraph is part of the outer one.
                if event == "end" and not inside:
                    lines.append(words(element))
                    element.clear()
    except (zipfile.BadZipFile, KeyError, EOFError, zlib.error, NotImplementedError) as error:
        raise BrokenOffice("corrupt-office") from error
    except RuntimeError as error:
        raise BrokenOffice("encrypted") from error
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise BrokenOffice("corrupt-office") from error
    return "\n".join(lines)


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    """A member of at most the size of a record, whatever the archive says about it."""
    parts, num_bytes = [], 0
    with archive.open(name) as file:
        while piece := file.read(_PIECE_BYTES):
            num_bytes += len(piece)
            if num_bytes > records.MAX_RECORD_BYTES:
                raise BrokenOffice("expands-too-much")
            parts.append(piece)
    return b"".join(parts)
