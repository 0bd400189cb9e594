"""What a run is charged."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fucina.accounting.billing import billed_gpu_s, billed_gpus, storage_tb_s, tb_hours
from fucina.accounting.sacct import Allocated
from fucina.network.spec import Billing, BillingUnit
from tests.accounting.slurmdb import partition

LUMI_SMALL = partition(
    num_gpus_per_node=4,
    num_cpus_per_node=64,
    memory_gib_per_node=512.0,
    billing=Billing(unit=BillingUnit.LARGEST_SHARE, devices_per_gpu=2),
)


def held(*, devices=0, cpus=1, memory_gib=1.0, nodes=1):
    return Allocated(nodes, cpus, memory_gib * 1024, devices)


@pytest.mark.parametrize(
    ("allocated", "gpu_hours"),
    [
        (held(devices=1, cpus=8, memory_gib=64), 0.5),
        (held(devices=1, cpus=9, memory_gib=64), 1.0),
        (held(devices=1, cpus=8, memory_gib=65), 1.0),
        (held(devices=8, cpus=64, memory_gib=512), 4.0),
        (held(devices=0, cpus=16, memory_gib=1), 1.0),
        (held(devices=2, cpus=1, memory_gib=256), 2.0),
    ],
)
def test_the_largest_share_counts_in_halves_of_a_module(allocated, gpu_hours):
    """LUMI's documented rule: the largest of GCDs, cores by eight and memory by 64 GB, times one half."""
    assert float(billed_gpus(allocated, LUMI_SMALL)) == gpu_hours
    assert billed_gpu_s(allocated, LUMI_SMALL, elapsed_s=3600) == gpu_hours * 3600


def test_devices_are_accelerators_unless_two_make_one():
    assert billed_gpu_s(held(devices=3), partition(), elapsed_s=7) == 21
    two = partition(billing=Billing(devices_per_gpu=2))
    assert billed_gpu_s(held(devices=3), two, elapsed_s=7) == 11
    assert billed_gpu_s(held(devices=0, cpus=64), partition(), elapsed_s=7) == 0


def test_whole_nodes_count_in_accelerators():
    whole = partition(billing=Billing(unit=BillingUnit.NODE))
    assert billed_gpu_s(held(nodes=3, devices=1), whole, elapsed_s=10) == 120
    no_devices = partition(gres_type="none", num_gpus_per_node=1)
    assert billed_gpu_s(held(nodes=2), no_devices, elapsed_s=10) == 20


def test_storage_is_metered_in_tb_hours():
    assert storage_tb_s(num_bytes=10**12, held_s=3600) == 3600
    assert storage_tb_s(num_bytes=1, held_s=1) == 1
    assert tb_hours(7200) == 2.0


@given(
    st.integers(0, 8),
    st.integers(0, 64),
    st.integers(0, 512),
    st.integers(0, 10**6),
    st.sampled_from(list(BillingUnit)),
)
def test_more_is_never_cheaper_and_a_node_is_the_most(devices, cpus, memory_gib, elapsed_s, unit):
    priced = LUMI_SMALL.model_copy(update={"billing": Billing(unit=unit, devices_per_gpu=2)})
    cost = billed_gpu_s(held(devices=devices, cpus=cpus, memory_gib=memory_gib), priced, elapsed_s=elapsed_s)
    more = billed_gpu_s(held(devices=devices + 1, cpus=cpus, memory_gib=memory_gib), priced, elapsed_s=elapsed_s + 1)
    assert 0 <= cost <= 4 * elapsed_s
    assert more >= cost
