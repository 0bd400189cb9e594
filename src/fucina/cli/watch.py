"""Five live bars for a run; plain lines where no terminal looks on."""

import time

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from fucina.cli.output import Format, err, out
from fucina.client.hub import Hub
from fucina.client.wire import JobInfo, RunInfo
from fucina.compute.spec import FINAL, JobState
from fucina.errors import Unavailable

POLL_S = 1.0
LINE_S = 10.0
"""Between two lines about one stage where there is no terminal."""

MARKS = {
    JobState.BLOCKED: "·",
    JobState.QUEUED: "…",
    JobState.CLAIMED: "…",
    JobState.RUNNING: "▶",
    JobState.SUCCEEDED: "✓",
    JobState.FAILED: "✗",
    JobState.TIMED_OUT: "✗",
    JobState.CANCELLED: "—",
    JobState.UNKNOWN: "?",
}


def is_over(run: RunInfo) -> bool:
    """Whether nothing more will happen: a run that succeeded is over once its release is registered."""
    return run.ended_at is not None


def watch(hub: Hub, ref: str, form: Format) -> RunInfo:
    """Show a run until it is over; a hub that restarts meanwhile is waited for."""
    if form is Format.JSON or not out.is_terminal:
        return _watch_plainly(hub, ref, form)
    with Progress(
        TextColumn("{task.fields[mark]} {task.description:9}"),
        BarColumn(bar_width=28),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[words]}"),
        console=out,
    ) as bars:
        tasks: dict[str, TaskID] = {}
        while True:
            run = _ask(hub, ref)
            for job in run.jobs:
                name = str(job.stage)
                if name not in tasks:
                    tasks[name] = bars.add_task(name, total=1.0, start=False, mark="·", words="")
                _draw(bars, tasks[name], job)
            if is_over(run):
                return run
            time.sleep(POLL_S)


def _draw(bars: Progress, task: TaskID, job: JobInfo) -> None:
    if job.state is JobState.RUNNING and not bars.tasks[task].started:
        bars.start_task(task)
    line = job.progress
    done = 1.0 if job.state is JobState.SUCCEEDED else (line.done / line.total if line and line.total else 0.0)
    bars.update(task, completed=done, mark=MARKS[job.state], words=words(job))
    if job.state in FINAL and bars.tasks[task].started and not bars.tasks[task].stop_time:
        bars.stop_task(task)


def words(job: JobInfo) -> str:
    """The newest thing to say about a stage, in a few words."""
    if job.state in (JobState.FAILED, JobState.TIMED_OUT, JobState.CANCELLED):
        return job.reason[:80]
    line = job.progress
    if line is None:
        return ""
    numbers = [f"loss {line.values['loss']:.2f}"] if "loss" in line.values else []
    if "tokens_per_s" in line.values:
        numbers.append(f"{line.values['tokens_per_s']:,.0f} tokens/s")
    return ", ".join(
        (f"{line.done:,}/{line.total:,} {line.unit}", *numbers, *([line.message] if line.message else []))
    )[:80]


def _watch_plainly(hub: Hub, ref: str, form: Format) -> RunInfo:
    said: dict[str, tuple[JobState, float]] = {}
    while True:
        run = _ask(hub, ref)
        for job in run.jobs:
            state, at = said.get(str(job.stage), (JobState.BLOCKED, 0.0))
            now = time.monotonic()
            if job.state is not state or (job.state is JobState.RUNNING and now - at >= LINE_S):
                said[str(job.stage)] = (job.state, now)
                if form is Format.TEXT:
                    out.print(
                        f"{MARKS[job.state]} {job.stage:9} {job.state:10} {words(job)}", markup=False, soft_wrap=True
                    )
        if is_over(run):
            return run
        time.sleep(POLL_S)


def _ask(hub: Hub, ref: str) -> RunInfo:
    """The run; while the hub does not answer, asked again for a minute."""
    until = time.monotonic() + 60
    while True:
        try:
            return hub.run(ref)
        except Unavailable as error:
            if time.monotonic() > until:
                raise
            err.print(f"{error.message} Waiting for it.", style="dim")
            time.sleep(2)
