"""What this site runs for a hub, whatever the hub says: a hub that was taken over gets no further than this."""

import os
import re

from fucina.agent.identity import find_user
from fucina.client.wire import ClaimedJob
from fucina.compute.spec import JobSpec
from fucina.errors import BadInput
from fucina.network.spec import Site

_REF = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")
_NAME = re.compile(r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")
_STEERS = re.compile(
    r"^(LD_|DYLD_|GCONV_|GLIBC_|MALLOC_|PYTHON|PERL|RUBY|NODE_|JAVA_TOOL|BASH|SLURM|SBATCH|SRUN|SACCT|SQUEUE|SCANCEL"
    r"|APPTAINER|SINGULARITY|FUCINA_|SSH_|GIT_|DBUS_|XDG_|KRB5)"
)
_STEERING = frozenset(
    {"PATH", "HOME", "SHELL", "USER", "LOGNAME", "ENV", "IFS", "CDPATH", "PS4", "PROMPT_COMMAND", "TMPDIR", "TERMINFO"}
    | {"LOCPATH", "NLSPATH", "EDITOR", "PAGER", "MAIL", "HOSTALIASES", "RES_OPTIONS", "SHELLOPTS"}
)
"""Variables that choose which code is loaded or whose files are used, with those of `_STEERS`."""


class BadJob(BadInput):
    """A job that this site will not place."""

    code = "bad_job"


def check_job(job: ClaimedJob, site: Site, *, personal: bool = False) -> None:
    """Raises BadJob, NoSuchUser for a job that this site does not run."""
    for text in (job.ref, job.run or job.ref):
        if not _REF.fullmatch(text):
            raise BadJob(f"{text!r} is no reference.", hint="Hub and agent may be of different versions.")
    spec = job.spec
    _check_command(job, site)
    if spec.working_directory:
        raise BadJob(
            f"The hub names a working directory, {spec.working_directory!r}.", hint="The agent alone places jobs."
        )
    for name, value in spec.environment.items():
        check_variable(name, value)
    if site.executor == "slurm":
        _check_slurm(spec, site, personal=personal)
    elif spec.user or spec.account:
        raise BadJob(
            f"This site has no users or accounts; the job names {spec.user or spec.account!r}.",
            hint="Hub and site file differ; register the site again.",
        )


def check_variable(name: str, value: str) -> None:
    """Raises BadJob for a variable of the environment that a hub must not set."""
    if not _NAME.fullmatch(name) or name in _STEERING or _STEERS.match(name):
        raise BadJob(f"A hub may not set the variable {name[:80]!r} here.", hint="Set it in the site file's prelude.")
    if "\0" in value:
        raise BadJob(f"The variable {name} has a NUL byte.", hint="Remove it.")


def _check_command(job: ClaimedJob, site: Site) -> None:
    command = tuple(job.spec.command)
    if job.stage is not None:
        if command != ("fucina", "stage", str(job.stage), "."):
            raise BadJob(f"This site runs stages only, not {command[0]!r}.", hint="Ask the site to allow it.")
        return
    if not site.allows(command[0]):
        allowed = ", ".join(site.user_commands) or "no commands of people's own, stages only"
        raise BadJob(
            f"This site does not run {command[0]!r} for users; it allows {allowed}.",
            hint="Ask the site to add the program to user_commands in its site file.",
        )
    if any("\0" in word for word in command):
        raise BadJob("A word of the command has a NUL byte.", hint="Remove it.")


def _check_slurm(spec: JobSpec, site: Site, *, personal: bool) -> None:
    slurm = site.slurm
    if slurm is None:
        raise BadJob(f"Site {site.id} has no slurm part in its site file.", hint="Add it.")
    known = {partition.id for partition in site.partitions}
    if spec.partition and spec.partition not in known:
        raise BadJob(f"This site has no partition {spec.partition!r}.", hint=f"It has {', '.join(sorted(known))}.")
    if personal:
        if spec.user or spec.account not in ("", slurm.account):
            raise BadJob(
                f"A personal agent submits as its own user to account {slurm.account}, not for {spec.user!r} to "
                f"{spec.account!r}.",
                hint="Hub and site file differ; register the site again.",
            )
        return
    if not spec.user or not spec.account:
        raise BadJob(
            "The job names no user or no account of this site.", hint="Map its person with `fucina site map-user`."
        )
    uid = find_user(spec.user).pw_uid
    if uid < slurm.min_uid and uid != os.geteuid() or uid == 0:
        raise BadJob(
            f"User {spec.user} has the number {uid}; this site runs jobs of users from {slurm.min_uid} on.",
            hint="Map the person to an ordinary user, or change slurm.min_uid in the site file.",
        )
