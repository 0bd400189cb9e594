"""Usage records in the formats that others read: Open XDMoD's Slurm shredder, and EGI's individual job records."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from fucina.accounting.usage import Period, UsageRecord

XDMOD_FIELDS = (
    *(
        "jobid",
        "jobidraw",
        "cluster",
        "partition",
        "qos",
        "account",
        "group",
        "gid",
        "user",
        "uid",
        "submit",
        "eligible",
    ),
    *("start", "end", "elapsed", "exitcode", "state", "nnodes", "ncpus", "reqcpus", "reqmem", "reqtres", "alloctres"),
    *("timelimit", "nodelist", "jobname"),
)
"""Columns of the shredder `slurm`, as `sacct` calls them (Open XDMoD, class OpenXdmod Shredder Slurm)."""

EGI_HEADER = "APEL-individual-job-message: v0.3"
EGI_MANDATORY = (
    *("Site", "SubmitHost", "LocalJobId", "WallDuration", "CpuDuration", "StartTime", "EndTime"),
    *("ServiceLevelType", "ServiceLevel"),
)
"""Of EGI's documentation of grid accounting records."""

SERVICE_LEVELS = ("Si2k", "HEPSPEC")
_SKIPPED = {"REQUEUED": "PREEMPTED", "RESIZING": "PREEMPTED"}
"""The shredder skips runs that were requeued, although they used the machine."""


def xdmod_lines(records: Iterable[UsageRecord]) -> Iterator[str]:
    """One line a run; a job that never started, or that no scheduler ran, has none. What is not known is empty.

    Accelerators are those that were billed.
    """
    for record in records:
        raw_id = _raw_id(record)
        if raw_id and record.started_at is not None:
            for span in record.spans():
                yield "|".join(_text(value, "|") for value in _xdmod(record, span, raw_id))


def _raw_id(record: UsageRecord) -> str:
    """Slurm's own number of a job, which the names that Slurm knows it by carry."""
    names = [name for name in (record.job_key, *record.same_as) if name.startswith("slurm.")]
    return names[0].split(".")[-2] if names else ""


def _xdmod(record: UsageRecord, span: Period, raw_id: str) -> tuple[str, ...]:
    state = _SKIPPED.get(span.state, span.state) or "COMPLETED"
    submit = record.submitted_at or span.started_at
    tres = f"cpu={record.num_cpus},node={record.num_nodes}"
    if record.num_gpus:
        tres += f",gres/gpu={record.num_gpus}"
    group = record.account
    return (
        *(record.native_id or raw_id, raw_id, record.cluster or record.site, record.partition, "", record.account),
        *(group, "", record.user, "", _stamp(submit), _stamp(submit), _stamp(span.started_at), _stamp(span.ended_at)),
        *(_elapsed(span), record.exit_code or "0:0", state, str(record.num_nodes), str(record.num_cpus)),
        *(str(record.num_cpus), "", tres, tres, "", "unknown", record.job_key),
    )


def _stamp(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}"


def _elapsed(span: Period) -> str:
    seconds = round((span.ended_at - span.started_at).total_seconds())
    days, seconds = divmod(seconds, 86_400)
    clock = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return f"{days}-{clock}" if days else clock


def egi_message(
    records: Iterable[UsageRecord], *, site: str, submit_host: str, service_level: float, level_type: str = "HEPSPEC"
) -> Iterator[str]:
    """Lines of one message: the header, then a record for every job that ran.

    `site` is the name in GOCDB; where the processor time is not measured, that of the processors allotted stands.
    """
    yield EGI_HEADER
    for record in records:
        if record.started_at is None:
            continue
        cpu_s = record.cpu_s or record.num_cpus * record.wall_s
        fields = {
            "Site": site,
            "SubmitHost": submit_host,
            "MachineName": record.cluster,
            "Queue": record.partition,
            "LocalJobId": _raw_id(record) or record.job_key,
            "LocalUserId": record.user,
            "WallDuration": str(round(record.wall_s)),
            "CpuDuration": str(round(cpu_s)),
            "Processors": str(record.num_cpus) if record.num_cpus else "",
            "NodeCount": str(record.num_nodes) if record.num_nodes else "",
            "StartTime": str(int(record.started_at.timestamp())),
            "EndTime": str(int(record.ended_at.timestamp())),
            "InfrastructureDescription": "FUCINA-NONE-SLURM",
            "InfrastructureType": "local",
            "MemoryReal": str(record.max_rss_bytes // 1024) if record.max_rss_bytes else "",
            "ServiceLevelType": level_type,
            "ServiceLevel": f"{service_level:g}",
        }
        for name, value in fields.items():
            if value or name in EGI_MANDATORY:
                yield f"{name}: {_text(value, '')}"
        yield "%%"


def _text(value: str, separator: str) -> str:
    """A value on one line that does not break the format."""
    for sign in ("\n", "\r", separator):
        value = value.replace(sign, " ") if sign else value
    return value
