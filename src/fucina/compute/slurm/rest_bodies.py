"""JSON of slurmrestd, old style (22.05: v0.0.36 to 38) and new (23.11 and later: from v0.0.40), as our own rows."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from fucina.compute.slurm.rows import task_indices
from fucina.compute.slurm.sacct import AccountingRow
from fucina.compute.slurm.sbatch import SubmitOptions
from fucina.compute.slurm.sinfo import NodeRow
from fucina.compute.slurm.squeue import QueueRow, WaitingRow

OLD = (36, 37, 38)
NEW = (40, 41, 42)
"""Versions of the data that this module reads; 39 was a step between."""
_NO_TASK = (None, 4294967294)

Json = Mapping[str, Any]


def submit_body(options: SubmitOptions, script: str, *, version: int, path: str) -> dict[str, Any]:
    """What `job/submit` wants; an environment must not be empty."""
    environment = {"PATH": path, "LC_ALL": "C.UTF-8"}
    job: dict[str, Any] = {
        "name": options.safe_name,
        "comment": options.comment,
        "current_working_directory": options.working_directory,
        "standard_output": options.output,
        "requeue": options.requeue,
        "tasks": options.num_nodes,
        "tasks_per_node": 1,
        "cpus_per_task": options.num_cpus,
        "time_limit": options.time_min if version in OLD else _set(options.time_min),
    }
    for name, value in (
        ("partition", options.partition),
        ("account", options.account),
        ("qos", options.qos),
        ("constraints", options.constraint),
        ("array", options.array),
    ):
        if value:
            job[name] = value
    if options.after_ok:
        job["dependency"] = "afterok:" + ":".join(str(job_id) for job_id in options.after_ok)
    job |= _old_job(options, environment) if version in OLD else _new_job(options, environment)
    return {"job": job, "script": script} if version in OLD else {"job": {**job, "script": script}}


def _old_job(options: SubmitOptions, environment: Mapping[str, str]) -> dict[str, Any]:
    job: dict[str, Any] = {
        "environment": dict(environment),
        "nodes": [options.num_nodes, options.num_nodes],
        "open_mode": "append",
        "kill_on_invalid_dependency": True,
    }
    if options.gres:
        job["gres"] = options.gres
    if options.memory_mib:
        job["memory_per_node"] = options.memory_mib
    if options.exclusive:
        job["exclusive"] = "true"
    # `signal` takes no time and no B: here, so the script warns itself.
    return job


def _new_job(options: SubmitOptions, environment: Mapping[str, str]) -> dict[str, Any]:
    job: dict[str, Any] = {
        "environment": [f"{name}={value}" for name, value in environment.items()],
        "minimum_nodes": options.num_nodes,
        "maximum_nodes": options.num_nodes,
        "open_mode": ["APPEND"],
        "flags": ["KILL_INVALID_DEPENDENCY"],
    }
    if options.gres:
        job["tres_per_node"] = f"gres/{options.gres}"
    if options.memory_mib:
        job["memory_per_node"] = _set(options.memory_mib)
    if options.exclusive:
        job["shared"] = ["none"]
    if options.warn_s:
        job |= {"kill_warning_signal": "USR1", "kill_warning_delay": _set(options.warn_s)}
        job["kill_warning_flags"] = ["BATCH_JOB"]
    return job


def begin_body(at: datetime, *, version: int) -> dict[str, Any]:
    """What changes a waiting job's begin time."""
    # The old style reads times as `sbatch --begin` does, in the server's own zone.
    return {"begin_time": "now" if version in OLD else _set(int(at.astimezone(UTC).timestamp()))}


def queue_rows(body: Json) -> Iterator[QueueRow]:
    """Jobs of `/slurm/../jobs`; waiting tasks of an array come as one and leave as many."""
    for job in body.get("jobs", ()):
        task = _number(job.get("array_task_id"))
        tasks: Sequence[int | None] = [task]
        if task in _NO_TASK and job.get("array_task_string"):
            tasks = task_indices(job["array_task_string"])
        for index in tasks:
            yield QueueRow(
                job_id=int(job["job_id"]),
                base_id=_number(job.get("array_job_id")) or int(job["job_id"]),
                task=None if index in _NO_TASK else index,
                state=_word(job.get("job_state")),
                user=job.get("user_name") or "",
                partition=job.get("partition") or "",
                submit_at=_number(job.get("submit_time")) or None,
                start_at=_number(job.get("start_time")) or None,
                end_at=_number(job.get("end_time")) or None,
                num_restarts=_number(job.get("restart_cnt")) or 0,
                exit_cell=str(_raw_exit(job.get("exit_code"))),
                reason=job.get("state_reason") or "",
                comment=job.get("comment") or "",
            )


def load_rows(body: Json) -> Iterator[WaitingRow]:
    """The same jobs as load on their partitions."""
    for job in body.get("jobs", ()):
        state = _word(job.get("job_state"))
        if state in ("PENDING", "RUNNING", "COMPLETING"):
            yield WaitingRow(
                job_id=int(job["job_id"]),
                partition=job.get("partition") or "",
                state=state,
                num_nodes=_number(job.get("node_count")) or 1,
                time_limit_s=60 * (_number(job.get("time_limit")) or 0),
                gres=(job.get("tres_per_node") or "").replace("gres:", ""),
                submit_at=_number(job.get("submit_time")) or None,
                start_at=_number(job.get("start_time")) or None,
            )


def accounting_rows(body: Json, *, version: int) -> Iterator[AccountingRow]:
    """Jobs of `/slurmdb/../jobs` and their steps."""
    for job in body.get("jobs", ()):
        array = job.get("array") or {}
        task = _number(array.get("task_id"))
        job_id = int(job["job_id"])
        base_id = _number(array.get("job_id")) or job_id
        times = job["time"]
        tasks: tuple[int, ...] = () if task in _NO_TASK or not _number(array.get("job_id")) else (int(task or 0),)
        if not tasks and array.get("task"):
            tasks = task_indices(str(array["task"]).strip("[]"))
        submit_at = _number(times.get("submission")) or None
        yield AccountingRow(
            job_id=job_id,
            base_id=base_id,
            tasks=tasks,
            user=job.get("user") or (job.get("association") or {}).get("user") or "",
            state=_word(job["state"]["current"]),
            # Versions of the old style say SUCCESS whatever the code was.
            exit_cell="" if version in OLD else _exit_cell(job.get("exit_code")),
            submit_at=submit_at,
            start_at=_number(times.get("start")) or None,
            end_at=_number(times.get("end")) or None,
            elapsed_s=_number(times.get("elapsed")) or 0,
            cpu_s=_cpu_s(times),
            reason=(job["state"].get("reason") or ""),
            comment=(job.get("comment") or {}).get("job") or "",
        )
        for step in job.get("steps", ()):
            yield AccountingRow(
                job_id=job_id,
                base_id=base_id,
                tasks=tasks,
                step=str(step["step"].get("name") or step["step"].get("id")),
                state=_word(step.get("state")),
                submit_at=submit_at,
                cpu_s=_cpu_s(step.get("time") or {}),
                max_rss_bytes=_max_memory(step),
            )


def node_rows(nodes: Json, partitions: Json) -> Iterator[NodeRow]:
    """Nodes in their partitions."""
    up = {}
    for partition in partitions.get("partitions", ()):
        state = partition.get("state") or (partition.get("partition") or {}).get("state")
        up[partition["name"]] = _word(state) == "UP"
    for node in nodes.get("nodes", ()):
        state = node.get("state")
        words = [state, *node.get("state_flags", ())] if isinstance(state, str) else list(state or ())
        lower = [str(word).lower() for word in words]
        broken = [
            word for word in lower if word in ("down", "drain", "drained", "fail", "not_responding", "maintenance")
        ]
        for name in node.get("partitions", ()):
            yield NodeRow(
                partition=name,
                node=node["name"],
                state=broken[0] if broken else (lower[0] if lower else "unknown"),
                partition_up=up.get(name, False),
                num_cpus_free=int(node.get("cpus") or 0) - int(_number(node.get("alloc_cpus")) or 0),
                num_cpus=int(node.get("cpus") or 0),
                gres=node.get("gres") or "",
                gres_used=node.get("gres_used") or "",
            )


def _set(value: int) -> dict[str, Any]:
    return {"set": True, "infinite": False, "number": value}


def _number(value: Any) -> int | None:
    """A number in either style; None where it is not set."""
    if isinstance(value, Mapping):
        return int(value["number"]) if value.get("set") and not value.get("infinite") else None
    return None if value is None else int(value)


def _word(value: Any) -> str:
    """A state in either style: a word, or a list whose first word it is."""
    if isinstance(value, list):
        return str(value[0]) if value else ""
    return str(value or "")


def _raw_exit(value: Any) -> int:
    """A wait status in either style."""
    if isinstance(value, Mapping):
        signal = _number((value.get("signal") or {}).get("id")) or 0
        return signal if signal else (_number(value.get("return_code")) or 0) << 8
    return int(value or 0)


def _exit_cell(value: Any) -> str:
    raw = _raw_exit(value)
    return f"{raw >> 8}:{raw & 127}"


def _cpu_s(times: Json) -> float:
    total = times.get("total") or {}
    return float((_number(total.get("seconds")) or 0) + (_number(total.get("microseconds")) or 0) / 1e6)


def _max_memory(step: Json) -> int:
    most = ((step.get("tres") or {}).get("requested") or {}).get("max") or ()
    return max((int(item.get("count") or 0) for item in most if item.get("type") == "mem"), default=0)
