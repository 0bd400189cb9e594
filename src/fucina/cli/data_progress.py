"""A bar on the terminal for `fucina data prepare`, and the way to a Ray cluster."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from rich.progress import Progress as Bars
from rich.progress import TaskID

from fucina.compute.record import Progress
from fucina.errors import BadInput

if TYPE_CHECKING:
    from fucina.data.executors import Executor


class RayMissing(BadInput):
    """Ray is not installed here."""

    code = "ray_missing"


class BarProgress(Progress):
    """Also draws a bar for each step."""

    def __init__(self, path: Path, *, bars: Bars) -> None:
        super().__init__(path, stage="prepare")
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def report(
        self, *, done: int, total: int, unit: str, message: str = "", values: Mapping[str, float] | None = None
    ) -> None:
        """See Progress."""
        super().report(done=done, total=total, unit=unit, message=message, values=values)
        if message not in self._tasks:
            self._tasks[message] = self._bars.add_task(message, total=total)
        self._bars.update(self._tasks[message], completed=done, total=total)


def connect_ray(address: str) -> "Executor":
    """The executor on a Ray cluster.

    Raises RayMissing, and ClusterUnreachable.
    """
    try:
        from fucina.data.on_ray import RayExecutor
    except ModuleNotFoundError as error:
        raise RayMissing("Ray is not installed here.", hint="pip install 'fucina[ray]'") from error
    return RayExecutor(address)
