"""When waiting jobs are expected to start, as the site's own queue says, told only when it says something new."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable

from fucina.compute.executor import Executor
from fucina.compute.spec import JobReport, JobState

MAX_ASKED = 1000
"""Jobs that one query names; the oldest are asked about first."""
SAME = timedelta(minutes=1)
"""An estimate that moves by less is not told again,"""
SAME_SHARE = 0.1
"""nor one that moves by less than this share of the wait that is left."""


@runtime_checkable
class Forecaster(Protocol):
    """An executor whose queue plans ahead."""

    def start_estimates(self, keys: Iterable[str]) -> dict[str, datetime]:
        """When waiting jobs are expected to start, in one query; without those about which it cannot say."""


class Expected:
    """What one executor's queue has said last."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._starts: dict[str, datetime] = {}

    def look(self, reports: Mapping[str, JobReport], *, at: datetime) -> None:
        """Ask about the jobs that wait. Raises Unavailable and what else the executor raises."""
        waiting = [key for key, report in reports.items() if report.state is JobState.CLAIMED][:MAX_ASKED]
        if not isinstance(self._executor, Forecaster):
            return
        found = self._executor.start_estimates(waiting) if waiting else {}
        self._starts = {key: self._kept(key, start, at=at) for key, start in found.items()}

    def add_to(self, report: JobReport) -> JobReport:
        """The report of a waiting job with its expected start."""
        start = self._starts.get(report.key) if report.state is JobState.CLAIMED else None
        return report if start is None else report.model_copy(update={"starts_at": start})

    def _kept(self, key: str, start: datetime, *, at: datetime) -> datetime:
        """The estimate that was told already, where the new one says much the same."""
        told = self._starts.get(key)
        if told is None or told < at:
            return start
        moved = abs(start - told)
        return told if moved < SAME or moved < SAME_SHARE * (start - at) else start
