"""Wire types built from the ledger."""

from collections.abc import Sequence
from typing import Any

from django.db.models import Sum

from fucina.client.wire import LedgerLine
from fucina.hub.accounting.models import Allocation, LedgerEntry
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


class NewestFirst(Sequence[LedgerLine]):
    """The ledger of a project from its end, read as far as a page shows it; `balance_gpu_s` is what is left now."""

    def __init__(self, organisation: Organisation, project: str, *, balance_gpu_s: int) -> None:
        allocations = list(Allocation.objects.of_project(organisation, project).values_list("pk", flat=True))
        self._entries = LedgerEntry.objects.filter(allocation__in=allocations).order_by("-pk")
        self._balance_gpu_s = balance_gpu_s

    def __len__(self) -> int:
        return self._entries.count()

    def __getitem__(self, part: Any) -> Any:
        if isinstance(part, int):
            return self[part : part + 1][0]
        left_gpu_s = self._balance_gpu_s
        if part.start:
            left_gpu_s -= self._entries[: part.start].aggregate(total=Sum("gpu_s", default=0))["total"]
        lines = []
        for fields in self._entries[part].values("at", "kind", "gpu_s", "job", "note"):
            lines.append(LedgerLine.model_validate(fields | {"balance_gpu_s": left_gpu_s}))
            left_gpu_s -= fields["gpu_s"]
        return lines
