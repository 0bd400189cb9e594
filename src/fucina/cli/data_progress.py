"""A bar on the terminal for `fucina data prepare`, and where its steps run."""

import contextlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from rich.progress import Progress as Bars
from rich.progress import TaskID

from fucina.compute.record import Progress
from fucina.errors import BadInput

if TYPE_CHECKING:
    from fucina.data.executors import Executor
    from fucina.data.recipe import PrepareRecipe
    from fucina.data.recipe_file import Storage

SCRATCH = ".scratch"
_RECIPE = "recipe.json"


class RayMissing(BadInput):
    """Ray is not installed here."""

    code = "ray_missing"


class TwoExecutors(BadInput):
    """A run is to go to two places at once."""

    code = "two_executors"


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


def choose_executor(recipe: "PrepareRecipe", target: Path, *, threads: int, ray: str, slurm: int) -> "Executor":
    """Threads here, a Ray cluster or Slurm arrays.

    Raises TwoExecutors, RayMissing, and ClusterUnreachable.
    """
    from fucina.data.executors import LocalExecutor
    from fucina.data.on_slurm import SlurmExecutor

    if ray and slurm:
        raise TwoExecutors("Both --ray and --slurm are given.", hint="Choose where the steps run.")
    if not slurm:
        return connect_ray(ray) if ray else LocalExecutor(threads)
    scratch = (target / SCRATCH).resolve()
    # A task reads the recipe as it was when the run began, digests of its sources included.
    (scratch / _RECIPE).write_text(recipe.model_dump_json(), encoding="utf-8")
    command = [sys.executable, "-m", "fucina.cli", "data", "work", "--out", str(target.resolve())]
    return SlurmExecutor(command, num_tasks=slurm, folder=scratch)


def fetch_list(addresses: Path, folder: Path, storage: "Storage") -> dict[str, str]:
    """What `prepare` does with a list of addresses: fetch what is not there yet, and say what was refused."""
    from fucina.cli.output import err
    from fucina.data.fetch import Limits, fetch_all, fetched_files, read_list
    from fucina.data.storage import open_s3

    summary = fetch_all(
        read_list(addresses),
        folder=folder,
        limits=Limits(),
        s3=lambda: open_s3(endpoint=storage.endpoint, region=storage.region, anonymous=storage.anonymous),
        report=lambda _fetched: None,
    )
    refused = ", ".join(f"{reason} {count}" for reason, count in summary.refused.items())
    err.print(f"{addresses.name}: {summary.kept} files fetched; refused: {refused or 'none'}.", markup=False)
    return fetched_files(folder)


def do_share(target: Path, *, step: str, share: int, num_shares: int) -> None:
    """A share of a step of the run that writes to `target`."""
    from fucina.data.executors import ShareDone
    from fucina.data.on_slurm import Share, ShareExecutor
    from fucina.data.pipeline import prepare
    from fucina.data.recipe import PrepareRecipe

    scratch = target / SCRATCH
    recipe = PrepareRecipe.model_validate_json((scratch / _RECIPE).read_bytes())
    executor = ShareExecutor(Share(step=step, index=share, num_shares=num_shares))
    progress = Progress(scratch / f"progress-{step}-{share}.ndjson", stage="prepare")
    with contextlib.suppress(ShareDone):
        prepare(recipe, workdir=target, out=target, scratch=scratch, progress=progress, executor=executor)


def connect_ray(address: str) -> "Executor":
    """The executor on a Ray cluster.

    Raises RayMissing, and ClusterUnreachable.
    """
    try:
        from fucina.data.on_ray import RayExecutor
    except ModuleNotFoundError as error:
        raise RayMissing("Ray is not installed here.", hint="pip install 'fucina[ray]'") from error
    return RayExecutor(address)
