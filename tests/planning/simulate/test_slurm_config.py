"""A site's own configuration and accounting: read, simulated, and what is wrong with them told."""

from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from fucina.cli.main import app
from fucina.planning.simulate.accounting_traces import read_trace
from fucina.planning.simulate.accounts import account_tables
from fucina.planning.simulate.cluster import Account, BadScenario, Pool, Scheduling, Weights
from fucina.planning.simulate.job_table import JobTable
from fucina.planning.simulate.run import simulate
from fucina.planning.simulate.scenario import jobs_of, load_scenario
from fucina.planning.simulate.slurm_config import BadSlurmConfig, host_names, read_slurm, scheduling_for, time_s
from fucina.planning.simulate.trace_jobs import agreement, jobs_of_trace, same_order

CONF = """
ClusterName=alpha   # the first
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=5,bf_resolution=10,bf_max_job_test=50,bf_window=60
PriorityType=priority/multifactor
PriorityDecayHalfLife=14-0
PriorityCalcPeriod=1
PriorityWeightFairshare=1000
PriorityWeightQOS=500
PreemptType=preempt/qos
PreemptMode=REQUEUE
NodeName=n[1-8] Gres=gpu:h200:4(S:0-1) CPUs=64 \\
  State=UNKNOWN
NodeName=cpu[01-02] CPUs=64
PartitionName=gpu Nodes=n[1-8] Default=YES State=UP
PartitionName=small Nodes=n[1-2] State=UP
"""
SHOWN = """Configuration data as of 2026-11-21T04:00:00
BOOT_TIME               = 2026-11-21T04:18:35
ClusterName             = alpha
PriorityCalcPeriod      = 00:01:00
PriorityDecayHalfLife   = 00:00:00
PriorityFlags           = NO_FAIR_TREE
SchedulerParameters     = (null)
SchedulerType           = sched/builtin
PartitionName=gpu Default=YES Nodes=n[1-3]
NodeName=n1 Gres=gpu:4 State=IDLE Partitions=gpu
NodeName=n2 Gres=gpu:4 State=DOWN+DRAIN Partitions=gpu
NodeName=n3 Gres=gpu:4 State=MIXED Partitions=gpu,small
NodeName=n4 Gres=gpu:8 State=IDLE Partitions=small
"""
QOS = "Name|Priority|Preempt\nnormal|100|low\nlow|0|\nurgent|1000|low\n"
ASSOCIATIONS = """Account|User|ParentName|Share|GrpTRES|GrpJobs|MaxJobs
root|||1|||
f||root|1|gres/gpu=16||
f|ada||3|cpu=4,gres/gpu=8||2
f|bob||1|||
"""
SACCT = """JobID|User|Account|QOS|Partition|State|Submit|Start|ElapsedRaw|TimelimitRaw|ReqTRES
1|ada|f|normal|gpu|COMPLETED|2026-11-21T05:00:00|2026-11-21T05:00:00|100|5|gres/gpu=4
2|bob|f|low|gpu|PREEMPTED|2026-11-21T05:00:10|2026-11-21T05:00:12|30|5|gres/gpu=4
2|bob|f|low|gpu|COMPLETED|2026-11-21T05:00:42|2026-11-21T05:03:00|60|5|gres/gpu=4
3|ada|f|urgent|gpu|COMPLETED|2026-11-21T05:00:30|2026-11-21T05:00:30|50|5|gres/gpu=4
"""


def table_of(accounts, rows):
    """Jobs of (submit, run, estimate, gpus, account)."""
    submit, run, estimate, gpus, account = np.array(rows, np.int64).T
    zero = np.zeros(len(rows), np.int64)
    return JobTable(
        submit_s=submit, run_s=run, estimate_s=estimate, gpus=gpus, account=account, qos=zero, pool=zero, group=zero,
        data_gb=zero.astype(float), accounts=accounts, groups=("all",),
    )  # fmt: skip


def test_slurm_conf_becomes_nodes_rules_classes_and_accounts():
    site = read_slurm(CONF, qos=QOS, associations=ASSOCIATIONS)
    rules = site.scheduling
    assert (site.pool.id, site.pool.num_nodes, site.pool.gpus_per_node) == ("gpu", 8, 4)
    assert (rules.policy, rules.placement, rules.fairshare) == ("conservative", "first-fit", "tree")
    assert (rules.backfill_interval_s, rules.backfill_resolution_s, rules.backfill_depth) == (5, 10, 50)
    assert (rules.backfill_window_s, rules.calculation_s, rules.half_life_days) == (3600, 60, 14)
    assert [(q.name, q.priority, q.preempts, q.yields) for q in rules.qos] == [
        ("normal", 0.1, True, False), ("low", 0.0, False, True), ("urgent", 1.0, True, False),
    ]  # fmt: skip
    accounts = {a.name: (a.parent, a.share, a.max_gpus, a.max_running) for a in rules.accounts}
    assert accounts["f"] == ("root", 1, 16, None)
    assert accounts["f/ada"] == ("f", 3, 8, 2)
    assert any("2 nodes with other than 4" in note for note in site.notes)
    assert read_slurm(CONF, partition="small").pool.num_nodes == 2


def test_what_scontrol_shows_leaves_out_nodes_that_are_down():
    site = read_slurm(SHOWN)
    assert (site.pool.num_nodes, site.scheduling.policy, site.scheduling.fairshare) == (2, "fcfs", "classic")
    assert site.scheduling.half_life_days == 0
    assert site.calculated_at is not None


def test_priorities_are_calculated_when_slurmctld_did(tmp_path):
    path = tmp_path / "sacct.txt"
    path.write_text(SACCT)
    assert scheduling_for(read_slurm(SHOWN), read_trace(path)).first_calculation_s == 35


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5", 300), ("1:30", 90), ("1:00:00", 3600), ("7-0", 604800), ("1-02:03", 93780), ("1-00:00:01", 86401)],
)
def test_slurms_times(text, seconds):
    assert time_s(text) == seconds


def test_names_of_nodes():
    assert host_names("n[1-3,07],login") == ["n1", "n2", "n3", "n07", "login"]
    assert host_names("r[1-2]n[1-2]") == ["r1n1", "r1n2", "r2n1", "r2n2"]


@pytest.mark.parametrize(
    ("config", "more", "told"),
    [
        ("nonsense", {}, "neither ClusterName nor NodeName"),
        ("ClusterName=a\n", {}, "No node of a has accelerators"),
        (CONF, {"partition": "big"}, "no partition 'big'"),
        (CONF.replace("14-0", "soon"), {}, "'soon' is no time"),
        (CONF.replace("=1000", "=many"), {}, "PriorityWeightFairshare='many' is no number"),
        (CONF.replace("n[1-8]", "n[a-b]", 1), {}, "no list of nodes"),
        (CONF, {"qos": "Name\nnormal\n"}, "classes of service have no priority, preempt"),
        (CONF, {"associations": "Account|User\n"}, "associations have no parentname, share"),
    ],
)
def test_a_configuration_that_cannot_be_read_is_told_where(config, more, told):
    with pytest.raises(BadSlurmConfig) as caught:
        read_slurm(config, **more)
    assert told in caught.value.message


def test_a_job_that_was_stopped_counts_once_from_its_first_submission(tmp_path):
    path = tmp_path / "sacct.txt"
    path.write_text(SACCT)
    trace = read_trace(path)
    assert trace.submit_s.tolist() == [0, 10, 30]
    assert trace.run_s.tolist() == [100, 60, 50]
    assert trace.recorded_wait_s.tolist() == [0, 2, 0]
    table = jobs_of_trace(trace, pools=(Pool(id="gpu", num_nodes=2),), qos=("normal", "low", "urgent"))
    assert table.accounts == ("f/ada", "f/bob")
    assert table.qos.tolist() == [0, 1, 2]


def test_agreement_is_of_waits_and_order(tmp_path):
    path = tmp_path / "sacct.txt"
    path.write_text(SACCT)
    trace = read_trace(path)
    pool = Pool(id="gpu", num_nodes=1)
    course = simulate(jobs_of_trace(trace, pools=(pool,), qos=("normal",)), pools=(pool,))
    found = agreement(trace, course)  # one node: starts at 0, 100 and 160
    assert (found.jobs, found.mean_absolute_error_s) == (3, round((0 + 88 + 130) / 3, 2))
    assert same_order(np.array([1, 2, 3]), np.array([10, 30, 20])) == round(2 / 3, 4)
    assert same_order(np.array([1, 1]), np.array([5, 9])) == 1.0


def test_a_limit_holds_its_account_up_and_nobody_else():
    table = table_of(("a", "b"), [(0, 100, 100, 4, 0), (0, 100, 100, 4, 0), (0, 100, 100, 4, 1)])
    for limit in ({"max_gpus": 4}, {"max_running": 1}):
        rules = Scheduling(policy="conservative", accounts=(Account(name="a", **limit),), backfill_interval_s=0)
        course = simulate(table, pools=[Pool(id="p", num_nodes=2)], scheduling=rules)
        assert course.first_start_s.tolist() == [0, 100, 0]


def test_a_limit_of_the_account_above_holds_for_all_below():
    table = table_of(("a", "b"), [(0, 100, 100, 4, 0), (0, 100, 100, 4, 1)])
    accounts = (Account(name="f", max_gpus=4), Account(name="a", parent="f"), Account(name="b", parent="f"))
    for policy in ("fcfs", "easy", "conservative"):
        rules = Scheduling(policy=policy, accounts=accounts, backfill_interval_s=0)
        assert simulate(table, pools=[Pool(id="p", num_nodes=2)], scheduling=rules).first_start_s.tolist() == [0, 100]


def test_fair_tree_ranks_the_account_above_first():
    """Both users of f used nothing, yet f did by a third: g's user goes first though that user used some."""
    accounts = (
        Account(name="f"), Account(name="g"), Account(name="f/heavy", parent="f"), Account(name="f/new", parent="f"),
        Account(name="g/some", parent="g"),
    )  # fmt: skip
    rows = [(0, 100, 100, 4, 0), (0, 10, 10, 4, 2), (20, 10, 10, 8, 1), (21, 10, 10, 8, 2)]
    rules = Scheduling(
        policy="fcfs", weights=Weights(fairshare=1000), accounts=accounts, calculation_s=1, backfill_interval_s=1
    )
    table = table_of(("f/heavy", "f/new", "g/some"), rows)
    start = simulate(table, pools=[Pool(id="p", num_nodes=2)], scheduling=rules).first_start_s
    assert start[3] < start[2]


@pytest.mark.parametrize(
    ("accounts", "told"),
    [
        ((Account(name="a", parent="x"),), "under 'x', which is not there"),
        ((Account(name="x", parent="y"), Account(name="y", parent="x"), Account(name="a", parent="x")), "under itself"),
        ((Account(name="c", parent="a"), Account(name="a")), "jobs of its own and accounts below"),
        ((Account(name="a", max_gpus=2),), "may hold 2 at most"),
    ],
)
def test_a_tree_that_cannot_be_is_told(accounts, told):
    with pytest.raises(BadScenario) as caught:
        account_tables(table_of(("a",), [(0, 1, 1, 4, 0)]), accounts)
    assert told in caught.value.message


def test_a_stopped_job_may_not_start_at_once():
    rules = {
        "policy": "conservative", "backfill_interval_s": 0, "restart_s": 0,
        "qos": ({"name": "low", "yields": True}, {"name": "high", "preempts": True, "priority": 1}),
        "weights": {"qos": 10},
    }  # fmt: skip
    table = table_of(("a",), [(0, 100, 100, 4, 0), (10, 5, 5, 4, 0)])
    table = replace(table, qos=np.array([0, 1]))
    for requeue_s, end in ((0, 115), (60, 170)):
        course = simulate(table, pools=[Pool(id="p", num_nodes=1)], scheduling=Scheduling(**rules, requeue_s=requeue_s))
        assert course.end_s.tolist() == [end, 15]


def test_the_first_node_is_taken_where_slurm_would():
    rows = [(0, 100, 100, 3, 0), (0, 10, 10, 3, 0), (0, 100, 100, 2, 0), (20, 50, 50, 2, 0), (21, 50, 50, 4, 0)]
    found = {}
    for placement in ("best-fit", "first-fit"):
        rules = Scheduling(policy="fcfs", placement=placement, backfill_interval_s=0)
        course = simulate(table_of(("a",), rows), pools=[Pool(id="p", num_nodes=3)], scheduling=rules)
        found[placement] = course.first_start_s.tolist()
    assert (found["best-fit"][4], found["first-fit"][4]) == (21, 70)


def test_the_command_predicts_and_writes_a_scenario_to_change(tmp_path):
    names = {"sacct.txt": SACCT, "slurm.conf": CONF, "qos.txt": QOS, "assoc.txt": ASSOCIATIONS}
    for name, text in names.items():
        (tmp_path / name).write_text(text)
    words = ["plan", "slurm", str(tmp_path / "sacct.txt"), "--config", str(tmp_path / "slurm.conf")]
    more = ["--qos", str(tmp_path / "qos.txt"), "--associations", str(tmp_path / "assoc.txt")]
    written = tmp_path / "site.yaml"
    done = CliRunner().invoke(app, [*words, *more, "--write", str(written), "--format", "json"])
    assert done.exit_code == 0, done.output
    assert '"jobs": 3' in done.output
    scenario = load_scenario(written)
    assert len(jobs_of(scenario)) == 3
    assert scenario.scheduling.accounts[-1].name == "f/bob"
    failed = CliRunner().invoke(app, [*words[:3], "--config", str(tmp_path / "missing")])
    assert failed.exit_code != 0 and "cannot be read" in failed.output


def test_a_trace_of_a_scenario_lies_beside_it(tmp_path):
    (tmp_path / "jobs.txt").write_text(SACCT)
    file = tmp_path / "s.yaml"
    file.write_text("name: s\ntrace: jobs.txt\npools: [{id: gpu, num_nodes: 2}]\n")
    assert len(jobs_of(load_scenario(file))) == 3
    assert len(jobs_of(load_scenario(file).model_copy(update={"days": 20 / 86_400}))) == 2
    file.write_text("name: s\npools: [{id: gpu, num_nodes: 2}]\n")
    with pytest.raises(BadScenario, match="either classes of jobs or a trace"):
        load_scenario(file)
