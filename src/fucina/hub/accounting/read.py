"""Wire types built from the ledger."""

from fucina.client.wire import LedgerLine
from fucina.hub.accounting.models import LedgerEntry
from fucina.hub.people.models import Organisation


def ledger_lines(organisation: Organisation, project: str) -> list[LedgerLine]:
    """Every entry of a project in the order of writing, with the balance after it."""
    lines = []
    balance_gpu_s = 0
    for entry in LedgerEntry.objects.of_project(organisation, project):
        balance_gpu_s += entry.gpu_s
        lines.append(
            LedgerLine(
                at=entry.at,
                kind=entry.kind,
                gpu_s=entry.gpu_s,
                job=entry.job,
                note=entry.note,
                balance_gpu_s=balance_gpu_s,
            )
        )
    return lines
