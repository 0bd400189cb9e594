"""What queue and accounting together say about one job."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from fucina.compute.slurm.rows import task_indices
from fucina.compute.slurm.sacct import AccountingRow
from fucina.compute.slurm.squeue import QueueRow
from fucina.compute.slurm.states import AGAIN, base_state, end_in_words, exit_code, reason_in_words, state_of
from fucina.compute.spec import FINAL, JobReport, JobSpec, JobState

_WORST = (JobState.FAILED, JobState.TIMED_OUT, JobState.CANCELLED, JobState.SUCCEEDED)


def num_tasks(spec: JobSpec) -> int:
    """Tasks of the job: 1 where it is no array."""
    return len(set(task_indices(spec.array))) if spec.array else 1


def live_report(key: str, rows: Sequence[QueueRow], *, now: float) -> JobReport | None:
    """What the queue says, or None when no row of it is live any more."""
    live = [(state_of(row.state), row) for row in rows]
    live = [(state, row) for state, row in live if state not in FINAL]
    if not live:
        return None
    native = str(rows[0].base_id)
    running = [row for state, row in live if state is JobState.RUNNING]
    waiting = [row for state, row in live if state is JobState.CLAIMED]
    if running:
        began = min((row.start_at for row in running if row.start_at), default=None)
        return JobReport(
            key=key,
            state=JobState.RUNNING,
            native_id=native,
            started_at=_at(began),
            wall_s=max(0.0, now - began) if began else 0.0,
            num_attempts=1 + max(row.num_restarts for row in running),
        )
    if waiting:
        first = waiting[0]
        return JobReport(
            key=key,
            state=JobState.CLAIMED,
            native_id=native,
            reason=reason_in_words(first.reason),
            pending_reason=first.reason.strip("()"),
            num_attempts=max(row.num_restarts for row in waiting),
        )
    words = ", ".join(sorted({row.state for _, row in live}))
    return JobReport(key=key, state=JobState.UNKNOWN, native_id=native, reason=f"Slurm calls its state {words}.")


def ended_report(
    spec: JobSpec, accounting: Sequence[AccountingRow], queue: Sequence[QueueRow] = (), *, alone: bool
) -> JobReport | None:
    """The last word about a job with no live row, or None while accounting does not have all of it.

    With `alone`, the queue did not answer: an end after which Slurm may start the job again is then no end.
    """
    last = _last_runs(accounting)
    if spec.array:
        # What stands for the whole array is shown for a moment, before its tasks are.
        last.pop(None, None)
    if len(last) < num_tasks(spec) or _is_behind(last, queue):
        return None
    states = {state_of(row.state) for row in last.values()}
    if not states <= FINAL:
        return None
    if alone and spec.requeue and any(base_state(row.state) in AGAIN for row in last.values()):
        return None
    worst = min(last.values(), key=lambda row: _WORST.index(state_of(row.state)))
    report = _from_accounting(spec, worst, accounting)
    if not report.num_attempts and any(row.reason.startswith("Dependency") for row in queue):
        return report.model_copy(update={"reason": end_in_words(worst.state, None, "Dependency")})
    if report.exit_code is None and (seen := queue_only_report(spec, queue) if queue else None) is not None:
        num_attempts = max(report.num_attempts, seen.num_attempts)
        changes = {"exit_code": seen.exit_code, "reason": seen.reason, "num_attempts": num_attempts}
        return report.model_copy(update=changes)
    return report


def left_over(spec: JobSpec, accounting: Sequence[AccountingRow]) -> JobSpec:
    """The same job without the tasks of its array whose end accounting knows; a limit of tasks at once stays."""
    if not spec.array:
        return spec
    ended = {task for task, row in _last_runs(accounting).items() if state_of(row.state) in FINAL}
    left = [number for number in spec.task_numbers if number not in ended]
    _, percent, at_once = spec.array.partition("%")
    return spec.model_copy(update={"array": ",".join(map(str, left)) + percent + at_once}) if left else spec


def _last_runs(accounting: Sequence[AccountingRow]) -> dict[int | None, AccountingRow]:
    """The newest run of each task, under None where the job is no array."""
    last: dict[int | None, AccountingRow] = {}
    for row in accounting:
        if row.step or _is_closed_by_hand(row, accounting):
            continue
        for task in row.tasks or (None,):
            known = last.get(task)
            if known is None or _order(row) >= _order(known):
                last[task] = row
    return last


def _is_behind(last: Mapping[int | None, AccountingRow], queue: Sequence[QueueRow]) -> bool:
    """Whether the queue shows a later run than accounting knows: a requeue gives a new time of submission.

    Not always: a job whose node went down while it was cleaned up starts again as the same submission.
    """
    return any(_is_earlier(last[row.task], row) for row in queue if row.task in last)


def _is_earlier(known: AccountingRow, row: QueueRow) -> bool:
    if known.submit_at and row.submit_at and row.submit_at > known.submit_at:
        return True
    return base_state(known.state) in AGAIN and base_state(known.state) != base_state(row.state)


def _is_closed_by_hand(row: AccountingRow, accounting: Sequence[AccountingRow]) -> bool:
    """Whether nobody saw this end: `sacctmgr show runawayjobs` calls a lost run COMPLETED at the moment it began.

    A run that did complete has used some processor time, however short it was, or has got its comment at its end.
    """
    if base_state(row.state) != "COMPLETED" or row.elapsed_s > 0 or row.comment:
        return False
    mine = (other for other in accounting if other.job_id == row.job_id and other.start_at == row.start_at)
    return not any(other.cpu_s > 0 for other in mine)


def queue_only_report(spec: JobSpec, queue: Sequence[QueueRow]) -> JobReport | None:
    """The last word where accounting has none: states, times and exit codes, but no use of processor and memory."""
    if len({row.task for row in queue}) < num_tasks(spec) or not all(state_of(row.state) in FINAL for row in queue):
        return None
    worst = min(queue, key=lambda row: _WORST.index(state_of(row.state)))
    # The queue shows the raw wait status, where accounting shows code:signal.
    raw = int(worst.exit_cell) if worst.exit_cell.isdigit() else None
    code = None if raw is None else (-(raw & 127) if raw & 127 else raw >> 8)
    begun = [row.start_at for row in queue if row.start_at]
    ended = [row.end_at for row in queue if row.end_at]
    return JobReport(
        key=spec.key,
        state=state_of(worst.state),
        native_id=str(worst.base_id),
        reason=end_in_words(worst.state, code, worst.reason),
        exit_code=code,
        started_at=_at(min(begun, default=None)),
        ended_at=_at(max(ended, default=None)),
        wall_s=float(sum(max(0, (r.end_at or 0) - r.start_at) for r in queue if r.start_at and r.end_at)),
        num_attempts=1 + max(row.num_restarts for row in queue) if begun else 0,
    )


def _from_accounting(spec: JobSpec, worst: AccountingRow, accounting: Sequence[AccountingRow]) -> JobReport:
    jobs = [row for row in accounting if not row.step]
    runs = [row for row in jobs if row.start_at and row.elapsed_s >= 0 and _ran(row)]
    steps = [row for row in accounting if row.step]
    code = exit_code(worst.exit_cell)
    attempts: dict[int, int] = {}
    for row in runs:
        attempts[row.job_id] = attempts.get(row.job_id, 0) + 1
    return JobReport(
        key=spec.key,
        state=state_of(worst.state),
        native_id=str(worst.base_id),
        reason=end_in_words(worst.state, code, worst.reason),
        exit_code=code,
        started_at=_at(min((row.start_at for row in runs if row.start_at), default=None)),
        ended_at=_at(max((row.end_at for row in jobs if row.end_at), default=None)),
        wall_s=float(sum(row.elapsed_s for row in runs)),
        cpu_s=sum(row.cpu_s for row in steps) or sum(row.cpu_s for row in runs),
        max_rss_bytes=max((row.max_rss_bytes for row in steps), default=0),
        num_attempts=max(attempts.values(), default=0),
    )


def _ran(row: AccountingRow) -> bool:
    """Whether it was ever started: a job cancelled while it waited has no start, or one at its end."""
    return base_state(row.state) != "CANCELLED" or row.elapsed_s > 0


def _order(row: AccountingRow) -> tuple[int, int]:
    """Later runs of one task come later; a run that is not over comes last."""
    return (row.submit_at or 0, row.end_at or 2**62)


def _at(epoch_s: int | None) -> datetime | None:
    return datetime.fromtimestamp(epoch_s, UTC) if epoch_s else None
