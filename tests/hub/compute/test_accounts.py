"""What a site's scheduler should have."""

from fucina.compute.spec import JobSpec
from fucina.hub.accounting.actions import expire, hold, refund, settle
from fucina.hub.compute.accounts import desired_accounts
from fucina.hub.network.actions import map_user
from tests.hub.conftest import NOON, usage

HOUR_S = 3600


def only(agent):
    (account,) = desired_accounts(agent).accounts
    return account


def test_members_with_a_user_may_charge_and_others_not(allocation, chiara, ada, dag, bruno):
    assert only(chiara.agent).users == ()
    map_user(site=chiara.agent.site, username="ada", unix_user="alice", by=bruno, at=NOON)
    map_user(site=chiara.agent.site, username="dag", unix_user="dag", by=bruno, at=NOON)
    assert only(chiara.agent).users == ("alice",)
    ada.is_active = False
    ada.save()
    assert only(chiara.agent).users == ()


def test_the_limit_is_what_was_granted_and_refunded(allocation, chiara, run, ada):
    job = run.jobs.get(position=1)
    assert (only(chiara.agent).limit_gpu_s, only(chiara.agent).closed) == (10 * HOUR_S, False)
    settle(allocation=allocation, used=usage(job, wall_s=600), by=ada, at=NOON)
    refund(allocation=allocation, job_key=job.key, gpu_s=600, reason="node failed", by=ada, at=NOON)
    assert only(chiara.agent).limit_gpu_s == 10 * HOUR_S + 600


def test_a_grant_that_ended_leaves_what_was_used(allocation, chiara, ada):
    spec = JobSpec(key="one", name="one", command=("true",), num_gpus=1, walltime_s=HOUR_S)
    hold(allocation=allocation, spec=spec, by=ada, at=NOON)
    expire(allocation=allocation, by=ada, at=NOON)
    assert (only(chiara.agent).limit_gpu_s, only(chiara.agent).closed) == (HOUR_S, False)
    used = usage(_Job(), wall_s=100)
    settle(allocation=allocation, used=used, by=ada, at=NOON)
    expire(allocation=allocation, by=ada, at=NOON)
    assert (only(chiara.agent).limit_gpu_s, only(chiara.agent).closed) == (100, True)


def test_another_sites_accounts_are_not_told(allocation, stranger):
    assert desired_accounts(stranger.agent).accounts == ()


class _Job:
    """As much of a claimed job as a usage record needs."""

    spec = JobSpec(key="one", name="one", command=("true",), num_gpus=1, walltime_s=HOUR_S)
