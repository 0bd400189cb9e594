"""Every page as Ada, whose it is, as Bruno, who decides, as Dag, who may see nothing of it, and as nobody."""

from html.parser import HTMLParser

import pytest
from django.template.loader import render_to_string
from django.test import Client

from fucina.compute.spec import JobState
from fucina.errors import ErrorBody
from fucina.hub.people.actions import create_organisation
from tests.hub.conftest import NOON
from tests.hub.portal.test_scenario_pages import scenarios_of

HOSTILE = "<script>alert('x')</script>\"'&amp;"


@pytest.fixture
def addresses(world):
    """Every address that shows something of Ada's, by name."""
    done = world.finish_run(key="finished-run")
    release = world.publish(done)
    train = world.train_for(num_lines=40)
    world.write_log(train, "step 1\n")
    waiting = world.ask("waiting", hours=250.0, mode="playground")
    job = world.submit()
    one, other, queued = scenarios_of(world.ada)
    return {
        "home": "/",
        "projects": "/projects",
        "project": f"/projects/{world.project.ref}",
        "statement": f"/projects/{world.project.ref}/statement",
        "organisation": "/organisations/new",
        "applications": "/applications",
        "apply": "/applications/new",
        "application": f"/applications/{world.application.ref}",
        "waiting": f"/applications/{waiting.ref}",
        "withdraw": f"/applications/{waiting.ref}/withdraw",
        "runs": "/runs",
        "run": f"/runs/{train.run.ref}",
        "log": f"/runs/{train.run.ref}?stage=prepare",
        "finished": f"/runs/{done.ref}",
        "cancel": f"/runs/{train.run.ref}/cancel",
        "jobs": "/jobs",
        "job": f"/jobs/{job.ref}",
        "job cancel": f"/jobs/{job.ref}/cancel",
        "releases": "/releases",
        "release": f"/releases/{release.ref}",
        "scenarios": "/scenarios",
        "new scenario": "/scenarios/new",
        "scenario": f"/scenarios/{one.ref}",
        "waiting scenario": f"/scenarios/{queued.ref}",
        "end scenario": f"/scenarios/{queued.ref}/cancel",
        "drop scenario": f"/scenarios/{one.ref}/delete",
        "compare": f"/scenarios/compare?ref={one.ref}&ref={other.ref}",
        "help": "/help",
        "patterns": "/patterns",
    }


PRIVATE = (
    "project", "statement", "application", "waiting", "withdraw", "run", "log", "finished", "cancel", "job",
    "job cancel", "release",
    "scenario", "waiting scenario", "end scenario", "drop scenario",
)  # fmt: skip


class Look(HTMLParser):
    """What a page has in it."""

    def __init__(self, text):
        super().__init__()
        self.tags = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


def text_of(response):
    return response.content.decode()


def test_ada_sees_everything_of_hers(world, as_, addresses):
    client = as_(world.ada)
    for name, address in addresses.items():
        assert client.get(address).status_code == 200, name


def test_nobody_is_asked_to_sign_in(client, addresses):
    for address in [*addresses.values(), "/desk", addresses["waiting"] + "/decide"]:
        response = client.get(address)
        assert response.status_code == 302, address
        assert response["Location"].startswith("/sign-in?next=/"), address


def test_dag_sees_nothing_of_adas(world, as_, addresses):
    client = as_(world.dag)
    for name, address in addresses.items():
        response = client.get(address)
        assert response.status_code == (404 if name in (*PRIVATE, "compare") else 200), name
        assert "norme-chiare" not in text_of(response) or name in {"apply", "help", "patterns"}, name
    for name in ("cancel", "withdraw", "job cancel"):
        assert client.post(addresses[name]).status_code == 404
    assert client.get("/desk").status_code == 403


def test_what_is_hidden_and_what_does_not_exist_look_the_same(world, as_, addresses):
    client = as_(world.dag)
    for name in PRIVATE:
        hidden = addresses[name].split("?")[0]
        parts = hidden.split("/")
        parts[2] = "nothing-like-this"
        pages = [text_of(client.get(address)) for address in (hidden, "/".join(parts))]
        without_address = [
            "".join(line for line in page.splitlines() if 'name="next"' not in line and "csrf" not in line)
            for page in pages
        ]
        assert without_address[0] == without_address[1], name


def test_an_officer_sees_applications_but_no_projects(world, as_, addresses):
    client = as_(world.bruno)
    for name in ("application", "waiting"):
        assert client.get(addresses[name]).status_code == 200
    for name in ("project", "statement", "run", "log", "finished", "cancel", "job", "job cancel", "release"):
        assert client.get(addresses[name]).status_code == 404, name
    assert "norme-chiare" not in text_of(client.get("/projects"))


def test_every_page_keeps_the_rules_of_the_house(world, as_, addresses):
    client = as_(world.ada)
    for name, address in addresses.items():
        response = client.get(address)
        policy = response["Content-Security-Policy"]
        assert "default-src 'self'" in policy and "unsafe" not in policy
        look = Look(text_of(response))
        ids = [attrs["id"] for _, attrs in look.tags if "id" in attrs]
        assert len(ids) == len(set(ids)), name
        assert [tag for tag, _ in look.tags].count("h1") == 1, name
        for tag, attrs in look.tags:
            assert tag != "style" and "style" not in attrs, name
            assert not any(attribute.startswith("on") for attribute in attrs), name
            assert tag != "script" or attrs["src"].startswith("/static/"), name
            for attribute in ("src", "href", "action"):
                assert not attrs.get(attribute, "").startswith(("http", "//")), name
            assert tag != "img" or "alt" in attrs, name
        if name != "patterns":
            main = Look(text_of(response).split("<main", 1)[1])
            primary = [
                attrs
                for tag, attrs in main.tags
                if attrs.get("class") in {"button", "danger", "button danger"}
                or (tag == "button" and "class" not in attrs)
            ]
            assert len(primary) <= 1, name


def test_hostile_text_is_shown_and_not_obeyed(world, as_):
    organisation = create_organisation(name=HOSTILE, country="", by=world.ada, at=NOON)
    world.begin()
    job = world.start_stage(at=NOON)
    world.report(job, done=1, total=2, at=NOON, first=0, message=HOSTILE)
    world.write_log(job, f"{HOSTILE}\n\x00\x1b[31m")
    world.end_stage(job, state=JobState.FAILED, error=ErrorBody(code="bad_input", message=HOSTILE, hint=HOSTILE))
    world.ada.name = HOSTILE
    world.ada.save()
    client = as_(world.ada)

    run = text_of(client.get(f"/runs/{job.run.ref}"))
    apply = text_of(client.get("/applications/new"))

    assert organisation.name == HOSTILE
    for page in (run, apply):
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;" in page


def test_hostile_samples_and_papers_are_shown_and_not_obeyed(world, as_):
    release = world.publish(world.finish_run(key="finished-run"), sample=HOSTILE)
    page = text_of(as_(world.ada).get(f"/releases/{release.ref}"))
    assert "<script>alert" not in page and "&lt;script&gt;alert" in page


def test_a_release_shows_its_evidence(world, as_):
    release = world.publish(world.finish_run(key="finished-run"))
    page = text_of(as_(world.ada).get(f"/releases/{release.ref}"))
    for words in (
        "Verified", "38.42", "37.2 – 39.61", "612.3", "104,882", "at most 0.01", "Leak rate of personal data",
        " si applica alle imprese.", "Will you place this model on the market", "1 open question", "2 items are",
        "3,012,480", "2.31 × 10¹⁴ FLOP", "0.0021 kWh", "fucina verify norme-chiare-v1 --key factory.pub",
        f"/api/v1/releases/{release.ref}/archive", f"/api/v1/releases/{release.ref}/files/dossier/dossier.pdf",
        release.content_digest,
    ):  # fmt: skip
        assert words in page, words


def test_a_failed_stage_says_why_and_what_to_do(world, as_):
    world.begin()
    job = world.start_stage(at=NOON)
    error = ErrorBody(code="no_documents", message="0 of 812 documents survive.", hint="Lower data.min_characters.")
    world.end_stage(job, state=JobState.FAILED, error=error)
    page = text_of(as_(world.ada).get(f"/runs/{job.run.ref}"))
    for words in ("0 of 812 documents survive.", "Lower data.min_characters.", "no_documents", "Failed"):
        assert words in page
    assert "hx-get" not in page


def test_only_a_live_run_asks_again(world, as_):
    client = as_(world.ada)
    run = world.begin()
    address = f"/runs/{run.ref}?stage=train"
    assert f'hx-get="{address}" hx-trigger="every 2s"' in text_of(client.get(address))
    client.post(f"/runs/{run.ref}/cancel")
    assert "hx-trigger" not in text_of(client.get(address))


def test_an_ended_run_is_not_cancelled_again(world, as_):
    run = world.finish_run(key="finished-run")
    world.publish(run)
    client = as_(world.ada)
    assert client.get(f"/runs/{run.ref}/cancel").status_code == 302
    response = client.post(f"/runs/{run.ref}/cancel")
    assert response.status_code == 409
    assert "has ended; nothing is left to cancel" in text_of(response)


@pytest.mark.parametrize("stage", ["nothing", "", "train/../prepare", "%00"])
def test_a_stage_that_is_none_is_not_found(world, as_, stage):
    run = world.begin()
    assert as_(world.ada).get(f"/runs/{run.ref}?stage={stage}").status_code == 404


def test_lists_turn_their_pages(world, as_):
    for number in range(27):
        world.ask(f"project-{number:02}", hours=1.0)
    client = as_(world.ada)
    first, second = (text_of(client.get(f"/projects?page={number}")) for number in (1, 2))
    assert "project-23" in first and "project-24" not in first and "Page 1 of 2" in first
    assert "project-24" in second and 'rel="prev"' in second
    for wrong in ("0", "-1", "99", "x", "%00", "1e9"):
        assert client.get(f"/projects?page={wrong}").status_code == 200


def test_empty_lists_say_what_to_do_first(world, as_):
    client = as_(world.dag)
    assert "What to do first" in text_of(client.get("/"))
    for address, words in (
        ("/projects", "A project begins with an application."),
        ("/runs", "fucina run project.yaml"),
        ("/jobs", "Submit the first one from the command line"),
        ("/releases", "A run that passes its five stages ends with a release."),
        ("/applications", "You need the name of your organisation"),
    ):
        assert words in text_of(client.get(address))


def test_pages_that_fail_look_like_the_others(world, as_, settings):
    client = as_(world.ada)
    response = client.get("/nowhere")
    assert response.status_code == 404 and "Page not found" in text_of(response)
    for address in ("/projects/%00", "/runs/..%2f..%2fetc", "/releases/" + "x" * 5000, "/applications/%F0%9F%94%A5"):
        assert client.get(address).status_code == 404, address
    assert "Something went wrong" in render_to_string("500.html")
    checking = Client(enforce_csrf_checks=True)
    checking.force_login(world.ada)
    response = checking.post("/applications/new", {})
    assert response.status_code == 403 and "The form is too old" in text_of(response)


@pytest.mark.parametrize("address", ["/", "/projects", "/runs", "/jobs", "/releases", "/help", "/patterns", "/desk"])
def test_pages_that_only_show_take_nothing(world, as_, address):
    assert as_(world.bruno).post(address).status_code == 405


def test_a_statement_turns_its_months_and_can_be_kept(world, as_):
    world.finish_run(key="finished-run")
    address = f"/projects/{world.project.ref}/statement"
    client = as_(world.ada)
    page = text_of(client.get(f"{address}?month=2026-11"))
    assert "November 2026" in page and "?month=2026-10" in page and "Too few days" in page
    assert "No job used anything" in text_of(client.get(f"{address}?month=2025-01"))
    assert client.get(f"{address}.pdf?month=2026-11").content.startswith(b"%PDF-")
    table = client.get(f"{address}.csv?month=2026-11")
    assert table["Content-Disposition"].endswith('-2026-11.csv"')
    assert table.content.decode().count("\r\n") == 6
    for wrong in ("x", "2026-13", "%00"):
        response = client.get(f"{address}?month={wrong}")
        assert response.status_code == 422 and "no month" in text_of(response)
    for end in ("", ".csv", ".pdf"):
        assert as_(world.dag).get(f"{address}{end}?month=2026-11").status_code == 404
