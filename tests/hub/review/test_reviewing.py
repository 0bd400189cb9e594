"""Reviewers: who is kept out and when, what they write, and what happens when two write at once."""

from datetime import date, timedelta

import pytest

from fucina.access.moves import MoveName
from fucina.access.scoring import BadScores
from fucina.errors import NotVisible
from fucina.hub.access.models import Application, CoApplicant
from fucina.hub.access.moving import NotAnOfficer, OwnOrganisation, move_application
from fucina.hub.people.actions import add_member, create_organisation
from fucina.hub.people.models import AuditRecord, Membership, Organisation, Person, Role
from fucina.hub.review.assigning import BadCase, NothingToReview, assign_one, assign_reviewers, prepare_case
from fucina.hub.review.conflicts import InConflict, find_conflicts, involved
from fucina.hub.review.models import Conflict, Review, ReviewState, TieKind
from fucina.hub.review.pool import BadReviewer, declare_tie, put_reviewer
from fucina.hub.review.reviewing import (
    ReviewChanged,
    ReviewClosed,
    decline_review,
    open_review,
    reopen_review,
    save_review,
)
from tests.hub.conftest import NOON
from tests.hub.review.conftest import GOOD, WHY, apply_for, bring_to_panel, bring_to_review, reviewer, submit


def kinds(reviewers, application):
    return sorted(str(found.kind) for found in find_conflicts(reviewers, [application], on=NOON.date()))


def test_three_reviewers_are_found_and_told_apart(assigned, in_review):
    assert len({review.reviewer_id for review in assigned}) == 3
    assert AuditRecord.objects.filter(action="review.assign", object_ref=in_review.ref).count() == 1


def test_asking_again_assigns_nobody_twice(assigned, bruno):
    again = assign_reviewers(mode_id="large-scale", by=bruno, at=NOON)
    assert (again.reviews, again.shortages) == ([], ())


def test_the_same_organisation_keeps_a_reviewer_out(in_review, pool, bruno, officine):
    Membership.objects.create(person=pool[0].person, organisation=officine)
    found = assign_reviewers(mode_id="large-scale", by=bruno, at=NOON)
    assert pool[0].pk not in {review.reviewer_id for review in found.reviews}
    (shortage,) = found.shortages
    assert (shortage.ref, shortage.missing, shortage.able, shortage.in_conflict) == (in_review.ref, 1, 3, 1)
    assert Conflict.objects.get().kind == "organisation"


def test_an_affiliation_in_words_counts_as_well(in_review, bruno):
    assert kinds([reviewer("elsa", bruno, affiliation=" officine  ESEMPIO ")], in_review) == ["organisation"]


def test_a_co_applicant_and_their_colleagues_do_not_review(in_review, pool, ada):
    partner = create_organisation(name="Partner", country="FR", by=pool[1].person, at=NOON)
    add_member(organisation=partner, person=pool[2].person, role=Role.MEMBER, by=pool[1].person, at=NOON)
    CoApplicant.objects.create(application=in_review, person=pool[1].person, invited_by=ada, invited_at=NOON)
    assert kinds([pool[0]], in_review) == []
    assert kinds([pool[1]], in_review) == ["co-applicant", "organisation"]
    assert kinds([pool[2]], in_review) == ["organisation"]


def test_who_declined_to_apply_may_review(in_review, pool, ada):
    CoApplicant.objects.create(
        application=in_review, person=pool[0].person, invited_by=ada, invited_at=NOON, declined_at=NOON
    )
    assert kinds([pool[0]], in_review) == []


@pytest.mark.parametrize(
    ("kind", "ended_on", "expected"),
    [
        (TieKind.DECLARED, None, ["declared"]),
        (TieKind.COLLABORATION, None, ["collaboration"]),
        (TieKind.COLLABORATION, date(2024, 1, 1), ["collaboration"]),
        (TieKind.COLLABORATION, date(2023, 11, 20), []),
    ],
)
def test_ties_count_while_they_are_recent(in_review, pool, officine, bruno, kind, ended_on, expected):
    declare_tie(reviewer=pool[0], organisation=officine, kind=kind, ended_on=ended_on, by=bruno, at=NOON)
    assert kinds(pool, in_review) == expected


def test_having_applied_together_is_a_recent_collaboration(in_review, pool, dag, officine):
    theirs = apply_for(dag, organisation="Altrove AB", project="together")
    CoApplicant.objects.create(
        application=theirs, person=pool[0].person, invited_by=dag, invited_at=NOON, accepted_at=NOON
    )
    CoApplicant.objects.create(
        application=theirs, person=in_review.submitted_by, invited_by=dag, invited_at=NOON, accepted_at=NOON
    )
    assert kinds(pool, in_review) == ["collaboration"]
    Application.objects.filter(pk=theirs.pk).update(created_at=NOON - timedelta(days=4 * 365))
    assert kinds(pool, in_review) == []


def test_a_conflict_that_comes_later_shuts_the_door(assigned, officine):
    review = assigned[0]
    assert open_review(review.ref, person=review.reviewer.person, at=NOON).pk == review.pk
    Membership.objects.create(person=review.reviewer.person, organisation=officine)
    with pytest.raises(InConflict, match="belongs to Officine Esempio"):
        open_review(review.ref, person=review.reviewer.person, at=NOON)
    with pytest.raises(InConflict):
        submit(review)
    assert Review.objects.get(pk=review.pk).state == ReviewState.ASSIGNED
    assert AuditRecord.objects.filter(action="review.kept_out", object_ref=review.ref).count() == 1


def test_finding_conflicts_asks_as_many_questions_for_many(
    assigned, in_review, dag, bruno, django_assert_max_num_queries
):
    other = bring_to_review(apply_for(dag, organisation="Altrove AB"), bruno)
    more = [reviewer(f"more-{number}", bruno) for number in range(9)]
    with django_assert_max_num_queries(6):
        find_conflicts(
            more[:1], [Application.objects.select_related("organisation").get(pk=in_review.pk)], on=NOON.date()
        )
    both = list(Application.objects.select_related("organisation").filter(pk__in=[in_review.pk, other.pk]))
    with django_assert_max_num_queries(6):
        find_conflicts(more, both, on=NOON.date())


def test_an_officer_of_the_organisation_leaves_it_to_others(in_review, pool, bruno, ada, officine):
    add_member(organisation=officine, person=bruno, role=Role.MEMBER, by=ada, at=NOON)
    assert involved([in_review], bruno) == {in_review.pk}
    with pytest.raises(NothingToReview):
        assign_reviewers(mode_id="large-scale", by=bruno, at=NOON)
    with pytest.raises(OwnOrganisation):
        assign_one(application=in_review, reviewer=pool[0], by=bruno, at=NOON)
    with pytest.raises(OwnOrganisation):
        prepare_case(application=in_review, topics=["x"], language="en", asks=[], by=bruno, at=NOON)


def test_only_officers_assign_and_keep_the_pool(in_review, pool, ada):
    with pytest.raises(NotAnOfficer):
        assign_reviewers(mode_id="large-scale", by=ada, at=NOON)
    with pytest.raises(NotAnOfficer):
        put_reviewer(username="dag", expertise={"x": 1}, languages=["en"], max_reviews=1, by=ada, at=NOON)


def test_by_hand_a_conflict_holds_too(in_review, pool, officine, bruno):
    assert assign_one(application=in_review, reviewer=pool[0], by=bruno, at=NOON).state == "assigned"
    with pytest.raises(NothingToReview, match="has this application already"):
        assign_one(application=in_review, reviewer=pool[0], by=bruno, at=NOON)
    Membership.objects.create(person=pool[1].person, organisation=officine)
    with pytest.raises(InConflict):
        assign_one(application=in_review, reviewer=pool[1], by=bruno, at=NOON)


def test_who_is_away_gets_nothing(in_review, pool, bruno):
    for row in pool[1:]:
        row.away_until = NOON.date() + timedelta(days=1)
        row.save()
    assert len(assign_reviewers(mode_id="large-scale", by=bruno, at=NOON).reviews) == 1
    later = assign_reviewers(mode_id="large-scale", by=bruno, at=NOON + timedelta(days=1))
    assert len(later.reviews) == 2


def test_nobody_takes_more_than_they_can(in_review, bruno, dag, pool):
    for row in pool:
        row.max_reviews = 1
        row.save()
    bring_to_review(apply_for(dag, organisation="Altrove AB"), bruno)
    found = assign_reviewers(mode_id="large-scale", by=bruno, at=NOON)
    assert len(found.reviews) == 3
    assert sum(shortage.missing for shortage in found.shortages) == 3


def test_a_draft_is_kept_and_then_submitted(assigned):
    review = assigned[0]
    saved = save_review(
        review=review, scores={"impact": 3.5}, reasons={}, version=0, by=review.reviewer.person, at=NOON
    )
    assert (saved.version, saved.state, saved.scores) == (1, "assigned", {"impact": 3.5})
    done = submit(review, version=1)
    assert (done.state, done.scores, done.closed_at) == ("submitted", GOOD, NOON)
    entry = AuditRecord.objects.get(action="review.submit")
    assert (entry.who, entry.data["scores"]) == (review.reviewer.person.username, GOOD)


def test_two_reviewers_who_submit_at_once_both_count(assigned):
    for review in assigned:
        submit(review)
    assert Review.objects.filter(state=ReviewState.SUBMITTED, scores=GOOD).count() == 3


def test_two_windows_of_one_reviewer_do_not_overwrite_each_other(assigned):
    review = assigned[0]
    me = review.reviewer.person
    save_review(review=review, scores={"impact": 5.0}, reasons={}, version=0, by=me, at=NOON)
    with pytest.raises(ReviewChanged, match="you saw version 0, now it is 1"):
        save_review(review=review, scores={"impact": 1.0}, reasons={}, version=0, by=me, at=NOON)
    assert Review.objects.get(pk=review.pk).scores == {"impact": 5.0}


def test_what_is_submitted_stays(assigned, bruno):
    review = submit(assigned[0])
    with pytest.raises(ReviewClosed, match="submitted on 2026-11-20 12:00 UTC"):
        submit(review, scores={**GOOD, "impact": 1.0}, version=1)
    assert Review.objects.get(pk=review.pk).scores == GOOD
    reopen_review(review=review, reason="Wrong column.", by=bruno, at=NOON)
    assert submit(review, scores={**GOOD, "impact": 1.0}, version=2).scores["impact"] == 1.0
    stood = AuditRecord.objects.get(action="review.reopen").data
    assert (stood["scores"], stood["why"]) == (GOOD, "Wrong column.")


def test_closed_reviews_are_not_written(assigned, in_review, bruno):
    move_application(application=in_review, name=MoveName.CLOSE_REVIEW, by=bruno, at=NOON)
    with pytest.raises(ReviewClosed, match="is reply; its reviews are closed"):
        submit(assigned[0])
    with pytest.raises(NothingToReview):
        assign_one(
            application=Application.objects.get(pk=in_review.pk), reviewer=assigned[0].reviewer, by=bruno, at=NOON
        )


@pytest.mark.parametrize(
    ("scores", "reasons", "said"),
    [
        ({**GOOD, "impact": 6}, WHY, "6 for impact is not between 0 and 5"),
        ({**GOOD, "impact": -0.5}, WHY, "-0.5 for impact is not between"),
        ({**GOOD, "impact": float("nan")}, WHY, "nan for impact"),
        ({**GOOD, "impact": 3.3}, WHY, r"3\.3 for impact is not a multiple of 0\.5"),
        ({**GOOD, "beauty": 3}, WHY, "no criterion 'beauty'"),
        ({"impact": 3}, WHY, "no score for excellence, implementation"),
        (GOOD, {**WHY, "impact": "good"}, "reason for impact has fewer than 10"),
        (GOOD, {**WHY, "impact": "x" * 20_001}, "more than 20,000 characters"),
    ],
)
def test_scores_that_cannot_be_are_refused(assigned, scores, reasons, said):
    with pytest.raises(BadScores, match=said):
        submit(assigned[0], scores=scores, reasons=reasons)
    assert Review.objects.get(pk=assigned[0].pk).version == 0


def test_nobody_writes_or_reads_for_another(assigned, dag, bruno):
    one, other = assigned[0], assigned[1].reviewer.person
    for person in (other, dag, bruno):
        with pytest.raises(NotVisible):
            open_review(one.ref, person=person, at=NOON)
        with pytest.raises(NotVisible):
            save_review(review=one, scores=GOOD, reasons=WHY, version=0, by=person, at=NOON)
        with pytest.raises(NotVisible):
            decline_review(review=one, reason="", is_conflict=False, by=person, at=NOON)


def test_declining_for_a_conflict_holds_for_the_organisation(assigned, in_review, officine, bruno):
    review = assigned[0]
    decline_review(review=review, reason="My sister works there.", is_conflict=True, by=review.reviewer.person, at=NOON)
    assert kinds([review.reviewer], in_review) == ["declared"]
    spare = reviewer("hugo", bruno)
    again = assign_reviewers(mode_id="large-scale", by=bruno, at=NOON)
    assert [row.reviewer for row in again.reviews] == [spare]
    with pytest.raises(ReviewClosed):
        decline_review(review=review, reason="", is_conflict=False, by=review.reviewer.person, at=NOON)


def test_who_may_see_reviews(assigned, bruno, ada, dag, officine):
    def seen(person):
        return Review.objects.visible_to(person).count()

    assert [seen(assigned[0].reviewer.person), seen(bruno), seen(ada), seen(dag)] == [1, 3, 0, 0]
    Membership.objects.create(person=bruno, organisation=officine)
    assert seen(bruno) == 0


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"expertise": {}}, BadReviewer),
        ({"expertise": {"x": 4}}, BadReviewer),
        ({"languages": []}, BadReviewer),
        ({"languages": ["eng"]}, BadReviewer),
        ({"max_reviews": 0}, BadReviewer),
        ({"username": "nobody"}, NotVisible),
        ({"username": "a\x00"}, NotVisible),
    ],
)
def test_a_reviewer_who_cannot_be_one_is_refused(dag, bruno, change, kind):
    given = {"username": "dag", "expertise": {"x": 1}, "languages": ["en"], "max_reviews": 1} | change
    with pytest.raises(kind):
        put_reviewer(**given, by=bruno, at=NOON)


def test_a_case_asks_for_no_more_than_the_application(in_review, bruno):
    with pytest.raises(BadCase, match=r"70,000\.00 GPU-hours; .* asks for 60,000\.00"):
        prepare_case(
            application=in_review, topics=["x"], language="en", asks=[{"a/b": 70_000 * 3600}], by=bruno, at=NOON
        )
    for wrong in ({"topics": [" "]}, {"language": "english"}, {"asks": [{}]}, {"asks": [{"a/b": 0}]}):
        given = {"topics": ["x"], "language": "en", "asks": []} | wrong
        with pytest.raises(BadCase):
            prepare_case(application=in_review, **given, by=bruno, at=NOON)


def test_the_pool_changes_in_place(bruno):
    first = reviewer("elsa", bruno)
    again = reviewer("elsa", bruno, expertise={"Health  care": 2}, max_reviews=9)
    assert (again.pk, again.expertise, again.max_reviews) == (first.pk, {"health care": 2}, 9)
    assert Person.objects.filter(username="elsa").count() == 1
    assert Organisation.objects.count() == 0


def test_bringing_to_the_panel_is_possible_at_all(assigned, in_review, bruno):
    assert bring_to_panel(in_review, bruno).state == "panel"
