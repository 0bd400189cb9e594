"""Job states and their moves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from fucina.compute.spec import FINAL, MOVES, BadMove, JobSpec, JobState, check_move


@given(st.sampled_from(JobState), st.sampled_from(JobState))
def test_only_the_table_moves_a_job_and_nothing_leaves_a_final_state(before, after):
    if before == after or after in MOVES[before]:
        check_move(before, after)
        assert before == after or before not in FINAL
    else:
        with pytest.raises(BadMove, match=f"{before} cannot become {after}"):
            check_move(before, after)


def test_every_state_has_its_moves_and_a_way_to_an_end():
    assert set(MOVES) == set(JobState)
    reached = {JobState.BLOCKED}
    while more := {after for before in reached for after in MOVES[before]} - reached:
        reached |= more
    assert set(JobState) == reached


@pytest.mark.parametrize(
    "changes",
    [
        {"key": "../x"},
        {"key": ""},
        {"command": ()},
        {"walltime_s": 0},
        {"num_gpus": -1},
        {"colour": "red"},
        {"key": "a b"},
    ],
)
def test_a_spec_that_makes_no_sense_is_refused(changes):
    good = {"key": "k", "name": "n", "command": ("true",), "walltime_s": 1}
    JobSpec(**good)
    with pytest.raises(ValidationError):
        JobSpec(**(good | changes))
