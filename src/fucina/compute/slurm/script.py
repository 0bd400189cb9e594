"""The batch script: environment, then the command, then what to do when it wants to be started again."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from fucina.compute.slurm.transport import quote, quote_argv
from fucina.compute.spec import JobSpec
from fucina.errors import BadInput
from fucina.network.spec import ContainerRuntime

_NAME = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")
EXIT_AGAIN = 75
"""A job that ends so has saved its state and wants to be started again (EX_TEMPFAIL)."""


class BadEnvironment(BadInput):
    """A variable that a shell cannot set."""

    code = "bad_environment"


class NoContainer(BadInput):
    """An image was named at a site that runs none."""

    code = "no_container"


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the site puts around every job."""

    programs: str = ""
    """Folder that comes first on the path."""
    modules: tuple[str, ...] = ()
    prelude: tuple[str, ...] = ()
    """Lines of shell, by the site's staff."""
    container: ContainerRuntime = ContainerRuntime.NONE
    image: str = ""
    vendor: str = ""
    """Of the accelerators; a container needs to know."""
    interconnect: str = ""
    """Network interface over which processes of one job talk; empty lets the library choose."""
    max_restarts: int = 100
    """After so many restarts a job that wants another fails."""

    def with_vendor(self, vendor: str) -> "Surroundings":
        """The same for a partition with accelerators of that vendor."""
        return replace(self, vendor=vendor)


def render(spec: JobSpec, around: Surroundings, *, alarm_s: int = 0) -> str:
    """The script for `sbatch`; with `alarm_s` it warns itself that long after its start.

    Raises BadEnvironment, NoContainer, NotAnArgument.
    """
    argv = on_every_node(in_container(spec.command, spec=spec, around=around), spec=spec)
    lines = ["#!/bin/bash", *_environment(spec, around), *_meeting(spec, around)]
    lines.append(f"cd -- {quote(spec.working_directory)} || exit 1")
    if spec.requeue:
        body = _supervised(argv, spec, max_restarts=around.max_restarts, alarm_s=alarm_s)
    else:
        body = f"exec {quote_argv(argv)}\n"
    return "\n".join([*lines, body])


def in_container(command: Sequence[str], *, spec: JobSpec, around: Surroundings) -> list[str]:
    """The command as the site's container runtime starts it; as it is where the job has no image."""
    image = spec.image or (around.image if around.container is not ContainerRuntime.NONE else "")
    if not image:
        return list(command)
    folder = spec.working_directory
    if around.container is ContainerRuntime.APPTAINER:
        devices = {"nvidia": ["--nv"], "amd": ["--rocm"]}.get(around.vendor.lower(), []) if spec.num_gpus else []
        return ["apptainer", "exec", *devices, "--bind", folder, "--pwd", folder, image, *command]
    if around.container is ContainerRuntime.PYXIS:
        mounts = [f"--container-mounts={folder}:{folder}", f"--container-workdir={folder}"]
        return ["srun", "--nodes=1", "--ntasks=1", f"--container-image={image}", *mounts, *command]
    raise NoContainer(f"The job wants image {image!r}; this site runs none.", hint="Set `container` in the site file.")


def on_every_node(argv: Sequence[str], *, spec: JobSpec) -> list[str]:
    """The command started once on each node by `srun`, where the job wants that; else as it is."""
    if not spec.is_on_every_node:
        return list(argv)
    options: list[str] = []
    if spec.command[0] != argv[0] == "srun":  # a container runtime that `srun` itself starts
        options = [word for word in argv if word.startswith("--container")]
        argv = spec.command
    size = [f"--nodes={spec.num_nodes}", f"--ntasks={spec.num_nodes}", "--ntasks-per-node=1"]
    return ["srun", *size, "--kill-on-bad-exit=0", *options, *argv]


def _meeting(spec: JobSpec, around: Surroundings) -> list[str]:
    """What the processes of a job over several accelerators need to find each other."""
    if spec.num_nodes * spec.num_ranks_per_node <= 1 or not spec.num_ranks_per_node:
        return []
    lines = [f"export FUCINA_NUM_NODES={spec.num_nodes} FUCINA_NUM_RANKS_PER_NODE={spec.num_ranks_per_node}"]
    if spec.num_nodes > 1:
        # Jobs that share a node take ports apart: by their ids.
        lines += [
            'first=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)',
            'export FUCINA_RENDEZVOUS="$first:$((20000 + SLURM_JOB_ID % 12000))"',
        ]
    if around.interconnect:
        name = quote(around.interconnect)
        lines.append(f"export NCCL_SOCKET_IFNAME={name} GLOO_SOCKET_IFNAME={name}")
    return lines


def _environment(spec: JobSpec, around: Surroundings) -> list[str]:
    # Steps inherit what the script exports, whatever --export said to sbatch.
    lines = [
        "unset SLURM_TIME_FORMAT",
        "export SLURM_EXPORT_ENV=ALL",
        'export HOME="${HOME:-$(getent passwd "$(id -u)" | cut -d: -f6)}"',
    ]
    lines += [f"module load {quote(module)}" for module in around.modules]
    lines += around.prelude
    if around.programs:
        lines.append(f'export PATH={quote(around.programs)}:"$PATH"')
    for name, value in sorted(spec.environment.items()):
        if not _NAME.match(name):
            raise BadEnvironment(f"{name[:60]!r} cannot be a variable.", hint="Use letters, digits and underscores.")
        lines.append(f"export {name}={quote(value)}")
    return lines


_WATCH = """\
warned=0 ended=0 again=1 code=
{command} &
child=$!
trap 'warned=1 again=1; kill -{stop} "$child" 2>/dev/null' USR1
trap 'ended=1 again=1; kill -{stop} "$child" 2>/dev/null' TERM
{alarm}while [ "$again" = 1 ]; do
  again=0
  wait "$child"
  last=$?
  [ "$last" = 127 ] && [ -n "$code" ] || code=$last
done
[ -z "${{timer-}}" ] || kill "$timer" 2>/dev/null
if [ "$code" = {exit_again} ] && [ "$ended" = 0 ] && [ "${{SLURM_RESTART_COUNT:-0}}" -lt {max_restarts} ] &&
  [ "$(squeue --noheader --jobs="$SLURM_JOB_ID" --format=%T)" = RUNNING ]; then
  echo "fucina: the job has saved its state and goes back into the queue (walltime near: $warned)"
  scontrol requeue "$SLURM_JOB_ID" && wait
fi
if [ "$code" -gt 128 ] && [ "$code" -lt 193 ]; then
  trap - TERM USR1
  kill -s "$((code - 128))" "$$"
fi
exit "$code"
"""
# A cancelled job leaves with the same status as one that wants to go on: only a job that Slurm still calls RUNNING is
# put back, since requeueing a cancelled or completed job would run it again.


_ALARM = """\
{{ sleep {alarm_s} && kill -USR1 "$$"; }} &
timer=$!
"""


def _supervised(argv: Sequence[str], spec: JobSpec, *, max_restarts: int, alarm_s: int) -> str:
    """Run the command beside the shell, so that the shell hears Slurm's warning and can requeue the job.

    `srun` hands SIGUSR1 on to what it started on other nodes; at SIGTERM it would have them killed.
    """
    return _WATCH.format(
        command=quote_argv(argv),
        stop="USR1" if spec.is_on_every_node else "TERM",
        exit_again=EXIT_AGAIN,
        max_restarts=max_restarts,
        alarm=_ALARM.format(alarm_s=alarm_s) if alarm_s else "",
    )
