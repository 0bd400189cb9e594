"""What a partition charges a run, in whole GPU-seconds."""

import math
from fractions import Fraction

from fucina.accounting.sacct import Allocated
from fucina.network.spec import BillingUnit, Partition

NO_DEVICES = "none"
"""`Partition.gres_type` of a partition whose nodes themselves count as accelerators."""


def billed_gpus(allocated: Allocated, partition: Partition) -> Fraction:
    """Accelerators that a run is charged for, as the site bills them.

    Where two devices make one accelerator, one device is half of it. The largest share is that of LUMI: cores and
    memory are counted in the slices that belong to one device, a started slice as a whole one.
    """
    billing = partition.billing
    without_devices = partition.gres_type == NO_DEVICES
    if billing.unit is BillingUnit.NODE or (billing.unit is BillingUnit.GPU and without_devices):
        return Fraction(allocated.num_nodes * partition.num_gpus_per_node)
    if billing.unit is BillingUnit.GPU:
        return Fraction(allocated.num_devices, billing.devices_per_gpu)
    shares = [0 if without_devices else allocated.num_devices]
    devices = partition.num_devices_per_node
    if partition.num_cpus_per_node:
        shares.append(math.ceil(Fraction(allocated.num_cpus * devices, partition.num_cpus_per_node)))
    if partition.memory_gib_per_node:
        node_mib = Fraction(partition.memory_gib_per_node) * 1024
        shares.append(math.ceil(Fraction(allocated.memory_mib) * devices / node_mib))
    return Fraction(max(shares), billing.devices_per_gpu)


def billed_gpu_s(allocated: Allocated, partition: Partition, *, elapsed_s: int) -> int:
    """GPU-seconds that a run is charged for; a started one counts."""
    return math.ceil(billed_gpus(allocated, partition) * elapsed_s)


def storage_tb_s(*, num_bytes: int, held_s: int) -> int:
    """TB-seconds of `num_bytes` kept for `held_s`, a TB being 10^12 bytes; a started one counts."""
    return -(-num_bytes * held_s // 10**12)


def tb_hours(tb_s: int) -> float:
    """TB-seconds as TB-hours."""
    return tb_s / 3600
