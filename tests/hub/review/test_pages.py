"""Pages of reviewing: what reviewers and officers see and do, what others do not, and how much each asks."""

from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from fucina.hub.access.models import Decision
from fucina.hub.people.models import Membership, Organisation
from fucina.hub.review.clocks import escalate_late
from fucina.hub.review.models import Escalation, Ranking, Review, Reviewer
from fucina.hub.review.reviewing import save_review
from tests.hub.conftest import NOON
from tests.hub.review.conftest import GOOD, HOUR, PLACE, WHY, many_before_the_panel, reviewer, submit
from tests.hub.review.test_rankings import propose


def page_of(person, language="en"):
    client = Client(headers={"Accept-Language": language})
    client.force_login(person)
    return client


def typed(scores=None, reasons=None, *, version=0, do="submit"):
    return (
        {f"score-{name}": value for name, value in (scores or GOOD).items()}
        | {f"reason-{name}": text for name, text in (reasons or WHY).items()}
        | {"version": version, "do": do, "remark": "For the panel."}
    )


def queries(client, address):
    assert client.get(address).status_code == 200
    with CaptureQueriesContext(connection) as captured:
        client.get(address)
    return len(captured)


@pytest.fixture
def panel(alpha, pool, bruno):
    return many_before_the_panel(bruno, [(60_000, 4.0), (60_000, 4.5), (60_000, 2.5)])


def test_a_reviewer_saves_submits_and_sees_it(assigned):
    review = assigned[0]
    client = page_of(review.reviewer.person)
    assert "reti" in client.get("/reviews").text
    address = f"/reviews/{review.ref}"
    assert "From 0 to 5 in steps of 0.5; below 3 the application fails." in client.get(address).text
    saved = client.post(address, typed({"excellence": "3,5"}, {}, do="save"), follow=True)
    assert "It is not submitted yet." in saved.text
    assert 'value="3.5"' in saved.text
    done = client.post(address, typed(version=1), follow=True)
    assert done.status_code == 200
    assert "A submitted review is not changed" in done.text
    assert Review.objects.get(pk=review.pk).remark == "For the panel."


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (typed({**GOOD, "impact": "many"}), "&#x27;many&#x27; for impact is not a number"),
        (typed({**GOOD, "impact": "9"}), "9 for impact is not between 0 and 5"),
        (typed({**GOOD, "impact": ""}), "no score for impact"),
        (typed(version="x"), "you saw version -1, now it is 0"),
    ],
)
def test_what_is_wrong_is_said_and_what_was_typed_stays(assigned, sent, said):
    review = assigned[0]
    answer = page_of(review.reviewer.person).post(f"/reviews/{review.ref}", sent)
    assert answer.status_code == 422
    assert said in answer.text
    assert WHY["impact"] in answer.text
    assert Review.objects.get(pk=review.pk).version == 0


def test_a_second_window_shows_both_texts(assigned):
    review = assigned[0]
    me = review.reviewer.person
    save_review(review=review, scores={"impact": 5.0}, reasons={"impact": "First."}, version=0, by=me, at=NOON)
    answer = page_of(me).post(f"/reviews/{review.ref}", typed({"impact": 2}, {"impact": "Second."}, do="save"))
    assert answer.status_code == 422
    assert "Kept by the hub: 5 · First." in answer.text
    assert "Second." in answer.text


def test_editing_after_submission_keeps_the_text_on_the_page(assigned):
    review = submit(assigned[0])
    answer = page_of(review.reviewer.person).post(
        f"/reviews/{review.ref}", typed(reasons={**WHY, "impact": "A better reason."}, version=1)
    )
    assert answer.status_code == 422
    assert "is not changed any more" in answer.text
    assert "A better reason." in answer.text
    assert "Submit the review" not in answer.text


def test_with_a_conflict_a_reviewer_is_led_to_decline(assigned, officine):
    review = assigned[0]
    client = page_of(review.reviewer.person)
    Membership.objects.create(person=review.reviewer.person, organisation=officine)
    answer = client.get(f"/reviews/{review.ref}")
    assert (answer.status_code, answer["Location"]) == (302, f"/reviews/{review.ref}/decline")
    assert "Decline this review?" in client.get(answer["Location"]).text
    assert client.post(answer["Location"], {"reason": ""}).status_code == 422
    gone = client.post(answer["Location"], {"reason": "I work there.", "is_conflict": "on"})
    assert gone["Location"] == "/reviews"
    assert Review.objects.get(pk=review.pk).state == "declined"


def test_dag_gets_nowhere(assigned, panel, bruno, dag):
    ranking = propose(bruno)
    client = page_of(dag)
    for address in ("/desk/reviews", "/desk/reviewers", "/desk/panel/large-scale"):
        assert client.get(address).status_code == 403, address
    for address in (f"/rankings/{ranking.ref}", f"/rankings/{ranking.ref}/confirm"):
        assert client.get(address).status_code == 403, address
    for address in (f"/reviews/{assigned[0].ref}", f"/reviews/{assigned[0].ref}/decline"):
        assert client.get(address).status_code == 404, address
    for address in ("/desk/reviews/large-scale/assign", "/desk/late/1", f"/rankings/{ranking.ref}/confirm"):
        assert client.post(address).status_code == 403, address
    assert client.get("/reviews").status_code == 200


def test_the_desk_shows_clocks_and_takes_up_what_is_late(in_review, pool, bruno, monkeypatch):
    client = page_of(bruno)
    assert "14 Dec 2026" in client.get("/desk/reviews").text
    escalate_late(at=datetime(2026, 12, 15, 12, tzinfo=UTC))
    text = client.get("/desk/reviews").text
    assert "1 application waits for longer than was promised." in text
    escalation = Escalation.objects.get()
    assert client.post(f"/desk/late/{escalation.pk}").status_code == 302
    assert "Taken up by Bruno Conti" in client.get("/desk/reviews").text
    assert "Assign reviewers in large-scale" in text
    answer = client.post("/desk/reviews/large-scale/assign")
    assert "3 reviews in large-scale; 0 pairs" in answer.text
    assert client.post("/desk/reviews/nothing/assign").status_code == 409


def test_the_pool_is_kept_on_its_page(bruno, dag):
    client = page_of(bruno)
    sent = {"username": "dag", "expertise": "energy:3, Health:2", "languages": "en, it", "max_reviews": 4}
    assert client.post("/desk/reviewers", sent).status_code == 302
    assert Reviewer.objects.get().expertise == {"energy": 3, "health": 2}
    assert "energy 3" in client.get("/desk/reviewers").text
    for wrong in ({"expertise": "energy"}, {"languages": "english"}, {"max_reviews": 0}, {"username": "nobody"}):
        assert client.post("/desk/reviewers", sent | wrong).status_code == 422, wrong


def test_an_officer_ranks_tries_more_and_decides(panel, bruno):
    client = page_of(bruno)
    text = client.get("/desk/panel/large-scale").text
    assert "Firm 1" in text and "Below a threshold" in text
    made = client.post("/desk/panel/large-scale", {"capacity-0": "100000", "overbooking": "1"})
    first = Ranking.objects.get()
    assert made["Location"] == f"/rankings/{first.ref}"
    text = client.get(made["Location"]).text
    assert "with 20,000 GPU-hours more it would have fitted" in text
    assert "con 20.000 ore-GPU in più ci sarebbe stato posto" in page_of(bruno, "it").get(made["Location"]).text
    more = client.post("/desk/panel/large-scale", {"capacity-0": "120000", "overbooking": "1"})
    assert client.get(more["Location"]).text.count("Awarded:") == 2
    assert not Decision.objects.exists()
    assert "All 3 applications get their decision now" in client.get(f"{more['Location']}/confirm").text
    assert client.post(f"{more['Location']}/confirm").status_code == 302
    assert Decision.objects.count() == 3
    assert "Every application below has its decision." in client.get(more["Location"]).text
    assert client.post(f"/rankings/{first.ref}/confirm").status_code == 409


@pytest.mark.parametrize("sent", [{}, {"capacity-0": "much"}, {"capacity-0": "-1"}, {"overbooking": "9"}])
def test_a_ranking_of_nonsense_is_refused_in_words(panel, bruno, sent):
    answer = page_of(bruno).post("/desk/panel/large-scale", {"capacity-0": "1", "overbooking": ""} | sent)
    assert answer.status_code == 422
    assert not Ranking.objects.exists()


def test_an_officer_does_not_see_scores_of_their_own_organisation(panel, bruno):
    Membership.objects.create(person=bruno, organisation=Organisation.objects.get(name="Firm 1"))
    text = page_of(bruno).get("/desk/panel/large-scale").text
    assert "Your own organisation stands before this panel" in text
    assert "Firm 1" not in text
    assert "Make the ranking" not in text


def test_pages_ask_as_much_for_many_as_for_few(alpha, bruno, pool):
    many_before_the_panel(bruno, [(60_000, 4.0)])
    ranking = propose(bruno)
    client, mine = page_of(bruno), page_of(pool[0].person)
    one = [queries(client, address) for address in ("/desk/reviews", "/desk/reviewers", "/desk/panel/large-scale")]
    one += [queries(client, f"/rankings/{ranking.ref}"), queries(mine, "/reviews")]
    for number in range(4):
        reviewer(f"extra-{number}", bruno)
    others = many_before_the_panel_more(bruno, 5)
    assert len(others) == 5
    ranking = propose(bruno, hours=1_000_000)
    many = [queries(client, address) for address in ("/desk/reviews", "/desk/reviewers", "/desk/panel/large-scale")]
    many += [queries(client, f"/rankings/{ranking.ref}"), queries(mine, "/reviews")]
    assert all(now <= before + 1 for now, before in zip(many, one, strict=True)), (one, many)
    assert max(many) <= 13
    assert ranking.capacity_gpu_s == {PLACE: 1_000_000 * HOUR}


def many_before_the_panel_more(bruno, number):
    """As `many_before_the_panel`, with other names."""
    for row in Organisation.objects.all():
        row.name = f"Old {row.name}"
        row.save()
    for membership in Membership.objects.select_related("person"):
        membership.person.username = f"old-{membership.person.username}"
        membership.person.save()
    return many_before_the_panel(bruno, [(60_000, 4.0)] * number)
