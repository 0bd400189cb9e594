import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fucina.trust.gates import BadLimit, UnknownGate, decide
from fucina.trust.recipe import GATES, GateResult, Metric

NUMBERS = st.floats(-1e6, 1e6)
BY_GATE = st.dictionaries(st.sampled_from(list(GATES)), NUMBERS)


def measured(name: str, value: float, *, n: int = 10) -> Metric:
    return Metric(name=name, value=value, n=n, low=value, high=value, interval="none", meaning="made up")


def test_a_limit_itself_holds():
    metrics = [measured("pii_leak_rate", 0.0), measured("language_match", 0.75)]

    results = decide({"language_match": 0.75, "pii_leak_rate": 0.0}, metrics)

    assert [(gate.metric, gate.passed, gate.measured) for gate in results] == [
        ("pii_leak_rate", True, 0.0),
        ("language_match", True, 0.75),
    ]


@pytest.mark.parametrize("name", GATES)
def test_a_gate_fails_when_nothing_was_measured(name: str):
    best = -1e9 if GATES[name].direction == "at_most" else 1e9

    assert decide({name: 0.5}, [measured(name, best, n=0)]) == (
        GateResult(metric=name, direction=GATES[name].direction, limit=0.5, measured=best, passed=False, n=0),
    )
    (missing,) = decide({name: 0.5}, [measured("something_else", best)])
    assert not missing.passed and missing.n == 0 and math.isfinite(missing.measured)
    (broken,) = decide({name: 0.5}, [measured(name, math.nan)])
    assert not broken.passed and math.isfinite(broken.measured)


def test_unknown_gates_and_unusable_limits_are_refused():
    with pytest.raises(UnknownGate, match="'leak_rate'") as caught:
        decide({"leak_rate": 0.0}, [])
    assert "pii_leak_rate" in caught.value.hint
    for limit in (math.nan, math.inf):
        with pytest.raises(BadLimit, match="pii_leak_rate"):
            decide({"pii_leak_rate": limit}, [])


@given(
    limits=st.dictionaries(st.sampled_from(list(GATES)), NUMBERS),
    values=st.dictionaries(st.sampled_from(list(GATES)), NUMBERS),
)
def test_every_gate_is_decided_once_by_its_own_number(limits: dict[str, float], values: dict[str, float]):
    results = decide(limits, [measured(name, value) for name, value in values.items()])

    assert {gate.metric for gate in results} == set(limits) and len(results) == len(limits)
    for gate in results:
        assert gate.limit == limits[gate.metric]
        if gate.metric not in values:
            assert not gate.passed
            continue
        assert gate.measured == values[gate.metric]
        over = gate.measured - gate.limit
        assert gate.passed == (over <= 0 if GATES[gate.metric].direction == "at_most" else over >= 0)
        assert GateResult.model_validate_json(gate.model_dump_json()) == gate


@given(limit=NUMBERS, value=NUMBERS, slack=st.floats(0, 1e6))
def test_a_looser_limit_never_fails_what_a_stricter_one_passes(limit: float, value: float, slack: float):
    for name, gate in GATES.items():
        looser = limit + slack if gate.direction == "at_most" else limit - slack
        (strict,) = decide({name: limit}, [measured(name, value)])
        (loose,) = decide({name: looser}, [measured(name, value)])
        assert loose.passed or not strict.passed
