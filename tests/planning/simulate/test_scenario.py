import json
from datetime import UTC, datetime

import pytest
import yaml
from typer.testing import CliRunner

from fucina.cli.main import app
from fucina.planning.simulate.cluster import BadScenario
from fucina.planning.simulate.metrics import estimate
from fucina.planning.simulate.report import write_report
from fucina.planning.simulate.scenario import Scenario, network, run_scenario, shipped
from fucina.planning.simulate.siting import Aim, NoSiting, load_question, plan, site
from fucina.planning.simulate.whatif import compare, size_for_wait

SMALL = {
    "name": "small",
    "days": 2,
    "warmup_days": 0.25,
    "replications": 2,
    "pools": [{"id": "p", "num_nodes": 16}],
    "classes": [
        {"name": "sme", "profile": "helios", "load": 0.4, "max_gpus": 8, "run_scale": 0.3},
        {"name": "large", "profile": "acme-kalos", "load": 0.4, "min_gpus": 8, "max_gpus": 32, "run_scale": 0.3},
    ],
}


def no_clock():
    """A clock that stands."""
    return 0.0


def call(*words):
    return CliRunner().invoke(app, ["plan", *map(str, words)])


def test_a_result_has_intervals_and_is_the_same_each_time():
    scenario = Scenario.model_validate(SMALL)
    heard = []
    one = run_scenario(scenario, clock=no_clock, watch=lambda done, total: heard.append((done, total)))
    assert one == run_scenario(scenario, clock=no_clock)
    wait = one.parts["class sme"]["mean_wait_s"]
    assert wait.low <= wait.mean <= wait.high
    assert 0.3 < one.parts["pool p"]["utilisation"].mean <= 1
    assert one.parts["pool p"]["goodput"].mean == 1
    assert one.parts["all"]["unfinished"].mean == 0
    assert 0 < one.parts["all"]["fairness"].mean <= 1
    assert heard[-1][0] == heard[-1][1]


def test_an_interval_is_students():
    found = estimate([1.0, 2.0, 3.0])
    assert (found.mean, round(found.low, 3), round(found.high, 3)) == (2.0, -0.484, 4.484)
    assert estimate([5.0]).low is None


def test_a_watcher_may_cancel():
    def enough(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_scenario(Scenario.model_validate(SMALL), clock=no_clock, watch=enough)


def test_the_size_found_is_enough_and_one_clearly_smaller_is_not():
    scenario = Scenario.model_validate({**SMALL, "replications": 1})
    found = size_for_wait(scenario, job_class="sme", p95_wait_s=600)
    by_size = {trial.num_nodes: trial for trial in found.trials}
    assert by_size[found.num_nodes].meets
    below = [trial for size, trial in by_size.items() if size < found.num_nodes]
    assert below
    assert not below[-1].meets
    assert found.monotonic == all(t.meets == (t.num_nodes >= found.num_nodes) for t in found.trials)
    with pytest.raises(BadScenario, match="no class 'nobody'"):
        size_for_wait(scenario, job_class="nobody", p95_wait_s=1)
    with pytest.raises(BadScenario, match="no pool 'q'"):
        size_for_wait(scenario, job_class="sme", p95_wait_s=1, pool_id="q")


def test_two_results_are_put_side_by_side():
    scenario = Scenario.model_validate(SMALL)
    larger = scenario.model_copy(update={"pools": (scenario.pools[0].model_copy(update={"num_nodes": 64}),)})
    one, other = run_scenario(scenario, clock=no_clock), run_scenario(larger, clock=no_clock)
    changes = {(c.part, c.name): c for c in compare(one, other)}
    energy = changes["all", "energy_mwh"]
    assert energy.change == pytest.approx(energy.after - energy.before)
    assert energy.change > 0
    assert energy.distinct is True


def test_the_command_saves_and_compares(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump({**SMALL, "replications": 1}))
    first = call("cluster", path, "--save", tmp_path / "a.json", "--format", "json")
    assert first.exit_code == 0, first.output
    path.write_text(yaml.safe_dump({**SMALL, "replications": 1, "pools": [{"id": "p", "num_nodes": 32}]}))
    assert call("cluster", path, "--save", tmp_path / "b.json").exit_code == 0
    told = call("compare", tmp_path / "a.json", tmp_path / "b.json", "--format", "json")
    assert {entry["part"] for entry in json.loads(told.stdout)} == {"all", "class sme", "class large", "pool p"}
    assert call("compare", tmp_path / "a.json", path).exit_code == 2


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"classes": []}, "either classes of jobs or a trace"),
        ({"days": 0}, "days: "),
        ({"pools": [], "network": ""}, "either a network or pools"),
        ({"network": "mars", "pools": []}, "no network 'mars'"),
        ({"surprise": 1}, "surprise: Extra inputs"),
        ({"classes": SMALL["classes"] + SMALL["classes"]}, "two classes have the same name"),
        ({"outages": [{"pool": "q", "begins_day": 1, "days": 1}]}, "no pool 'q'"),
    ],
)
def test_a_scenario_that_is_wrong_is_told_where(tmp_path, change, told):
    path = tmp_path / "wrong.yaml"
    path.write_text(yaml.safe_dump({**SMALL, "replications": 1, **change}))
    done = call("cluster", path)
    assert done.exit_code == 2, done.output
    assert told in " ".join(done.stderr.split())


def test_files_that_are_no_scenarios_are_no_traceback(tmp_path):
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "broken.yaml").write_text("name: [")
    for path in (tmp_path / "binary", tmp_path / "broken.yaml", tmp_path / "none.yaml", tmp_path):
        assert call("cluster", path).exit_code == 2
        assert call("gigafactory", path).exit_code == 2
    assert call("network", "--route", "teleport").exit_code == 2
    assert call("network", "--days", "-1").exit_code == 2


def test_shipped_scenarios_and_the_network_are_valid_and_name_their_sources():
    assert {shipped(name).name for name in ("fast-lane", "leonardo-down")} == {"fast-lane", "leonardo-down"}
    pools = network("eurohpc")
    assert sum(pool.num_gpus for pool in pools) == 57_060
    assert all(pool.source for pool in pools)


def test_sitings_keep_every_limit_and_each_is_best_at_its_aim():
    question = load_question()
    found = plan(question)
    by_aim = {siting.aim: siting for siting in found.sitings}
    for siting in found.sitings:
        assert sum(h.count for h in siting.holdings) == 100_000
        assert siting.power_mw <= question.power_cap_mw
        assert siting.num_sites <= question.max_sites
        for candidate in question.sites:
            here = sum(h.power_mw for h in siting.holdings if h.site == candidate.id)
            assert here <= candidate.power_mw + 1e-6
        for choice in question.accelerators:
            assert sum(h.count for h in siting.holdings if h.accelerator == choice.id) <= choice.available
    assert by_aim[Aim.COST].cost_eur == min(s.cost_eur for s in found.sitings)
    assert by_aim[Aim.CARBON].carbon_t == min(s.carbon_t for s in found.sitings)
    assert by_aim[Aim.COMPUTE].peak_eflops == max(s.peak_eflops for s in found.sitings)
    assert found.goodput.share < 0.9
    assert {lever.name for lever in found.levers} >= {"failures", "restart"}


def test_a_choice_that_can_be_counted_by_hand():
    question = load_question().model_copy(update={"num_accelerators": 800, "max_sites": 1})
    carbon = site(question, aim=Aim.CARBON, share=1.0)
    assert [(h.site, h.accelerator, h.count) for h in carbon.holdings] == [("north", "GB200", 800)]
    assert carbon.power_mw == pytest.approx(800 * 1750 * 1.08 / 1e6)
    with pytest.raises(NoSiting, match="no choice keeps every limit"):
        site(question.model_copy(update={"power_cap_mw": 1.0}), aim=Aim.COST, share=1.0)


def test_the_board_gets_a_pdf_that_is_the_same_each_time(tmp_path):
    found = plan(load_question())
    at = datetime(2026, 11, 21, tzinfo=UTC)
    pdf = write_report(found, made_at=at)
    assert pdf.startswith(b"%PDF-")
    assert pdf == write_report(found, made_at=at)
    done = call("gigafactory", "--report", tmp_path / "board.pdf", "--format", "json")
    assert done.exit_code == 0, done.output
    assert len(json.loads(done.stdout)["sitings"]) == 3
    assert (tmp_path / "board.pdf").stat().st_size > 10_000
    assert call("gigafactory", "--report", tmp_path / "no" / "board.pdf").exit_code == 2
