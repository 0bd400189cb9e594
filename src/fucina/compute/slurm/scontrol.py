"""`scontrol`: change one job, and ask the cluster for its name and version."""

import re
from dataclasses import dataclass

from fucina.compute.slurm.rows import NotSlurmOutput

_SETTING = re.compile(r"^(\w+)\s+= (.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterFacts:
    """What `scontrol show config` says and the executor needs."""

    cluster: str
    version: str
    min_job_age_s: int
    """How long slurmctld remembers an ended job."""
    comments_stored: bool
    """Whether the accounting database keeps job comments."""
    limits_enforced: bool


def requeue_argv(job_id: int) -> list[str]:
    """Put a running job back into the queue."""
    return ["scontrol", "requeue", str(job_id)]


def start_now_argv(job_id: int) -> list[str]:
    """End the wait that follows a requeue."""
    return ["scontrol", "update", f"JobId={job_id}", "StartTime=now"]


def release_argv(job_id: int) -> list[str]:
    """Let a held job go."""
    return ["scontrol", "release", str(job_id)]


def config_argv() -> list[str]:
    """The controller's configuration."""
    return ["scontrol", "show", "config"]


def read_config(text: str) -> ClusterFacts:
    """The facts in that configuration. Raises NotSlurmOutput."""
    settings = {name: value.strip() for name, value in _SETTING.findall(text)}
    if "ClusterName" not in settings:
        raise NotSlurmOutput(f"scontrol answered {text[:200]!r}.", hint="Check SLURM_CONF in the site file.")
    age = re.match(r"\d+", settings.get("MinJobAge", ""))
    flags = settings.get("AccountingStoreFlags", "") + settings.get("AccountingStoreJobComment", "")
    return ClusterFacts(
        cluster=settings["ClusterName"],
        version=settings.get("SLURM_VERSION", ""),
        min_job_age_s=int(age.group()) if age else 0,
        comments_stored="job_comment" in flags or "YES" in flags.upper(),
        limits_enforced="limits" in settings.get("AccountingStorageEnforce", ""),
    )
