"""`sbatch`: submit a script that comes on standard input."""

import re
from dataclasses import dataclass

from fucina.compute.slurm.rows import NotSlurmOutput

COMMENT_PREFIX = "fucina:"
"""The comment of our jobs is this and the idempotency key."""

_ANSWER = re.compile(r"^(\d+)(?:;(\S+))?$", re.MULTILINE)
_NAME = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitOptions:
    """What Slurm is asked for; empty and zero leave it to the site."""

    key: str
    name: str
    time_min: int
    working_directory: str
    output: str
    """File that standard output and standard error are appended to."""
    user: str = ""
    partition: str = ""
    account: str = ""
    qos: str = ""
    constraint: str = ""
    num_nodes: int = 1
    num_cpus: int = 1
    """Per node."""
    gres: str = ""
    """Per node, as `gpu:h200:4`."""
    memory_mib: int = 0
    """Per node."""
    exclusive: bool = False
    array: str = ""
    after_ok: tuple[int, ...] = ()
    requeue: bool = True
    warn_s: int = 0
    """Send the batch script SIGUSR1 this long before the time limit."""
    hold: bool = False

    @property
    def comment(self) -> str:
        """Carries the idempotency key into queue and accounting."""
        return COMMENT_PREFIX + self.key

    @property
    def safe_name(self) -> str:
        """The job's name in characters that every version takes."""
        return _NAME.sub("-", self.name).strip("-")[:64] or "fucina"


def key_of(comment: str) -> str:
    """The idempotency key in a comment, empty for a job that is not ours."""
    return comment[len(COMMENT_PREFIX) :] if comment.startswith(COMMENT_PREFIX) else ""


def argv(options: SubmitOptions) -> list[str]:
    """The command; the script goes to its standard input."""
    words = [
        "sbatch",
        "--parsable",
        "--export=ALL",
        "--open-mode=append",
        "--kill-on-invalid-dep=yes",
        f"--job-name={options.safe_name}",
        f"--comment={options.comment}",
        f"--time={options.time_min}",
        f"--nodes={options.num_nodes}",
        "--ntasks-per-node=1",
        f"--cpus-per-task={options.num_cpus}",
        f"--chdir={options.working_directory}",
        f"--output={options.output}",
        "--requeue" if options.requeue else "--no-requeue",
    ]
    for flag, value in (
        ("partition", options.partition),
        ("account", options.account),
        ("qos", options.qos),
        ("constraint", options.constraint),
        ("gres", options.gres),
        ("array", options.array),
    ):
        if value:
            words.append(f"--{flag}={value}")
    if options.memory_mib:
        words.append(f"--mem={options.memory_mib}M")
    if options.exclusive:
        words.append("--exclusive")
    if options.after_ok:
        words.append("--dependency=afterok:" + ":".join(str(job_id) for job_id in options.after_ok))
    if options.warn_s:
        words.append(f"--signal=B:USR1@{options.warn_s}")
    if options.hold:
        words.append("--hold")
    return words


def parse_answer(text: str) -> int:
    """The new job's id. Raises NotSlurmOutput."""
    found = _ANSWER.search(text.strip())
    if found is None:
        raise NotSlurmOutput(f"sbatch answered {text[:200]!r}.", hint="Look whether a wrapper stands before sbatch.")
    return int(found.group(1))
