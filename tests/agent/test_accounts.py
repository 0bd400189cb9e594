"""What a cluster's accounting needs to be what the hub wants; nothing foreign is ever touched."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fucina.agent.accounts import NoScheduler, limit_of, plan
from fucina.client.wire_site import DesiredAccount
from fucina.compute.slurm.sacctmgr import Association
from fucina.network.spec import load_network
from tests.hub.conftest import slurm_site

SITE = slurm_site()
USERS = frozenset({"alice", "bob", "carol"})


def account(name="alc-1", *, users=("alice",), limit_gpu_s=3600, **changes):
    fields = {"name": name, "description": "d", "organisation": "Officine", "partition": "gpu"}
    return DesiredAccount(**fields, users=users, limit_gpu_s=limit_gpu_s, **changes)


def tree(*rows):
    return [Association(cluster="alpha", account="root"), Association(cluster="alpha", account="fucina"), *rows]


def row(name="alc-1", *, user="", parent="fucina", minutes=60, **changes):
    tres = {} if user else {"gres/gpu": minutes}
    shown = "" if user else parent
    return Association(cluster="alpha", account=name, user=user, parent=shown, tres_minutes=tres, **changes)


def steps(desired, found, site=SITE):
    return [step.what for step in plan(site, desired=desired, found=found, unix_users=USERS).steps]


def test_everything_in_order_on_an_empty_cluster():
    assert steps([account()], [Association(cluster="alpha", account="root")]) == [
        "add account fucina",
        "add account alc-1 for d",
        "limit account alc-1 in gres/gpu-minutes: none -> 60",
        "let alice charge alc-1",
    ]


def test_nothing_when_all_is_so():
    assert steps([account()], tree(row(), row(user="alice"))) == []


def test_every_command_names_the_cluster_and_none_resets_usage():
    report = plan(SITE, desired=[account()], found=tree(row(minutes=1), row(user="bob")), unix_users=USERS)
    assert len(report.steps) == 3
    for step in report.steps:
        assert "cluster=alpha" in step.argv
        assert not any("RawUsage" in word for word in step.argv)
        assert "delete" not in step.argv


def test_a_user_who_left_submits_nothing_new_and_one_who_is_back_does():
    assert steps([account(users=())], tree(row(), row(user="alice"))) == ["let alice submit nothing new to alc-1"]
    assert steps([account(users=())], tree(row(), row(user="alice", max_submit=0))) == []
    assert steps([account()], tree(row(), row(user="alice", max_submit=0))) == ["let alice charge alc-1 again"]


def test_a_user_that_the_site_does_not_have_is_told():
    report = plan(SITE, desired=[account(users=("eva",))], found=tree(row()), unix_users=USERS)
    assert report.steps == ()
    assert report.problems == ("User eva, who may charge alc-1, does not exist at this site.",)


def test_foreign_accounts_are_named_and_left_alone():
    found = tree(row("hers", parent="root"), row("old"), row("hers", user="alice", parent="root"))
    report = plan(SITE, desired=[account("hers")], found=found, unix_users=USERS)
    assert report.steps == ()
    assert "exists below root, not below fucina" in report.problems[0]
    report = plan(SITE, desired=[], found=found, unix_users=USERS)
    assert (report.steps, report.foreign_accounts, report.unknown_accounts) == ((), ("hers",), ("old",))


def test_another_cluster_of_the_same_database_is_not_ours():
    other = [Association(cluster="beta", account=name, parent="fucina") for name in ("fucina", "alc-1")]
    assert "add account alc-1 for d" in steps([account()], [*tree(), *other])


def test_a_partition_without_devices_is_limited_in_node_minutes():
    cpu = SITE.partitions[0].model_copy(update={"gres_type": "none"})
    site = SITE.model_copy(update={"partitions": (cpu,)})
    assert steps([account()], tree(row(), row(user="alice")), site) == [
        "limit account alc-1 in node-minutes: none -> 60",
        "limit account alc-1 in gres/gpu-minutes: 60 -> none",
    ]


@given(gpu_s=st.integers(0, 10**10), devices=st.integers(1, 8), closed=st.booleans())
def test_a_limit_never_takes_granted_time_and_never_gives_ended_time(gpu_s, devices, closed):
    part = SITE.partitions[0]
    part = part.model_copy(update={"billing": part.billing.model_copy(update={"devices_per_gpu": devices})})
    limit = limit_of(account(limit_gpu_s=gpu_s, closed=closed), part)
    exact = gpu_s * devices / 60
    assert (exact - 1 < limit.minutes <= exact) if closed else (exact <= limit.minutes < exact + 1)


def test_a_site_without_slurm_has_no_accounts():
    with pytest.raises(NoScheduler):
        plan(load_network().sites[0], desired=[], found=[], unix_users=USERS)
