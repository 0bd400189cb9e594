"""Slurm's states, exit codes and reasons in our own words."""

from fucina.compute.spec import JobState

STATES: dict[str, JobState] = {
    "PENDING": JobState.CLAIMED,
    "CONFIGURING": JobState.CLAIMED,
    "REQUEUED": JobState.CLAIMED,
    "REQUEUE_HOLD": JobState.CLAIMED,
    "REQUEUE_FED": JobState.CLAIMED,
    "SPECIAL_EXIT": JobState.CLAIMED,
    "RESV_DEL_HOLD": JobState.CLAIMED,
    "RUNNING": JobState.RUNNING,
    "COMPLETING": JobState.RUNNING,
    "STAGE_OUT": JobState.RUNNING,
    "SUSPENDED": JobState.RUNNING,
    "STOPPED": JobState.RUNNING,
    "SIGNALING": JobState.RUNNING,
    "RESIZING": JobState.RUNNING,
    "EXPEDITING": JobState.RUNNING,
    "COMPLETED": JobState.SUCCEEDED,
    "FAILED": JobState.FAILED,
    "NODE_FAIL": JobState.FAILED,
    "BOOT_FAIL": JobState.FAILED,
    "LAUNCH_FAILED": JobState.FAILED,
    "OUT_OF_MEMORY": JobState.FAILED,
    "PREEMPTED": JobState.FAILED,
    "TIMEOUT": JobState.TIMED_OUT,
    "DEADLINE": JobState.TIMED_OUT,
    "CANCELLED": JobState.CANCELLED,
    "REVOKED": JobState.CANCELLED,
}
"""What each state of a job means here; a state that is not in the table is UNKNOWN."""

AGAIN = frozenset({"NODE_FAIL", "PREEMPTED", "BOOT_FAIL", "LAUNCH_FAILED", "REQUEUED", "FAILED"})
"""Ends of one run after which Slurm may start the same job again."""

SITE_FAULTS = frozenset({"NODE_FAIL", "BOOT_FAIL", "LAUNCH_FAILED"})
"""Ends that are the site's fault."""

ENDS: dict[str, str] = {
    "NODE_FAIL": "a node failed while it ran",
    "BOOT_FAIL": "its nodes could not be started",
    "LAUNCH_FAILED": "Slurm could not start it on its nodes",
    "OUT_OF_MEMORY": "it used more memory than it asked for",
    "PREEMPTED": "it had to make room for a job of higher priority",
    "TIMEOUT": "its walltime is used up",
    "DEADLINE": "it could not end before its deadline",
    "CANCELLED": "cancelled",
    "REVOKED": "another cluster took it",
}
"""Why a job ended, where the exit code alone does not tell."""

REASONS: dict[str, str] = {
    "Priority": "Jobs of higher priority are ahead of it.",
    "Resources": "It is next in line and waits for nodes to become free.",
    "Dependency": "It waits for the jobs before it to end.",
    "DependencyNeverSatisfied": "A job that it depends on failed, so it cannot start.",
    "BeginTime": "It is held until its begin time; after a requeue Slurm waits about two minutes.",
    "JobHeldUser": "Its owner has put it on hold.",
    "JobHeldAdmin": "The site's staff have put it on hold.",
    "Licenses": "It waits for a software licence.",
    "Reservation": "It waits for its reservation to begin.",
    "ReqNodeNotAvail": "Nodes that it needs are down, reserved, or about to go into maintenance.",
    "NodeDown": "A node that it needs is down.",
    "PartitionDown": "The partition is down.",
    "PartitionInactive": "The partition starts no jobs at the moment.",
    "PartitionConfig": "It asks for more than the partition allows and will never start as it is.",
    "PartitionNodeLimit": "It asks for more nodes than the partition allows.",
    "PartitionTimeLimit": "It asks for more time than the partition allows.",
    "BadConstraints": "No node can ever satisfy what it asks for.",
    "AssociationJobLimit": "The account has as many jobs as it may have.",
    "AssocGrpGRESMinutes": "The accelerator time granted to the account is used up or reserved by its running jobs.",
    "AssocGrpCPUMinutesLimit": "The processor time granted to the account is used up or reserved by its running jobs.",
    "AssocGrpBillingMinutes": "The time granted to the account is used up or reserved by its running jobs.",
    "AssocGrpGRES": "The account has as many accelerators at work as it may have at once.",
    "AssocMaxJobsLimit": "The account has as many running jobs as it may have.",
    "AssocGrpNodeLimit": "The account has as many nodes at work as it may have at once.",
    "AssocMaxGRESPerJob": "It asks for more accelerators than the account allows one job.",
    "AssocMaxWallDurationPerJobLimit": "It asks for more time than the account allows one job.",
    "InvalidAccount": "The Slurm account is not valid any more.",
    "InvalidQOS": "The quality of service is not valid any more.",
    "QOSNotAllowed": "The account may not use this quality of service.",
    "QOSGrpGRESMinutes": "The accelerator time of the quality of service is used up.",
    "QOSGrpGRES": "The quality of service has as many accelerators at work as it may have at once.",
    "QOSMaxJobsPerUserLimit": "This user has as many running jobs as the quality of service allows.",
    "QOSMaxSubmitJobPerUserLimit": "This user has as many jobs in the queue as the quality of service allows.",
    "QOSMaxGRESPerUser": "This user has as many accelerators at work as the quality of service allows.",
    "QOSMaxWallDurationPerJobLimit": "It asks for more time than the quality of service allows.",
    "QOSUsageThreshold": "The account's usage is above the threshold of the quality of service.",
    "JobArrayTaskLimit": "As many tasks of the array run as it allows at once.",
    "JobLaunchFailure": "Slurm could not start it and holds it back.",
    "launch failed requeued held": "Slurm could not start it, or lost it in a restart, and holds it back.",
    "job requeued in held state": "It was put back into the queue on hold.",
    "job requeued in special exit state": "It was put back into the queue on hold after a special exit code.",
    "BurstBufferResources": "It waits for fast storage.",
    "Cleaning": "What is left of its last run is being cleaned away.",
    "FrontEndDown": "The front end is down.",
    "Prolog": "Its nodes are being prepared.",
    "None": "Slurm has not looked at it yet.",
    "": "Slurm has not looked at it yet.",
}
"""What Slurm's reason for a waiting job means; texts after a comma are details of the same reason."""


def state_of(word: str) -> JobState:
    """Our state for Slurm's, as `CANCELLED by 1000` or `COMPLETED+`; UNKNOWN for a word that is not in the table."""
    return STATES.get(base_state(word), JobState.UNKNOWN)


def base_state(word: str) -> str:
    """Slurm's state without what it appends."""
    return word.split(" ", 1)[0].rstrip("+").upper()


def exit_code(cell: str) -> int | None:
    """Slurm's `code:signal` as one number, negative for a signal; None where there is none. Raises ValueError."""
    if not cell or cell in ("None", "N/A"):
        return None
    code, _, number = cell.partition(":")
    signal = int(number or 0)
    return -signal if signal else int(code)


def reason_in_words(word: str) -> str:
    """Slurm's reason as a sentence; one that is not in the table is quoted."""
    base = word.strip("()").split(",", 1)[0]
    return REASONS.get(base) or f"Slurm says: {word}."


def end_in_words(word: str, code: int | None, reason: str = "") -> str:
    """Why a job ended as it did; empty for success."""
    base = base_state(word)
    if base == "CANCELLED" and reason.startswith("Dependency"):
        return "a job that it depends on did not succeed"
    if base == "COMPLETED":
        return ""
    if base in ENDS:
        return ENDS[base]
    if code is not None and code < 0:
        return (
            "its working directory or log file could not be used" if code == -53 else f"it was killed by signal {-code}"
        )
    return f"exit code {code}" if code is not None else f"Slurm says {word}"
