"""Moves of applications in the tables: legal or nothing, and always on the record."""

import threading
from datetime import timedelta

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fucina.access.modes import shipped_modes
from fucina.access.moves import MOVES, ApplicationState, MoveName, Role, WrongMove
from fucina.errors import FactoryError, NotAllowed
from fucina.hub.access.actions import decide_application, keep_mode, withdraw_application
from fucina.hub.access.models import Application, ApplicationEvent, CoApplicant, Grant
from fucina.hub.access.moving import (
    AlreadyOpen,
    AppealedBefore,
    ApplicationChanged,
    NotAMember,
    OwnOrganisation,
    SameOfficer,
    move_application,
    roles_of,
)
from fucina.hub.people.actions import Rule, add_member, create_organisation
from fucina.hub.people.append_only import AppendOnlyViolated
from fucina.hub.people.models import AuditRecord, Person
from fucina.hub.people.models import Role as MemberRole
from tests.hub.conftest import NOON

MODES = shipped_modes().on(NOON.date())


@pytest.fixture
def carla(db):
    """Another officer."""
    return Person.objects.create_user("carla", name="Carla Neri", is_staff=True)


@pytest.fixture
def draft(ada, officine):
    """A draft of Ada's in the mode of that name."""

    def make(mode="large-scale", project="norme"):
        return Application.objects.create(
            organisation=officine, project=project, purpose="Drafts summaries", access_mode=keep_mode(MODES[mode]),
            gpu_s=3600, state=ApplicationState.DRAFT, created_by=ada, created_at=NOON,
        )  # fmt: skip

    return make


def move(application, name, by, reason="As the rules say.", **more):
    return move_application(application=application, name=name, by=by, at=NOON, reason=reason, **more)


STEPS = st.tuples(st.sampled_from(list(MoveName)), st.sampled_from(["ada", "bruno", "carla", "dag", "own", "rule"]))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    mode=st.sampled_from(["local", "playground", "large-scale", "ai-for-science"]), steps=st.lists(STEPS, max_size=25)
)
def test_random_moves_by_everybody_do_nothing_illegal_and_lose_nothing(
    mode, steps, draft, ada, bruno, carla, dag, officine
):
    own, _ = Person.objects.get_or_create(username="own", defaults={"is_staff": True})
    add_member(organisation=officine, person=own, role=MemberRole.MEMBER, by=ada, at=NOON)
    people = {"ada": ada, "bruno": bruno, "carla": carla, "dag": dag, "own": own, "rule": Rule("local/x")}
    application = draft(mode, f"p{Application.objects.count()}")
    state, made, appeals = ApplicationState.DRAFT, [], 0
    for name, who in steps:
        audited = AuditRecord.objects.count()
        try:
            row = move(application, name, people[who])
        except FactoryError as error:
            assert error.hint
            assert AuditRecord.objects.count() == audited
            assert Application.objects.get(pk=application.pk).state == state
            continue
        assert state in MOVES[name].before
        assert who != "dag"
        wanted = Role.APPLICANT if who in {"ada", "own"} else Role.RULE if who == "rule" else Role.OFFICER
        assert wanted in MOVES[name].roles
        assert who != "rule" or mode == "local"
        appeals += name is MoveName.APPEAL
        made.append((name.value, state.value, row.state, people[who].audit_name))
        state = ApplicationState(row.state)
        record = AuditRecord.objects.order_by("-pk").first()
        assert (record.action, record.who) == (f"access.{name}", people[who].audit_name)
        assert AuditRecord.objects.count() == audited + 1
    rows = ApplicationEvent.objects.filter(application=application).order_by("version")
    assert [(e.move, e.before, e.after, e.who) for e in rows] == made
    assert [e.version for e in rows] == list(range(1, len(made) + 1))
    assert Application.objects.get(pk=application.pk).version == len(made)
    assert appeals <= 1


def test_the_whole_way_of_a_large_application(draft, ada, bruno, carla):
    application = draft()
    for name, by in (
        (MoveName.SUBMIT, ada), (MoveName.RETURN, bruno), (MoveName.SUBMIT, ada), (MoveName.CHECKED, bruno),
        (MoveName.ASSESSED, bruno), (MoveName.CLOSE_REVIEW, bruno), (MoveName.REPLY, ada), (MoveName.RANK, carla),
    ):  # fmt: skip
        application = move(application, name, by)
    assert application.state == "deciding"
    decide_application(
        application=application, granted=False, num_gpu_hours=None, reason="Too late.", by=bruno, at=NOON
    )
    application = move(application, MoveName.APPEAL, ada)
    with pytest.raises(SameOfficer, match="2026-11-20"):
        move(application, MoveName.UPHOLD, bruno)
    move(application, MoveName.UPHOLD, carla)
    later = NOON + timedelta(days=1)
    decide_application(application=application, granted=True, num_gpu_hours=None, reason="In time.", by=carla, at=later)
    assert Grant.objects.get().application == application
    assert list(application.decisions.order_by("round").values_list("round", "granted")) == [(1, False), (2, True)]


def test_one_officer_does_not_decide_past_reviewers_and_panel(draft, ada, bruno):
    application = move(draft(), MoveName.SUBMIT, ada)
    with pytest.raises(WrongMove, match="grant is not possible while the application is review"):
        decide_application(application=application, granted=True, num_gpu_hours=None, reason="Good.", by=bruno, at=NOON)
    assert Application.objects.get().state == "submitted"


def test_an_application_is_appealed_once(draft, ada, bruno, carla):
    application = move(draft(), MoveName.SUBMIT, ada)
    decide_application(application=application, granted=False, num_gpu_hours=None, reason="No plan.", by=bruno, at=NOON)
    move(application, MoveName.APPEAL, ada)
    move(application, MoveName.DISMISS, carla)
    with pytest.raises(AppealedBefore):
        move(application, MoveName.APPEAL, ada)


def test_an_appeal_that_is_upheld_makes_no_second_open_application(draft, ada, bruno, carla):
    first = move(draft(), MoveName.SUBMIT, ada)
    decide_application(application=first, granted=False, num_gpu_hours=None, reason="No plan.", by=bruno, at=NOON)
    move(first, MoveName.APPEAL, ada)
    move(draft(), MoveName.SUBMIT, ada)
    with pytest.raises(AlreadyOpen):
        move(first, MoveName.UPHOLD, carla)
    assert Application.objects.get(pk=first.pk).state == "appealed"


@pytest.mark.parametrize("name", [name for name in MoveName if Role.OFFICER in MOVES[name].roles])
@pytest.mark.parametrize("how", ["member", "invited", "accepted", "colleague"])
def test_staff_make_no_move_on_what_is_their_own(name, how, draft, ada, bruno, dag, officine):
    application = draft()
    Application.objects.filter(pk=application.pk).update(state=sorted(MOVES[name].before)[0])
    if how == "member":
        add_member(organisation=officine, person=bruno, role=MemberRole.MEMBER, by=ada, at=NOON)
    elif how == "colleague":
        add_member(
            organisation=dag.memberships.get().organisation, person=bruno, role=MemberRole.MEMBER, by=dag, at=NOON
        )
        CoApplicant.objects.create(
            application=application, person=dag, invited_by=ada, invited_at=NOON, accepted_at=NOON
        )
    else:
        accepted_at = NOON if how == "accepted" else None
        CoApplicant.objects.create(
            application=application, person=bruno, invited_by=ada, invited_at=NOON, accepted_at=accepted_at
        )
    with pytest.raises(OwnOrganisation, match="Officine Esempio"):
        move(application, name, bruno)
    assert not ApplicationEvent.objects.exists()


def test_who_accepted_an_invitation_applies_and_who_did_not_does_not(draft, ada, dag):
    application = draft()
    row = CoApplicant.objects.create(application=application, person=dag, invited_by=ada, invited_at=NOON)
    with pytest.raises(NotAMember):
        move(application, MoveName.SUBMIT, dag)
    row.accepted_at = NOON
    row.save()
    assert roles_of(application, dag) == {Role.APPLICANT}
    assert Application.objects.visible_to(dag).get() == application
    assert move(application, MoveName.SUBMIT, dag).state == "submitted"


def test_a_draft_is_seen_by_nobody_else(draft, ada, bruno, dag):
    draft()
    assert [Application.objects.visible_to(person).count() for person in (ada, bruno, dag)] == [1, 0, 0]


def test_what_somebody_changed_meanwhile_is_not_overwritten(draft, ada, bruno):
    application = move(draft(), MoveName.SUBMIT, ada)
    move(application, MoveName.RETURN, bruno, version=application.version)
    with pytest.raises(ApplicationChanged, match="you saw version 1, now it is 2"):
        withdraw_application(application=application, by=ada, at=NOON, version=1)
    assert Application.objects.get().state == "returned"


def test_a_timeline_only_grows(draft, ada):
    move(draft(), MoveName.SUBMIT, ada)
    event = ApplicationEvent.objects.get()
    event.reason = "another"
    for change in (event.save, event.delete, ApplicationEvent.objects.all().delete):
        with pytest.raises(AppendOnlyViolated):
            change()


def test_a_mode_that_changes_leaves_running_applications_alone(draft, ada, officine):
    before = draft("playground", "one")
    changed = MODES["playground"].model_copy(update={"working_days": 9})
    row = keep_mode(changed)
    assert (row.revision, before.access_mode.revision) == (1, 0)
    assert keep_mode(changed) == row
    assert Application.objects.get(pk=before.pk).access_mode.wire["working_days"] == 2


def test_two_officers_at_once_make_one_move(committing, draft, ada, bruno, carla):
    application = move(draft("playground"), MoveName.SUBMIT, ada)
    start, results = threading.Barrier(2), []

    def decide(by, granted):
        start.wait()
        try:
            decide_application(
                application=application, granted=granted, num_gpu_hours=None, reason="Weighed.", by=by, at=NOON,
                version=application.version,
            )  # fmt: skip
            results.append("done")
        except (ApplicationChanged, NotAllowed) as error:
            results.append(error.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=decide, args=pair) for pair in ((bruno, True), (carla, False))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["application_changed", "done"]
    assert application.decisions.count() == 1


def test_a_new_organisation_is_not_let_in_by_another(draft, ada, dag):
    create_organisation(name="Terza", country="IT", by=dag, at=NOON)
    with pytest.raises(NotAMember):
        move(draft(), MoveName.SUBMIT, dag)
