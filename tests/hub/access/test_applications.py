"""Applying, the automatic check, and who decides."""

from datetime import UTC, date, datetime

import pytest
from pydantic import ValidationError

from fucina.access.modes import Bounds, ModesFile, UnknownMode, shipped_modes
from fucina.access.moves import AlreadyDecided
from fucina.client.wire import ApplicationRequest, DecisionRequest
from fucina.errors import NotVisible, WrongState
from fucina.hub.access.actions import withdraw_application
from fucina.hub.access.models import Application, Decision, Grant
from fucina.hub.access.moving import AlreadyOpen, NotAMember, NotAnOfficer, OwnOrganisation
from fucina.hub.access.read import application_info, applications
from fucina.hub.access.rules import check_eligibility
from fucina.hub.accounting.models import Allocation
from fucina.hub.compute import projects
from fucina.hub.compute.models import Project
from fucina.hub.compute.projects import NoSite
from fucina.hub.people.actions import add_member
from fucina.hub.people.models import AuditRecord, Role
from tests.hub.conftest import NOON, application_request


@pytest.fixture
def waiting(ada, officine, chiara):
    """An application that an officer must decide on."""
    return projects.apply(request=application_request(access_mode="playground"), by=ada, at=NOON)


def decide(application, by, *, granted=True, gpu_hours=None):
    request = DecisionRequest(granted=granted, gpu_hours=gpu_hours, reason="Fits the machine.")
    return projects.decide(application=application, request=request, by=by, at=NOON)


def test_what_passes_every_rule_is_granted_by_the_rule(project, ada):
    (info,) = applications(ada)
    assert (info.state, info.gpu_hours, info.granted_gpu_hours) == ("granted", 10, 10)
    assert info.decided_by == "rule local/2026-11-20"
    assert [finding.rule for finding in info.findings] == ["max_gpu_hours"]
    assert Decision.objects.get().decided_by is None
    assert AuditRecord.objects.get(action="access.decide").who == "rule local/2026-11-20"


def test_more_than_the_rule_allows_waits_for_an_officer(ada, officine, chiara, bruno):
    application = projects.apply(request=application_request(gpu_hours=1001), by=ada, at=NOON)
    info = application_info(application)
    assert info.state == "submitted"
    assert "1001 GPU-hours asked for; local grants a project up to 1000" in info.findings[0].message
    assert not Project.objects.exists()
    decide(application, bruno, gpu_hours=1000)
    assert Grant.objects.get().gpu_s == 3_600_000


def test_the_limit_counts_what_the_project_has(project, ada):
    application = projects.apply(request=application_request(gpu_hours=991), by=ada, at=NOON)
    assert application.state == "submitted"
    assert "and 10 granted before" in application_info(application).findings[0].message


def test_more_time_for_the_same_project_is_a_second_allocation(project, ada):
    projects.apply(request=application_request(), by=ada, at=NOON)
    assert Project.objects.count() == 1
    assert Allocation.objects.count() == 2


def test_an_officer_grants_and_it_is_open(waiting, bruno, ada):
    info = application_info(decide(waiting, bruno, gpu_hours=4))
    assert (info.state, info.granted_gpu_hours, info.decided_by) == ("granted", 4, "bruno")
    assert Project.objects.visible_to(ada).get().name == "norme-chiare"
    assert not Project.objects.visible_to(bruno).exists()


def test_a_grant_ends_as_its_mode_says(waiting, bruno, ada):
    decide(waiting, bruno)
    assert Grant.objects.get(application=waiting).ends_at == datetime(2027, 2, 20, 12, tzinfo=UTC)
    projects.apply(request=application_request(project="altro"), by=ada, at=NOON)
    assert Grant.objects.get(project="altro").ends_at is None, "time on the factory's own machine has no end"


def test_a_rejection_opens_nothing(waiting, bruno):
    assert decide(waiting, bruno, granted=False).state == "rejected"
    assert not Grant.objects.exists()
    assert not Project.objects.exists()


def test_a_decision_is_final(waiting, bruno, ada):
    decide(waiting, bruno)
    with pytest.raises(AlreadyDecided, match="granted and cannot become rejected"):
        decide(waiting, bruno, granted=False)
    with pytest.raises(AlreadyDecided):
        withdraw_application(application=waiting, by=ada, at=NOON)
    assert Decision.objects.count() == Grant.objects.count() == 1


def test_only_officers_decide(waiting, ada):
    with pytest.raises(NotAnOfficer):
        decide(waiting, ada)


def test_an_officer_does_not_decide_on_their_own_organisation(waiting, bruno, ada, officine):
    add_member(organisation=officine, person=bruno, role=Role.MEMBER, by=ada, at=NOON)
    with pytest.raises(OwnOrganisation, match="Officine Esempio"):
        decide(waiting, bruno)
    assert not Decision.objects.exists()


def test_no_more_is_granted_than_was_asked_for(waiting, bruno):
    with pytest.raises(WrongState, match=r"11\.00 GPU-hours is more than the 10\.00"):
        decide(waiting, bruno, gpu_hours=11)


def test_a_withdrawn_application_makes_room_for_another(waiting, ada, dag):
    with pytest.raises(AlreadyOpen):
        projects.apply(request=application_request(access_mode="playground"), by=ada, at=NOON)
    with pytest.raises(NotAMember):
        withdraw_application(application=waiting, by=dag, at=NOON)
    withdraw_application(application=waiting, by=ada, at=NOON)
    projects.apply(request=application_request(access_mode="playground"), by=ada, at=NOON)
    assert sorted(Application.objects.values_list("state", flat=True)) == ["submitted", "withdrawn"]


def test_nobody_applies_for_others(officine, dag, bruno, chiara):
    with pytest.raises(NotVisible, match="Officine Esempio"):
        projects.apply(request=application_request(), by=dag, at=NOON)
    with pytest.raises(NotAMember):
        projects.apply(request=application_request(), by=bruno, at=NOON)
    assert not Application.objects.exists()


def test_an_organisation_is_found_by_reference_and_in_any_case(ada, officine, chiara):
    for name in (officine.ref, "OFFICINE  esempio"):
        assert projects.apply(request=application_request(organisation=name), by=ada, at=NOON).organisation == officine


def test_applications_are_seen_by_members_and_officers(waiting, ada, bruno, dag):
    assert [len(applications(person)) for person in (ada, bruno, dag)] == [1, 1, 0]


def test_an_unknown_mode_is_refused(ada, officine, chiara):
    with pytest.raises(UnknownMode, match="slow-lane") as caught:
        projects.apply(request=application_request(access_mode="slow-lane"), by=ada, at=NOON)
    assert "local" in caught.value.hint


def test_without_a_site_nothing_is_granted(ada, officine):
    with pytest.raises(NoSite):
        projects.apply(request=application_request(), by=ada, at=NOON)
    assert not Application.objects.exists()


def test_a_mode_holds_from_its_day():
    modes = shipped_modes()
    assert "local" not in modes.on(date(2026, 11, 19))
    with pytest.raises(UnknownMode):
        modes.mode("local", day=date(2026, 11, 19))
    later = modes.modes[0].model_copy(update={"valid_from": date(2027, 1, 1), "bounds": Bounds(at_most=5)})
    both = ModesFile(sources=modes.sources, countries=modes.countries, modes=(later, *modes.modes))
    assert both.mode("local", day=date(2026, 12, 31)).max_gpu_hours == 1000
    assert both.mode("local", day=date(2027, 1, 1)).max_gpu_hours == 5


def test_every_source_that_a_mode_names_is_listed():
    modes = shipped_modes()
    assert {source for mode in modes.modes for source in mode.sources} <= set(modes.sources)
    assert {countries.source for countries in modes.countries.values()} <= set(modes.sources)
    assert len(modes.countries["eu"].codes) == len(set(modes.countries["eu"].codes)) == 27


@pytest.mark.parametrize(("country", "passed"), [("IT", True), ("CH", True), ("KZ", False), ("", False)])
def test_where_an_organisation_is_established_is_checked(country, passed):
    modes = shipped_modes()
    mode = modes.mode("playground", day=date(2026, 11, 20))
    findings = check_eligibility(mode, country=country, gpu_hours=10, granted_gpu_hours=0, modes=modes)
    by_rule = {finding.rule: finding for finding in findings}
    assert by_rule["establishment"].passed is passed
    assert by_rule["max_gpu_hours"].passed


@pytest.mark.parametrize(
    "change",
    [
        {"gpu_hours": 0},
        {"gpu_hours": -1},
        {"gpu_hours": float("nan")},
        {"project": "Bad Name"},
        {"purpose": "x"},
        {"more": 1},
    ],
)
def test_a_bad_application_never_reaches_the_tables(change):
    with pytest.raises(ValidationError):
        ApplicationRequest.model_validate(application_request().model_dump() | change)
