"""The ways of an application: what may follow what, and who does it."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fucina.access.modes import Step, shipped_modes
from fucina.access.moves import (
    AT_STEP,
    FINAL,
    MOVES,
    AlreadyDecided,
    ApplicationState,
    MoveName,
    NotYourMove,
    ReasonMissing,
    Role,
    WrongMove,
    check_move,
    moves_from,
    next_state,
    target,
)

PATHS = sorted({mode.path for mode in shipped_modes().modes})
OFFICERS_WAY = {
    ApplicationState.SUBMITTED: MoveName.CHECKED,
    ApplicationState.ASSESSMENT: MoveName.ASSESSED,
    ApplicationState.REVIEW: MoveName.CLOSE_REVIEW,
    ApplicationState.REPLY: MoveName.CLOSE_REPLY,
    ApplicationState.PANEL: MoveName.RANK,
}


@pytest.mark.parametrize("path", PATHS, ids=lambda path: "-".join(path))
def test_every_path_is_walked_step_by_step_to_its_decision(path):
    state, seen = ApplicationState.SUBMITTED, []
    while state is not ApplicationState.DECIDING:
        seen.append(state)
        state = target(OFFICERS_WAY[state], state, path)
    expected = [AT_STEP[step] for step in path if step is not Step.DECISION]
    assert seen == expected or seen == [ApplicationState.SUBMITTED, *expected]


@given(path=st.sampled_from(PATHS), moves=st.lists(st.sampled_from(list(MoveName)), max_size=30))
def test_no_sequence_of_moves_skips_a_step_or_leaves_a_final_state(path, moves):
    state, states = ApplicationState.DRAFT, [ApplicationState.DRAFT]
    for name in moves:
        try:
            state = target(name, state, path)
        except (WrongMove, AlreadyDecided):
            continue
        states.append(state)
    allowed = {AT_STEP[step] for step in path} | {ApplicationState.SUBMITTED}
    assert not set(states) & (set(AT_STEP.values()) - allowed)
    for before, after in pairwise(states):
        if after is ApplicationState.GRANTED:
            assert before is ApplicationState.DECIDING
        assert before is not ApplicationState.GRANTED
        assert before is not ApplicationState.WITHDRAWN
        if before is ApplicationState.REJECTED:
            assert after is ApplicationState.APPEALED


@pytest.mark.parametrize("name", list(MoveName))
@pytest.mark.parametrize("state", list(ApplicationState))
def test_a_move_begins_only_where_the_table_says(name, state):
    if state in MOVES[name].before:
        assert isinstance(target(name, state, PATHS[0]), ApplicationState)
        assert name in moves_from(state)
    else:
        with pytest.raises(AlreadyDecided if state in FINAL else WrongMove) as caught:
            target(name, state, PATHS[0])
        assert state in caught.value.message
        assert name not in moves_from(state)


@pytest.mark.parametrize("name", list(MoveName))
def test_only_its_roles_make_a_move(name):
    move = MOVES[name]
    state = sorted(move.before)[0]
    for role in Role:
        if role in move.roles:
            check_move(name, state=state, path=PATHS[0], roles={role}, reason="As agreed.")
            if move.wants_reason:
                with pytest.raises(ReasonMissing):
                    check_move(name, state=state, path=PATHS[0], roles={role}, reason="  x ")
        else:
            with pytest.raises(NotYourMove, match=f"you are {role}"):
                check_move(name, state=state, path=PATHS[0], roles={role}, reason="As agreed.")
    with pytest.raises(NotYourMove, match="you are neither"):
        check_move(name, state=state, path=PATHS[0], roles=(), reason="As agreed.")


def test_nobody_decides_on_what_they_apply_for_and_no_clock_rejects():
    for move in MOVES.values():
        assert Role.APPLICANT not in move.roles or not move.roles & {Role.OFFICER, Role.RULE}
    assert Role.RULE not in MOVES[MoveName.REJECT].roles
    assert next_state(ApplicationState.PANEL, PATHS[0]) is ApplicationState.DECIDING
