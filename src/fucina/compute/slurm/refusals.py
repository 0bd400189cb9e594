"""What Slurm's commands say when they refuse, in words and with the next step."""

from collections.abc import Sequence

from fucina.compute.slurm.transport import Completed, LostAnswer, Unreachable
from fucina.errors import BadInput, FactoryError, NotAllowed, Unavailable, WrongState


class SlurmRefused(BadInput):
    """Slurm will not take the job as it is."""

    code = "slurm_refused"


class SlurmNotAllowed(NotAllowed):
    """Slurm does not let this user do that."""

    code = "slurm_not_allowed"


class SlurmLimit(WrongState):
    """A limit of the site is reached; it may be free again later."""

    code = "slurm_limit"


class SlurmFailed(Unavailable):
    """A command failed for a reason that is not in the table."""

    code = "slurm_failed"


_Rule = tuple[tuple[str, ...], type[FactoryError], str, str]

_RULES: tuple[_Rule, ...] = (
    (
        ("Socket timed out", "Zero Bytes were transmitted", "Communication connection failure", "Unexpected message"),
        LostAnswer,
        "Slurm's answer was lost",
        "The job is looked for before anything is tried again.",
    ),
    (
        ("Unable to contact slurm controller", "Connection refused", "slurm_persist_conn_open"),
        Unreachable,
        "Slurm does not answer",
        "Nothing was submitted. Wait, or ask the site whether slurmctld is down.",
    ),
    (
        ("Invalid account or account/partition", "Invalid account"),
        SlurmRefused,
        "The account may not be charged in this partition",
        "Check the account, and that the user is in it: `sacctmgr show association where user=NAME`.",
    ),
    (
        ("Requested node configuration is not available",),
        SlurmRefused,
        "No node of the partition has what the job asks for",
        "Ask for fewer accelerators, cores or less memory a node, or spread them over more nodes.",
    ),
    (
        ("Node count specification invalid", "More processors requested", "CPU count"),
        SlurmRefused,
        "The partition does not have that many nodes or cores",
        "Ask for less, or choose another partition.",
    ),
    (
        ("invalid partition specified", "Invalid partition"),
        SlurmRefused,
        "Slurm has no such partition",
        "Compare `slurm_name` in the site file with `sinfo`.",
    ),
    (
        ("Invalid qos",),
        SlurmRefused,
        "The account may not use this quality of service",
        "Leave `qos` empty or ask the site to add it to the account.",
    ),
    (
        ("Invalid generic resource", "Invalid GRES"),
        SlurmRefused,
        "Slurm has no such accelerators",
        "Compare `gres_type` in the site file with `sinfo -o %G`.",
    ),
    (
        ("Job dependency problem",),
        WrongState,
        "A job that this one depends on is not known to Slurm any more",
        "Submit the run again from the first stage that is missing.",
    ),
    (
        ("time limit", "Time limit"),
        SlurmRefused,
        "The walltime is longer than the site allows",
        "Shorten the walltime or choose another partition.",
    ),
    (
        ("QOSMaxSubmitJobPerUserLimit", "MaxSubmitJob", "AssocMaxSubmitJobLimit", "GrpSubmitJob"),
        SlurmLimit,
        "The user or account has as many jobs in the queue as the site allows",
        "Wait until some have ended.",
    ),
    (
        ("Job violates accounting/QOS policy", "QOSGrp", "AssocGrp", "QOSMax", "AssocMax"),
        SlurmLimit,
        "The job is beyond a limit of the account or its quality of service",
        "Ask for less time or fewer accelerators, or look at what is left of the grant.",
    ),
    (
        ("Invalid feature", "Invalid constraint"),
        SlurmRefused,
        "No node has the feature that the partition's `constraint` names",
        "Correct `constraint` in the site file.",
    ),
    (
        ("Invalid job array",),
        SlurmRefused,
        "The array is larger than the site allows",
        "Use fewer or smaller indices: `scontrol show config | grep MaxArraySize`.",
    ),
    (
        ("Access/permission denied", "Invalid user id", "Protocol authentication error", "User not allowed"),
        SlurmNotAllowed,
        "Slurm does not let this user do that",
        "Check the Unix user that the job runs as, and munge or the token.",
    ),
    (
        ("Slurm temporarily unable to accept job", "Resource temporarily unavailable"),
        Unreachable,
        "Slurm takes no jobs at the moment",
        "Wait; the queue may be full.",
    ),
    (
        ("setpriv:",),
        SlurmNotAllowed,
        "The job's Unix user does not exist here, or the agent may not act for it",
        "Create the user at the site, or run the agent as root.",
    ),
    (
        ("Could not establish a configuration source", "Unable to process configuration file"),
        Unreachable,
        "Slurm's configuration is not found",
        "Set `conf` in the site file to the path of slurm.conf.",
    ),
    (
        ("Unable to open file", "Problem talking to the database", "slurmdbd"),
        Unreachable,
        "Slurm's accounting does not answer",
        "Wait, or ask the site whether slurmdbd is down.",
    ),
)
"""Texts, kind of error, what happened, what to do; the first that fits counts. Texts are those of 22.05 and 24.11."""


def check(argv: Sequence[str], done: Completed) -> Completed:
    """The answer of a command that worked. Raises SlurmRefused, SlurmNotAllowed, SlurmLimit, Unavailable."""
    if done.rc == 0:
        return done
    raise in_words(argv[0], said=done.err or done.text, rc=done.rc)


def in_words(command: str, *, said: str, rc: int) -> FactoryError:
    """The error that a refusal means."""
    text = " ".join(said.split())[:400]
    for patterns, kind, what, step in _RULES:
        if any(pattern.lower() in text.lower() for pattern in patterns):
            return kind(f"{what}: {_last(said)}", hint=step)
    if rc == 127:
        return Unreachable(f"{command} is not installed there.", hint="Set `bin` in the site file.")
    return SlurmFailed(f"{command} failed with status {rc}: {text or 'it said nothing'}", hint="Look at Slurm's log.")


def _last(said: str) -> str:
    """The line that says most: the last that is not empty, without the command's own prefix."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    line = lines[-1] if lines else ""
    return line.removeprefix("sbatch: ").removeprefix("error: ")[:300]
