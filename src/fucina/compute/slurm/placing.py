"""A job in the terms of one site: which partition, how many nodes and devices, which folder."""

import os.path
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from fucina.compute.slurm.sbatch import SubmitOptions
from fucina.compute.spec import JobSpec
from fucina.errors import BadInput, NotAllowed
from fucina.network.spec import Partition, Site, SlurmSite
from fucina.units import format_duration

NO_DEVICES = "none"


class DoesNotFit(BadInput):
    """No partition of the site can run the job."""

    code = "does_not_fit"


class OutsideProject(NotAllowed):
    """A path outside the folders that the site gives to projects."""

    code = "outside_project"


def inside(path: str, roots: Sequence[Path]) -> str:
    """The path in its plain form. Raises OutsideProject unless it lies below one of `roots`."""
    plain = PurePosixPath(os.path.normpath(path))
    if "\0" in path or "\n" in path or not plain.is_absolute() or not any(plain.is_relative_to(r) for r in roots):
        allowed = ", ".join(str(root) for root in roots)
        raise OutsideProject(f"{path[:200]!r} is no folder of a project.", hint=f"Projects live below {allowed}.")
    return str(plain)


def partition_for(spec: JobSpec, site: Site) -> Partition:
    """The named partition, or the first that the job fits in. Raises DoesNotFit."""
    if spec.partition:
        for partition in site.partitions:
            if spec.partition in (partition.id, partition.slurm_name):
                _check(spec, partition)
                return partition
        known = ", ".join(p.id for p in site.partitions)
        raise DoesNotFit(f"Site {site.id} has no partition {spec.partition!r}.", hint=f"It has: {known}.")
    troubles = []
    for partition in site.partitions:
        try:
            _check(spec, partition)
        except DoesNotFit as error:
            troubles.append(error.message)
        else:
            return partition
    raise DoesNotFit(" ".join(troubles), hint="Ask for less, or spread the job over more nodes.")


def place(
    spec: JobSpec, *, site: Site, slurm: SlurmSite, roots: Sequence[Path], after_ok: tuple[int, ...], warn_s: int
) -> SubmitOptions:
    """What to ask Slurm for. Raises DoesNotFit, OutsideProject."""
    partition = partition_for(spec, site)
    folder = inside(spec.working_directory, roots)
    num_nodes, devices = nodes_and_devices(spec, partition)
    kind = f":{partition.gres_type}" if partition.gres_type not in ("", NO_DEVICES) else ""
    return SubmitOptions(
        key=spec.key,
        name=spec.name,
        time_min=-(-spec.walltime_s // 60),
        working_directory=folder,
        output=f"{folder}/{log_name(spec.key)}",
        user=spec.user,
        partition=partition.slurm_name or partition.id,
        account=spec.account or slurm.account,
        qos=spec.qos or partition.qos,
        constraint=partition.constraint,
        num_nodes=num_nodes,
        num_cpus=spec.num_cpus,
        gres=f"gpu{kind}:{devices}" if devices else "",
        memory_mib=round(spec.memory_gib * 1024),
        exclusive=partition.gres_type == NO_DEVICES and spec.num_gpus > 0,
        array=spec.array,
        after_ok=after_ok,
        requeue=spec.requeue,
        # Slurm warns up to a minute early and counts in minutes: a short job gets a short warning.
        warn_s=min(warn_s, spec.walltime_s // 3) if spec.requeue else 0,
    )


def log_name(key: str) -> str:
    """The file in the working directory that a job prints to; tasks of an array share it."""
    return f"job-{key}.log"


def nodes_and_devices(spec: JobSpec, partition: Partition) -> tuple[int, int]:
    """Nodes, and devices of each as Slurm counts them. Raises DoesNotFit."""
    if partition.gres_type == NO_DEVICES:
        per_node = max(1, partition.num_gpus_per_node)
        return max(spec.num_nodes, -(-spec.num_gpus // per_node)), 0
    devices = spec.num_gpus * partition.billing.devices_per_gpu
    if devices % spec.num_nodes:
        raise DoesNotFit(
            f"{spec.num_gpus} accelerators do not divide among {spec.num_nodes} nodes.",
            hint="Ask for a multiple of the number of nodes.",
        )
    return spec.num_nodes, devices // spec.num_nodes


def _check(spec: JobSpec, partition: Partition) -> None:
    name = partition.id
    num_nodes, devices = nodes_and_devices(spec, partition)
    if devices > partition.num_devices_per_node:
        raise DoesNotFit(
            f"{spec.num_gpus // spec.num_nodes} accelerators a node; {name} has {partition.num_gpus_per_node}.",
            hint="Ask for fewer, or spread the job over more nodes.",
        )
    if num_nodes > partition.num_nodes:
        raise DoesNotFit(f"{num_nodes} nodes; {name} has {partition.num_nodes}.", hint="Ask for fewer nodes.")
    if partition.num_cpus_per_node and spec.num_cpus > partition.num_cpus_per_node:
        raise DoesNotFit(
            f"{spec.num_cpus} cores a node; {name} has {partition.num_cpus_per_node}.", hint="Ask for fewer cores."
        )
    if partition.memory_gib_per_node and spec.memory_gib > partition.memory_gib_per_node:
        raise DoesNotFit(
            f"{spec.memory_gib:g} GiB a node; {name} has {partition.memory_gib_per_node:g}.",
            hint="Ask for less memory.",
        )
    if spec.walltime_s > partition.max_walltime_s:
        raise DoesNotFit(
            f"{format_duration(spec.walltime_s)} of time; {name} allows {format_duration(partition.max_walltime_s)}.",
            hint="Shorten the walltime: a job that can be resumed goes on in the next one.",
        )
