"""`fucina review` and `fucina ranking` against a hub that answers over HTTP, and the API as others see it."""

import json

import pytest
import yaml
from django.db import connection
from typer.testing import CliRunner

from fucina.access.moves import MoveName
from fucina.cli import output
from fucina.cli.main import app
from fucina.hub.access.models import Application
from fucina.hub.access.moving import move_application
from fucina.hub.people.actions import issue_token
from fucina.hub.people.append_only import create_triggers, drop_triggers
from fucina.hub.people.models import Scope
from fucina.hub.review.models import Ranking, Review
from tests.hub.conftest import APPEND_ONLY, NOON, SETUP, as_json, as_person
from tests.hub.review.conftest import GOOD, PLACE, WHY, apply_for, bring_to_review, reviewer


@pytest.fixture(scope="module")
def without_triggers(django_db_setup, django_db_blocker):
    """Tables that only grow can be emptied between these tests, which really commit."""
    for change in (drop_triggers, create_triggers):
        with django_db_blocker.unblock(), connection.schema_editor() as editor:
            for table in APPEND_ONLY:
                change(editor, table)
        connection.close()
        if change is drop_triggers:
            yield


@pytest.fixture
def speak(without_triggers, transactional_db, live_server, monkeypatch, ada, bruno, officine, alpha):
    """A command as one of the cast."""
    monkeypatch.setenv("FUCINA_HUB_URL", live_server.url)
    monkeypatch.setattr(output.out, "width", 250)

    def run(person, *words, code=0):
        issued = issue_token(name="test", scope=Scope.PERSON, person=person, by=SETUP, at=NOON)
        monkeypatch.setenv("FUCINA_TOKEN", issued.secret)
        done = CliRunner().invoke(app, [str(word) for word in words])
        assert done.exit_code == code, done.output
        return done.output

    return run


def test_from_the_pool_to_the_decision_with_commands_alone(speak, ada, bruno, tmp_path):
    application = bring_to_review(apply_for(ada, organisation="Officine Esempio"), bruno)
    for name in ("elsa", "fritz", "gina"):
        reviewer(name, bruno)
    assert "elsa" in speak(bruno, "review", "pool")
    assert "in the pool" in speak(bruno, "review", "add", "elsa", "--topic", "energy:3", "--language", "en", "--max", 2)
    prepared = speak(bruno, "review", "prepare", application.ref, "--topic", "energy", "--at", f"{PLACE}=60000")
    assert "is prepared" in prepared
    assert "3 reviews assigned" in speak(bruno, "review", "assign", "large-scale")
    for review in Review.objects.select_related("reviewer__person"):
        me, file = review.reviewer.person, tmp_path / "review.yaml"
        assert review.ref in speak(me, "review", "list")
        sheet = yaml.safe_load(speak(me, "review", "show", review.ref))
        assert sheet["scores"] == dict.fromkeys(GOOD)
        file.write_text(yaml.safe_dump(sheet | {"reasons": WHY}))
        assert "version 1" in speak(me, "review", "save", review.ref, file)
        file.write_text(yaml.safe_dump({"version": 1, "scores": GOOD, "reasons": WHY}))
        assert "submitted" in speak(me, "review", "submit", review.ref, file)
        assert "not changed any more" in speak(me, "review", "submit", review.ref, file, code=5)
    for name in (MoveName.CLOSE_REVIEW, MoveName.CLOSE_REPLY):
        move_application(application=application, name=name, by=bruno, at=NOON)
    what_if = speak(bruno, "ranking", "make", "large-scale", "--capacity", f"{PLACE}=50000")
    assert "10,000 GPU-hours more" in " ".join(what_if.split())
    made = json.loads(
        speak(bruno, "ranking", "make", "large-scale", "--capacity", f"{PLACE}=60000", "--format", "json")
    )
    assert [place["outcome"] for place in made["places"]] == ["awarded"]
    assert made["ref"] in speak(bruno, "ranking", "list")
    assert "nothing is decided" in speak(bruno, "ranking", "show", made["ref"])
    assert "1 of 1 applications have time" in speak(bruno, "ranking", "confirm", made["ref"])
    assert Application.objects.get(pk=application.pk).state == "granted"
    assert "was confirmed" in speak(bruno, "ranking", "confirm", made["ref"], code=5)
    assert "Late" in speak(bruno, "review", "late")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("review", "add", "elsa", "--topic", "energy"), "is not FIELD:LEVEL"),
        (("review", "add", "elsa", "--topic", "energy:9"), "9 is not between 1 and 3"),
        (("review", "add", "elsa", "--topic", "energy:1", "--away-until", "soon"), "'soon' is not a day"),
        (("ranking", "make", "large-scale", "--capacity", "alpha"), "is not SITE/PARTITION=HOURS"),
        (("ranking", "make", "large-scale", "--capacity", "alpha/gpu=nan"), "is not SITE/PARTITION=HOURS"),
        (("review", "save", "rvw-1", "/nowhere.yaml"), "cannot be read"),
        (("review", "decline", "rvw-1", "--reason", "x"), "3 to 4,000 characters"),
    ],
)
def test_what_cannot_be_read_is_said_in_words(speak, bruno, words, said):
    reviewer("elsa", bruno)
    assert said in " ".join(speak(bruno, *words, code=2).split())


def test_dag_sees_and_does_nothing(assigned, as_dag, in_review):
    ref = assigned[0].ref
    assert as_dag.get("/api/v1/reviews").json() == []
    assert as_dag.get(f"/api/v1/reviews/{ref}").status_code == 404
    body = {"scores": GOOD, "reasons": WHY, "version": 0}
    for path, sent, status in (
        (f"/api/v1/reviews/{ref}/draft", body, 404),
        (f"/api/v1/reviews/{ref}/submission", body, 404),
        (f"/api/v1/reviews/{ref}/refusal", {"reason": "why not"}, 404),
        (f"/api/v1/reviews/{ref}/reopening", {"reason": "why not"}, 404),
        (f"/api/v1/applications/{in_review.ref}/case", {"topics": ["x"]}, 404),
        ("/api/v1/reviews/of/large-scale/assignment", {}, 403),
        ("/api/v1/reviewers", {"username": "dag", "expertise": {"x": 1}}, 403),
        ("/api/v1/reviewers/elsa/ties", {"organisation": "Altrove AB"}, 404),
        ("/api/v1/rankings", {"mode": "large-scale", "capacity": {PLACE: 1}}, 403),
        ("/api/v1/rankings/rnk-1/confirmation", {}, 404),
    ):
        assert as_dag.post(path, **as_json(sent)).status_code == status, path
    for path in ("/api/v1/reviewers", "/api/v1/late"):
        assert as_dag.get(path).status_code == 403
    assert as_dag.get("/api/v1/rankings").json() == []
    assert not Ranking.objects.exists()


def test_a_blind_review_hides_who_applies(assigned, in_review):
    mode = in_review.access_mode
    mode.wire["review"]["blind"] = True
    mode.save()
    answer = as_person(assigned[0].reviewer.person).get(f"/api/v1/reviews/{assigned[0].ref}")
    assert answer.status_code == 200
    assert "Officine" not in answer.text
    assert "reti" not in answer.text
    assert answer.json()["criteria"][0]["threshold"] == 3


def test_lists_ask_as_many_questions_for_many(assigned, bruno, as_bruno, dag, django_assert_max_num_queries):
    with django_assert_max_num_queries(4):
        as_bruno.get("/api/v1/reviews")
    with django_assert_max_num_queries(4):
        as_bruno.get("/api/v1/reviewers")
    bring_to_review(apply_for(dag, organisation="Altrove AB"), bruno)
    as_bruno.post("/api/v1/reviews/of/large-scale/assignment", **as_json({}))
    with django_assert_max_num_queries(4):
        assert len(as_bruno.get("/api/v1/reviews").json()) == 6
