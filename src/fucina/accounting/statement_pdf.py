"""The statement as a PDF, set by typst from the template in the package."""

import json
from datetime import UTC
from importlib.resources import files

import typst

from fucina.accounting.statement import Statement
from fucina.errors import FactoryError
from fucina.units import gpu_hours

TEMPLATE = "statement.typ"
MAX_JOBS = 200
"""Jobs that the PDF lists; all of them are in the CSV."""


class StatementNotTypeset(FactoryError):
    """The PDF could not be made."""

    code = "statement_not_typeset"


def statement_pdf(statement: Statement) -> bytes:
    """The same statement gives the same bytes. Raises StatementNotTypeset."""
    source = files("fucina.accounting").joinpath(TEMPLATE).read_bytes()
    compiler = typst.Compiler(source, font_paths=typst.Fonts(include_system_fonts=False, include_embedded_fonts=True))
    made_at = statement.made_at.astimezone(UTC).replace(microsecond=0)
    data = json.dumps(_data(statement), ensure_ascii=False)
    try:
        pdf = compiler.compile(format="pdf", sys_inputs={"data": data}, timestamp=made_at, pdf_standards="ua-1")
    except typst.TypstError as error:
        raise StatementNotTypeset(
            f"The statement could not be typeset: {error.message}", hint="Report this as a defect."
        ) from error
    if not isinstance(pdf, bytes):
        raise StatementNotTypeset("The statement could not be typeset: nothing came out.", hint="Report this.")
    return pdf


def _data(statement: Statement) -> dict[str, object]:
    return {
        "project": f"{statement.name} ({statement.project})",
        "organisation": statement.organisation,
        "month": statement.month,
        "made_at": f"{statement.made_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC",
        "is_closed": statement.is_closed,
        "num_jobs": f"{statement.num_jobs:,}",
        "used": gpu_hours(statement.used_gpu_s),
        "used_s": f"{statement.used_gpu_s:,}",
        "refunded": gpu_hours(statement.refunded_gpu_s),
        "allocations": [
            [
                f"{line.allocation} · {line.site}/{line.partition}",
                *map(gpu_hours, (line.opening_gpu_s, line.granted_gpu_s, line.used_gpu_s, line.refunded_gpu_s)),
                *map(gpu_hours, (line.expired_gpu_s, line.held_gpu_s, line.closing_gpu_s)),
            ]
            for line in statement.allocations
        ],
        "jobs": [
            [
                job.native_id or job.job,
                job.site,
                job.user,
                job.state,
                f"{job.ended_at:%Y-%m-%d %H:%M}",
                f"{job.gpu_s:,}",
            ]
            for job in statement.jobs[:MAX_JOBS]
        ],
        "num_left_out": statement.num_jobs - min(len(statement.jobs), MAX_JOBS),
    }
