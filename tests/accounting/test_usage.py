"""GPU-second arithmetic."""

from hypothesis import given
from hypothesis import strategies as st

from fucina.accounting.usage import held_gpu_s, used_gpu_s


@given(st.integers(0, 10_000), st.integers(1, 10**6), st.floats(0, 1))
def test_what_is_used_never_exceeds_what_was_held(num_gpus, walltime_s, share):
    used = used_gpu_s(num_gpus=num_gpus, wall_s=share * walltime_s)
    assert 0 <= used <= held_gpu_s(num_gpus=num_gpus, walltime_s=walltime_s)


def test_a_started_second_counts():
    assert used_gpu_s(num_gpus=4, wall_s=1.2) == 8
    assert used_gpu_s(num_gpus=4, wall_s=2.0) == 8
    assert used_gpu_s(num_gpus=0, wall_s=100) == 0
