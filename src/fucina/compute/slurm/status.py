"""What a site's partitions have free and how long their queues are."""

from collections.abc import Sequence
from datetime import datetime

from fucina.compute.slurm.placing import NO_DEVICES
from fucina.compute.slurm.sinfo import NodeRow, num_devices
from fucina.compute.slurm.squeue import WaitingRow
from fucina.network.spec import Partition
from fucina.network.status import PartitionStatus


def partition_statuses(
    partitions: Sequence[Partition], *, nodes: Sequence[NodeRow], load: Sequence[WaitingRow], at: datetime
) -> list[PartitionStatus]:
    """One status a partition of the site file, in accelerators as the site bills them."""
    return [
        _status(
            partition,
            nodes=[row for row in nodes if row.partition == (partition.slurm_name or partition.id)],
            load=[row for row in load if (partition.slurm_name or partition.id) in row.partition.split(",")],
            at=at,
        )
        for partition in partitions
    ]


def _status(
    partition: Partition, *, nodes: Sequence[NodeRow], load: Sequence[WaitingRow], at: datetime
) -> PartitionStatus:
    working = [node for node in nodes if node.works and node.partition_up]
    waiting = [row for row in load if row.state == "PENDING"]
    free = [_num_free(partition, node) for node in working]
    return PartitionStatus(
        partition=partition.id,
        at=at,
        num_gpus=sum(_num_gpus(partition, node) for node in working),
        num_free_gpus=sum(free),
        num_running_jobs=len(load) - len(waiting),
        num_waiting_jobs=len(waiting),
        waiting_gpu_s=sum(_asked(partition, row) * row.time_limit_s for row in waiting),
        expected_wait_s=_expected_wait_s(waiting, any_free=any(free), works=bool(working), at=at),
        problem=_problem(nodes, working),
    )


def _num_gpus(partition: Partition, node: NodeRow) -> int:
    if partition.gres_type == NO_DEVICES:
        return partition.num_gpus_per_node
    return num_devices(node.gres, partition.gres_type) // partition.billing.devices_per_gpu


def _num_free(partition: Partition, node: NodeRow) -> int:
    if partition.gres_type == NO_DEVICES:
        return partition.num_gpus_per_node if node.is_idle else 0
    used = num_devices(node.gres_used, partition.gres_type)
    return max(0, num_devices(node.gres, partition.gres_type) - used) // partition.billing.devices_per_gpu


def _asked(partition: Partition, row: WaitingRow) -> int:
    """Accelerators that a waiting job asks for."""
    if partition.gres_type == NO_DEVICES:
        return row.num_nodes * partition.num_gpus_per_node
    devices = num_devices(row.gres, partition.gres_type) * row.num_nodes
    return -(-devices // partition.billing.devices_per_gpu)


def _expected_wait_s(waiting: Sequence[WaitingRow], *, any_free: bool, works: bool, at: datetime) -> float | None:
    """Wait of a small job: none where something is free and nobody waits, else the longest foreseen."""
    if not works:
        return None
    if any_free and not waiting:
        return 0.0
    starts = [row.start_at for row in waiting if row.start_at]
    return max(0.0, max(starts) - at.timestamp()) if starts else None


def _problem(nodes: Sequence[NodeRow], working: Sequence[NodeRow]) -> str:
    if not nodes:
        return "Slurm knows no such partition."
    if not any(node.partition_up for node in nodes):
        return "The partition is switched off."
    return "" if working else f"None of its {len(nodes)} nodes works."
