"""The text layer of PDF documents."""

import io
import logging

from pypdf import PdfReader
from pypdf.errors import DependencyError, FileNotDecryptedError, PyPdfError

from fucina.data import records

_MAX_PAGES = 20_000

# Every oddity of a file would otherwise be a line on the terminal.
logging.getLogger("pypdf").setLevel(logging.CRITICAL)


class BrokenPdf(Exception):
    """No text can be had; the argument is the reason."""


def text_of(data: bytes) -> str:
    """The text of all pages, a blank line between two.

    Raises BrokenPdf.
    """
    try:
        reader = PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise BrokenPdf("encrypted")
        pages: list[str] = []
        num_characters = 0
        for number, page in enumerate(reader.pages):
            text = page.extract_text().strip()
            num_characters += len(text)
            if number >= _MAX_PAGES or num_characters > records.MAX_RECORD_BYTES:
                raise BrokenPdf("too-large")
            pages.append(text)
    except (DependencyError, FileNotDecryptedError) as error:
        raise BrokenPdf("encrypted") from error
    # The library lets what a damaged file provokes in it through.
    except (PyPdfError, ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError, OSError) as error:
        raise BrokenPdf("corrupt-pdf") from error
    text = "\n\n".join(page for page in pages if page)
    if not text:
        raise BrokenPdf("no-text-layer")
    return text
