"""While a grant lasts: accepted, changed, taken back, reported."""

from datetime import timedelta

import pytest

from fucina.client.wire import DecisionRequest
from fucina.compute.spec import JobSpec
from fucina.hub.access.models import Grant, GrantChange
from fucina.hub.access.moving import NotAMember, NotAnOfficer, OwnOrganisation
from fucina.hub.accounting.actions import AwardNotAccepted, check_open, hold
from fucina.hub.accounting.awards import (
    BadChange,
    ChangeDecided,
    ChangeOpen,
    ReportGiven,
    WellUsed,
    accept_award,
    ask_change,
    claw_back,
    decide_change,
    find_grant,
    hand_in_report,
    use_of,
)
from fucina.hub.accounting.models import Allocation, LedgerEntry
from fucina.hub.compute import projects
from fucina.hub.network.actions import register_site
from fucina.hub.people.actions import add_member
from fucina.hub.people.models import AuditRecord, Role
from tests.hub.conftest import NOON, SETUP, application_request, slurm_site

HOUR = 3600
END = NOON + timedelta(days=100)


@pytest.fixture
def grant(ada, officine, chiara, bruno):
    """10 GPU-hours in the Playground until `END`, not accepted yet."""
    row = projects.apply(request=application_request(access_mode="playground"), by=ada, at=NOON)
    projects.decide(application=row, request=DecisionRequest(granted=True, reason="Good."), by=bruno, at=NOON)
    Grant.objects.update(ends_at=END)
    return Grant.objects.get()


@pytest.fixture
def alpha(db):
    """Another site."""
    return register_site(site=slurm_site(), by=SETUP, at=NOON)


def job(key="one"):
    return JobSpec(name="train", key=key, command=("true",), num_gpus=1, walltime_s=HOUR)


def test_nothing_is_spent_before_the_award_is_accepted(grant, ada, dag):
    allocation = Allocation.objects.get()
    with pytest.raises(AwardNotAccepted, match=grant.ref):
        hold(allocation=allocation, spec=job(), by=SETUP, at=NOON)
    with pytest.raises(NotAMember):
        accept_award(grant=grant, by=dag, at=NOON)
    accepted = accept_award(grant=grant, by=ada, at=NOON)
    assert accept_award(grant=grant, by=ada, at=END).accepted_at == NOON == accepted.accepted_at
    hold(allocation=Allocation.objects.get(), spec=job(), by=SETUP, at=NOON)
    assert AuditRecord.objects.filter(action="access.accept_award").count() == 1


def test_a_mode_without_terms_asks_for_no_acceptance(allocation):
    check_open(allocation, at=NOON)


def ask(grant, by, kind="extension", **fields):
    fields = {"ends_at": END + timedelta(days=30)} | fields if kind == "extension" else fields
    return ask_change(grant=grant, kind=kind, reason="The data came late.", by=by, at=NOON, **fields)


def decide(change, by, agreed=True):
    return decide_change(change=change, agreed=agreed, answer="As agreed.", by=by, at=NOON)


def test_an_extension_moves_the_end(grant, ada, bruno):
    change = ask(grant, ada)
    with pytest.raises(ChangeOpen):
        ask(grant, ada)
    with pytest.raises(NotAnOfficer):
        decide(change, ada)
    decide(change, bruno)
    assert Grant.objects.get().ends_at == END + timedelta(days=30)
    with pytest.raises(ChangeDecided):
        decide(change, bruno, agreed=False)


def test_a_refusal_changes_nothing_and_one_may_ask_again(grant, ada, bruno):
    decide(ask(grant, ada), bruno, agreed=False)
    assert Grant.objects.get().ends_at == END
    assert ask(grant, ada).state == "asked"


def test_nobody_decides_on_their_own_organisation(grant, ada, bruno, officine):
    change = ask(grant, ada)
    add_member(organisation=officine, person=bruno, role=Role.MEMBER, by=ada, at=NOON)
    for act in (lambda: decide(change, bruno), lambda: claw_back(grant=grant, gpu_s=1, reason="x", by=bruno, at=END)):
        with pytest.raises(OwnOrganisation):
            act()


def test_a_supplement_adds_hours_where_they_are_wanted(grant, ada, bruno, alpha):
    decide(ask(grant, ada, "supplement", gpu_s=5 * HOUR, target="local"), bruno)
    decide(ask(grant, ada, "supplement", gpu_s=HOUR, target="alpha/gpu"), bruno)
    assert Grant.objects.get().gpu_s == 16 * HOUR
    assert sorted(row.free_gpu_s for row in Allocation.objects.all()) == [HOUR, 15 * HOUR]
    assert use_of(grant, at=NOON).granted_gpu_s == 16 * HOUR


def test_a_transfer_moves_hours_and_makes_none(grant, ada, bruno, alpha):
    change = ask(grant, ada, "transfer", gpu_s=4 * HOUR, source="local", target="alpha/gpu")
    decide(change, bruno)
    places = {row.site.name: row.free_gpu_s for row in Allocation.objects.select_related("site")}
    assert places == {"local": 6 * HOUR, "alpha": 4 * HOUR}
    assert sum(LedgerEntry.objects.values_list("gpu_s", flat=True)) == 10 * HOUR
    assert GrantChange.objects.get().state == "agreed"


@pytest.mark.parametrize(
    ("kind", "fields", "reason"),
    [
        ("gift", {}, "no change 'gift'"),
        ("extension", {"ends_at": NOON}, "not after 2027-02-28"),
        ("supplement", {"gpu_s": 0, "target": "local"}, "No GPU-hours"),
        ("supplement", {"gpu_s": HOUR, "target": "nowhere"}, "no partition 'nowhere'"),
        ("supplement", {"gpu_s": HOUR, "target": "a\x00b"}, "no partition"),
        ("transfer", {"gpu_s": HOUR, "source": "local", "target": "local"}, "where the time is already"),
        ("transfer", {"gpu_s": 11 * HOUR, "source": "local", "target": "alpha"}, "more than the 10.00 free"),
        ("transfer", {"gpu_s": HOUR, "source": "alpha", "target": "local"}, "has no time on"),
    ],
)
def test_a_change_that_cannot_be_is_refused_in_words(grant, ada, alpha, kind, fields, reason):
    with pytest.raises(BadChange, match=reason) as caught:
        ask(grant, ada, kind, **fields)
    assert caught.value.hint
    assert not GrantChange.objects.exists()


def test_time_that_is_gone_meanwhile_is_not_transferred(grant, ada, bruno, alpha):
    change = ask(grant, ada, "transfer", gpu_s=10 * HOUR, source="local", target="alpha")
    accept_award(grant=grant, by=ada, at=NOON)
    hold(allocation=Allocation.objects.get(), spec=job(), by=SETUP, at=NOON)
    with pytest.raises(BadChange, match="9.00 free"):
        decide(change, bruno)
    assert GrantChange.objects.get().state == "asked"


def test_time_is_taken_back_only_where_little_is_used(grant, ada, bruno):
    with pytest.raises(WellUsed, match="49% of the period"):
        claw_back(grant=grant, gpu_s=HOUR, reason="Not used.", by=bruno, at=NOON + timedelta(days=49))
    later = NOON + timedelta(days=60)
    assert use_of(grant, at=later).is_under_used
    with pytest.raises(BadChange, match="10.00 are free"):
        claw_back(grant=grant, gpu_s=11 * HOUR, reason="Not used.", by=bruno, at=later)
    assert claw_back(grant=grant, gpu_s=4 * HOUR, reason="Not used.", by=bruno, at=later) == 4 * HOUR
    assert Allocation.objects.get().free_gpu_s == 6 * HOUR


def test_the_final_report_is_prefilled_and_given_once(grant, ada, dag, bruno):
    with pytest.raises(BadChange, match="at least 40|characters"):
        hand_in_report(grant=grant, results="Done.", by=ada, at=END)
    given = hand_in_report(
        grant=grant, results="The model explains regulations in words that people use.", by=ada, at=END
    )
    assert (given.report["granted_gpu_hours"], given.report["used_gpu_hours"], given.report["num_jobs"]) == (10, 0, 0)
    with pytest.raises(ReportGiven):
        hand_in_report(grant=grant, results="x" * 50, by=ada, at=END)
    assert find_grant(grant.application.ref, person=bruno) == grant
    with pytest.raises(Exception, match="There is no grant"):
        find_grant(grant.application.ref, person=dag)
