"""The ranking of a call: real room, reasons in the applicant's language, decisions all or none."""

import io
from datetime import UTC, datetime, timedelta

import pypdf
import pytest

from fucina.access.modes import shipped_modes
from fucina.access.moves import MoveName
from fucina.access.ranking import BadRanking
from fucina.hub.access.models import Application, Decision, Grant
from fucina.hub.access.moving import NotAnOfficer, OwnOrganisation, move_application
from fucina.hub.accounting.models import Allocation
from fucina.hub.manage.demo_call import AlreadyThere, make_call
from fucina.hub.people.models import AuditRecord, Membership, Organisation
from fucina.hub.review.assigning import assign_reviewers
from fucina.hub.review.clocks import clock_of, clocks, escalate_late, mark_seen
from fucina.hub.review.models import Escalation, Ranking, Review
from fucina.hub.review.rankings import (
    NothingToRank,
    NotReviewed,
    RankingStale,
    confirm_ranking,
    free_gpu_s,
    propose_ranking,
    reason_of,
    scored,
)
from tests.hub.conftest import NOON
from tests.hub.review.conftest import GOOD, HOUR, PLACE, bring_to_panel, many_before_the_panel, reviewer


def propose(by, *, hours=100_000, overbooking=1.0, smallest_share=None, capacity=None):
    return propose_ranking(
        mode_id="large-scale",
        capacity_gpu_s=capacity or {PLACE: hours * HOUR},
        overbooking=overbooking,
        smallest_share=smallest_share,
        by=by,
        at=NOON,
    )


@pytest.fixture
def three(alpha, pool, bruno):
    """60,000 hours each; the third misses a threshold."""
    return many_before_the_panel(bruno, [(60_000, 4.0), (60_000, 4.5), (60_000, 2.5)])


def test_a_ranking_is_a_proposal(three, bruno):
    ranking = propose(bruno)
    places = {place.application_id: place for place in ranking.places.all()}
    assert [places[row.pk].outcome for row in three] == ["no-room", "awarded", "below-threshold"]
    assert [places[row.pk].rank for row in three] == [2, 1, 3]
    assert places[three[0].pk].short_gpu_s == {PLACE: 20_000 * HOUR}
    assert places[three[2].pk].below == ["excellence"]
    assert not Decision.objects.exists()
    assert set(Application.objects.values_list("state", flat=True)) == {"panel"}


def test_reasons_are_in_both_languages_and_name_nobody(three, bruno):
    ranking = propose(bruno)
    places = {place.application_id: place for place in ranking.places.select_related("application__access_mode")}
    english = reason_of(places[three[0].pk], total=3, language="en")
    assert "Rank 2 of 3, with 12 points" in english
    assert "with 20,000 GPU-hours more it would have fitted" in english
    assert "1 applications with a better rank" in english
    assert "Firm" not in english
    italian = reason_of(places[three[2].pk], total=3, language="it")
    assert "Sotto la soglia in: Eccellenza" in italian
    assert "Assegnate: 60.000 ore-GPU su alpha/gpu" in reason_of(places[three[1].pk], total=3, language="it")


def test_confirming_decides_on_all_with_allocations(three, bruno):
    ranking = confirm_ranking(ranking=propose(bruno), by=bruno, at=NOON)
    states = [Application.objects.get(pk=row.pk).state for row in three]
    assert states == ["rejected", "granted", "rejected"]
    assert Grant.objects.get().gpu_s == 60_000 * HOUR
    assert str(Allocation.objects.get().partition) == PLACE
    assert Decision.objects.get(application=three[1]).reason.startswith("Posto 1 su 3")
    assert Decision.objects.get(application=three[0]).reason.startswith("Rank 2 of 3")
    assert ranking.confirmed_by == bruno
    with pytest.raises(RankingStale, match="was confirmed on"):
        confirm_ranking(ranking=ranking, by=bruno, at=NOON)


def test_what_if_more_is_another_ranking(three, bruno):
    assert [
        propose(bruno, hours=hours).places.filter(outcome="awarded").count() for hours in (59_999, 60_000, 120_000)
    ] == [
        0,
        1,
        2,
    ]
    over = propose(bruno, hours=100_000, overbooking=1.2)
    assert over.uses[0]["over_gpu_s"] == 20_000 * HOUR
    assert Ranking.objects.count() == 4


def test_parts_only_where_the_mode_allows_it(three, bruno):
    with pytest.raises(BadRanking, match="awards all or nothing"):
        propose(bruno, smallest_share=0.5)
    mode = three[0].access_mode
    mode.wire["review"]["partial_from"] = 0.5
    mode.save()
    with pytest.raises(BadRanking, match="no less than 50%"):
        propose(bruno, smallest_share=0.3)
    ranking = propose(bruno, smallest_share=0.5)
    part = ranking.places.get(outcome="partly-awarded")
    assert part.gpu_s == {PLACE: 40_000 * HOUR}
    confirm_ranking(ranking=ranking, by=bruno, at=NOON)
    assert sorted(Grant.objects.values_list("gpu_s", flat=True)) == [40_000 * HOUR, 60_000 * HOUR]


def test_a_ranking_of_yesterday_is_not_confirmed(three, bruno):
    ranking = propose(bruno)
    review = Review.objects.filter(application=three[0]).first()
    Review.objects.filter(pk=review.pk).update(scores={**GOOD, "excellence": 5.0})
    with pytest.raises(RankingStale, match=f"scores of {three[0].ref} have changed"):
        confirm_ranking(ranking=ranking, by=bruno, at=NOON)
    again = propose(bruno)
    move_application(application=three[2], name=MoveName.REJECT, by=bruno, at=NOON, reason="Fraud.")
    with pytest.raises(RankingStale, match="3 applications were ranked"):
        confirm_ranking(ranking=again, by=bruno, at=NOON)
    assert Decision.objects.count() == 0


def test_nobody_ranks_their_own_organisation(three, bruno, ada):
    ranking = propose(bruno)
    Membership.objects.create(person=bruno, organisation=Organisation.objects.get(name="Firm 2"))
    with pytest.raises(OwnOrganisation, match="Firm 2"):
        propose(bruno)
    with pytest.raises(OwnOrganisation):
        confirm_ranking(ranking=ranking, by=bruno, at=NOON)
    assert not Ranking.objects.visible_to(bruno).exists()
    with pytest.raises(NotAnOfficer):
        propose(ada)
    assert not Ranking.objects.visible_to(ada).exists()


def test_capacity_is_of_partitions_that_are_there(three, bruno):
    with pytest.raises(BadRanking, match="no partition 'beta/gpu'"):
        propose(bruno, capacity={"beta/gpu": 1})
    with pytest.raises(BadRanking, match="No capacity"):
        propose_ranking(mode_id="large-scale", capacity_gpu_s={}, overbooking=1, smallest_share=None, by=bruno, at=NOON)
    with pytest.raises(BadRanking, match="overbooking of 9"):
        propose(bruno, overbooking=9)


def test_what_nobody_reviewed_is_not_ranked(in_review, pool, bruno):
    with pytest.raises(NothingToRank):
        propose(bruno)
    bring_to_panel(in_review, bruno)
    with pytest.raises(NotReviewed, match=in_review.ref):
        propose(bruno)


def test_the_room_is_what_grants_leave(three, bruno):
    before = free_gpu_s(days=30)[PLACE]
    confirm_ranking(ranking=propose(bruno), by=bruno, at=NOON)
    after = free_gpu_s(days=30)[PLACE]
    assert after == max(0, before - 60_000 * HOUR)


def test_the_panel_sees_scores_in_few_questions(three, django_assert_num_queries):
    rows = list(Application.objects.select_related("access_mode", "organisation"))
    with django_assert_num_queries(1):
        found = scored(rows)
    assert [row.score.points for row in found] == [12500, 12000, 10500]
    assert found[-1].score.below == ("excellence",)


def test_late_is_shown_and_escalated_but_never_decided(in_review, bruno, dag):
    mode = in_review.access_mode
    due = clocks([in_review], at=NOON)[in_review.pk]
    assert (due.due_on.isoformat(), due.is_late) == ("2026-12-14", False)
    assert escalate_late(at=NOON) == []
    late = datetime(2026, 12, 15, 12, tzinfo=UTC)
    (escalation,) = escalate_late(at=late)
    assert escalate_late(at=late + timedelta(days=30)) == []
    entry = AuditRecord.objects.get(action="review.escalate")
    assert (entry.who, entry.data["working_days_late"]) == ("rule clock", 1)
    assert Application.objects.get(pk=in_review.pk).state == "review"
    with pytest.raises(NotAnOfficer):
        mark_seen(escalation=escalation, by=dag, at=late)
    mark_seen(escalation=escalation, by=bruno, at=late)
    assert Escalation.objects.get().seen_by == bruno
    assert mode.name == "large-scale"


def test_a_clock_that_ends_on_a_weekend_is_not_late_before_monday(in_review):
    mode = shipped_modes().mode("fast-lane", day=NOON.date()).model_copy(update={"working_days": 0})
    clock = clock_of(
        mode, submitted_at=datetime(2026, 11, 21, 12, tzinfo=UTC), at=datetime(2026, 11, 22, 12, tzinfo=UTC)
    )
    assert (clock.due_on.isoformat(), clock.is_late) == ("2026-11-23", False)


@pytest.mark.slow
def test_the_demo_call_is_ranked_and_ends_in_letters_in_both_languages(db, bruno, client):
    ranking = make_call(at=NOON)
    places = list(ranking.places.select_related("application"))
    assert len(places) == 20
    assert Review.objects.filter(state="submitted").count() == 60
    outcomes = {place.outcome for place in places}
    assert outcomes == {"awarded", "no-room", "below-threshold"}
    assert ranking.points >= ranking.greedy_points
    assert ranking.uses[0]["awarded_gpu_s"] <= ranking.uses[0]["limit_gpu_s"]
    confirm_ranking(ranking=ranking, by=bruno, at=NOON + timedelta(days=7))
    reasons = list(Decision.objects.values_list("application__language", "reason"))
    assert len(reasons) == 20
    assert {language for language, _ in reasons} == {"en", "it"}
    assert all(reason.startswith("Posto" if language == "it" else "Rank") for language, reason in reasons)
    for wish, said in (("ward-notes", "GPU-hours were granted"), ("guide-vive", "non è stata accolta")):
        row = Application.objects.get(project=wish)
        client.force_login(row.submitted_by)
        page = client.get(f"/applications/{row.ref}/letter").content.decode()
        pdf = client.get(f"/applications/{row.ref}/letter.pdf").content
        text = " ".join(leaf.extract_text() for leaf in pypdf.PdfReader(io.BytesIO(pdf)).pages).replace("\n", " ")
        decision = Decision.objects.get(application=row)
        assert said in page and said in text
        assert decision.reason in page
        assert decision.reason.split(".")[0] in text
    with pytest.raises(AlreadyThere):
        make_call(at=NOON)


def test_a_pool_of_one_is_short(in_review, bruno):
    reviewer("solo", bruno)
    assert assign_reviewers(mode_id="large-scale", by=bruno, at=NOON).shortages[0].missing == 2
