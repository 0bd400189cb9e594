"""PDF from a typst template and data, with the fonts that typst carries: no browser, no network, the same bytes each
time."""

import json
from datetime import datetime
from typing import Any

import typst

from fucina.errors import FactoryError


class NotTypeset(FactoryError):
    """The PDF could not be made."""

    code = "not_typeset"


def typeset(template: bytes, data: dict[str, Any], *, what: str, made_at: datetime) -> bytes:
    """An accessible PDF (PDF/UA-1); the template finds `data` as JSON in `sys.inputs.data`. Raises NotTypeset."""
    compiler = typst.Compiler(template, font_paths=typst.Fonts(include_system_fonts=False, include_embedded_fonts=True))
    inputs = {"data": json.dumps(data, ensure_ascii=False)}
    try:
        pdf = compiler.compile(format="pdf", sys_inputs=inputs, timestamp=made_at, pdf_standards="ua-1")
    except typst.TypstError as error:
        raise NotTypeset(
            f"The {what} could not be typeset: {error.message}", hint="Report this as a defect."
        ) from error
    if not isinstance(pdf, bytes):
        raise NotTypeset(f"The {what} could not be typeset: nothing came out.", hint="Report this as a defect.")
    return pdf
