"""Several at once: each review counts once, nothing is overwritten or assigned twice, a ranking decides once."""

import pytest

from fucina.errors import FactoryError
from fucina.hub.access.models import Application, Decision, Grant
from fucina.hub.people.models import AuditRecord
from fucina.hub.review.assigning import AssignedMeanwhile, assign_reviewers
from fucina.hub.review.models import Review, Reviewer
from fucina.hub.review.rankings import confirm_ranking
from fucina.hub.review.reviewing import ReviewChanged, ReviewClosed, save_review
from tests.hub.compute.test_concurrency import NUM_THREADS, at_once
from tests.hub.conftest import NOON
from tests.hub.review.conftest import GOOD, many_before_the_panel, submit
from tests.hub.review.test_rankings import propose

pytestmark = pytest.mark.usefixtures("committing")


def mine(number):
    return Review.objects.select_related("reviewer__person", "application__access_mode").order_by("pk")[number]


def test_three_reviewers_submit_at_once(assigned):
    done = at_once(lambda number: submit(mine(number)), num_threads=3)
    assert [row.state for row in done] == ["submitted"] * 3
    assert Review.objects.filter(state="submitted", scores=GOOD).count() == 3
    assert AuditRecord.objects.filter(action="review.submit").count() == 3


def test_one_review_in_many_windows_keeps_one_text(assigned):
    me = assigned[0].reviewer.person

    def save(number):
        return save_review(review=mine(0), scores={"impact": number / 2}, reasons={}, version=0, by=me, at=NOON)

    done = at_once(save)
    kept = [row for row in done if isinstance(row, Review)]
    assert len(kept) == 1
    assert sum(isinstance(row, ReviewChanged) for row in done) == NUM_THREADS - 1
    assert Review.objects.get(pk=kept[0].pk).scores == kept[0].scores


def test_submitting_twice_at_once_submits_once(assigned):
    done = at_once(lambda number: submit(mine(0)))
    assert sum(isinstance(row, Review) for row in done) == 1
    assert sum(isinstance(row, ReviewClosed) for row in done) == NUM_THREADS - 1


def test_officers_who_assign_at_once_assign_once(in_review, pool, bruno):
    done = at_once(lambda number: assign_reviewers(mode_id="large-scale", by=bruno, at=NOON))
    assert all(isinstance(row, AssignedMeanwhile) or not isinstance(row, FactoryError) for row in done)
    assert Review.objects.filter(application=in_review).count() == 3
    assert Reviewer.objects.count() == 3


def test_a_ranking_that_is_confirmed_at_once_decides_once(alpha, pool, bruno):
    many_before_the_panel(bruno, [(60_000, 4.0), (60_000, 4.5)])
    ranking = propose(bruno)
    done = at_once(lambda number: confirm_ranking(ranking=ranking, by=bruno, at=NOON))
    assert sum(not isinstance(row, FactoryError) for row in done) == 1
    assert (Decision.objects.count(), Grant.objects.count()) == (2, 1)
    assert set(Application.objects.values_list("state", flat=True)) == {"granted", "rejected"}
