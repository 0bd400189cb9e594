"""What people do in a real browser: sign in, follow a live run, cancel it, and get everywhere by keyboard."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.sessions.models import Session
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

PASSWORD = "forge-and-anvil-1492"


def enter(tab, hub, name="ada"):
    tab.goto(f"{hub}/sign-in")
    tab.get_by_label("User name").fill(name)
    tab.get_by_label("Password").fill(PASSWORD)
    tab.get_by_role("button", name="Sign in").click()
    expect(tab.get_by_role("heading", level=1)).to_have_text("What do you want to do?")


def test_from_home_to_a_run_that_updates_itself_to_its_end(hub, world, tab):
    train = world.train_for(num_lines=20, at=datetime.now(UTC) - timedelta(minutes=2))
    world.write_log(train, "".join(f"line {n}\n" for n in range(200)))
    enter(tab, hub)

    tab.get_by_role("link", name="norme-chiare").last.click()

    stage = tab.locator("#stage-train")
    expect(stage).to_contain_text("Running")
    expect(stage).to_contain_text("164k / 12M tokens")
    expect(tab.locator("#log-text")).to_contain_text("line 199")
    tab.evaluate("window.notReloaded = true")
    tab.locator("#chart-loss-table summary").click()
    tab.locator("#log-document").focus()
    tab.locator("#log-text").evaluate("box => { box.scrollTop = 40 }")
    tab.evaluate("window.scrollTo(0, 300)")

    now = datetime.now(UTC)
    world.report(train, done=6_000_000, total=12_000_000, at=now, first=20, values={"loss": 3.0}, message="half-way")
    world.write_log(train, "".join(f"line {n}\n" for n in range(201)))

    expect(stage).to_contain_text("6M / 12M tokens")
    expect(stage).to_contain_text("half-way")
    expect(tab.locator("#log-text")).to_contain_text("line 200")
    expect(tab.locator("#chart-loss .legend")).to_contain_text("Training 3")
    assert tab.locator("#chart-loss-table").get_attribute("open") is not None
    assert tab.locator("#log-text").evaluate("box => box.scrollTop") == 40
    assert tab.evaluate("document.activeElement.id") == "log-document"
    assert tab.evaluate("window.scrollY") == 300

    world.end_stage(train)
    expect(stage).to_contain_text("Succeeded")
    for _ in range(3):
        world.end_stage(world.start_stage(at=datetime.now(UTC)))
    expect(tab.locator("#run-head")).to_contain_text("the release is being checked")
    run = train.run
    run.refresh_from_db()
    release = world.publish(run)

    expect(tab.get_by_role("link", name="See the release")).to_be_visible()
    expect(tab.locator("#poll")).not_to_have_attribute("hx-get", f"/runs/{run.ref}")
    assert tab.evaluate("window.notReloaded") is True
    tab.get_by_role("link", name="See the release").click()
    expect(tab.get_by_role("heading", level=1)).to_have_text("norme-chiare v1")
    assert tab.url == f"{hub}/releases/{release.ref}"


def test_the_log_follows_when_it_was_at_its_end(hub, world, tab):
    train = world.train_for(num_lines=1)
    world.write_log(train, "".join(f"line {n}\n" for n in range(200)))
    enter(tab, hub)
    tab.goto(f"{hub}/runs/{train.run.ref}")
    expect(tab.locator("#log-text")).to_contain_text("line 199")

    world.write_log(train, "".join(f"line {n}\n" for n in range(260)))

    expect(tab.locator("#log-text")).to_contain_text("line 259")
    assert tab.locator("#log-text").evaluate("box => box.scrollHeight - box.scrollTop - box.clientHeight") < 2


def test_a_part_that_did_not_change_is_left_alone(hub, world, tab):
    run = world.begin()
    enter(tab, hub)
    tab.goto(f"{hub}/runs/{run.ref}")
    with tab.expect_response(f"{hub}/runs/{run.ref}"):
        pass
    expect(tab.locator("#run-facts")).to_be_visible()
    tab.locator("#run-charts").evaluate("part => { part.mine = true }")

    for _ in range(2):
        with tab.expect_response(f"{hub}/runs/{run.ref}"):
            pass

    assert tab.locator("#run-charts").evaluate("part => part.mine") is True


def test_cancel_asks_first(hub, world, tab):
    run = world.begin()
    enter(tab, hub)
    tab.goto(f"{hub}/runs/{run.ref}")
    tab.get_by_role("link", name="Cancel the run").click()
    expect(tab.get_by_role("heading", level=1)).to_have_text("Cancel this run?")
    run.refresh_from_db()
    assert run.state == "queued"

    tab.get_by_role("button", name="Cancel the run").click()

    expect(tab.locator("#run-head")).to_contain_text("Cancelled")
    run.refresh_from_db()
    assert run.state == "cancelled"


def test_a_person_applies_with_the_keyboard_alone(hub, world, tab):
    tab.goto(f"{hub}/sign-in")
    assert tab.evaluate("document.activeElement.id") == "id_username"
    tab.keyboard.type("ada")
    tab.keyboard.press("Tab")
    tab.keyboard.type(PASSWORD)
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("heading", level=1)).to_have_text("What do you want to do?")
    tab.goto(f"{hub}/applications/new")
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.className") == "skip"
    tab.keyboard.press("Enter")
    tab.keyboard.press("Tab")
    while tab.evaluate("document.activeElement.id") != "id_project":
        tab.keyboard.press("Tab")
    tab.keyboard.type("by-hand")
    tab.keyboard.press("Tab")
    tab.keyboard.type("A model that was asked for without a mouse")
    tab.keyboard.press("Tab")
    tab.keyboard.press("Tab")
    tab.keyboard.press("Tab")
    tab.keyboard.type("2.5")
    tab.keyboard.press("Enter")

    expect(tab.get_by_role("heading", level=1)).to_have_text("by-hand")
    expect(tab.locator(".title .state")).to_have_text("Granted")


def test_everything_fits_a_phone_in_the_dark_and_in_italian(hub, world, chromium):
    release = world.publish(world.finish_run(key="finished-run"))
    train = world.train_for(num_lines=30)
    context = chromium.new_context(viewport={"width": 320, "height": 700}, color_scheme="dark", locale="it-IT")
    tab = context.new_page()
    tab.goto(f"{hub}/sign-in")
    tab.get_by_label("Nome utente").fill("ada")
    tab.get_by_label("Password").fill(PASSWORD)
    tab.get_by_role("button", name="Accedi").click()
    expect(tab.get_by_role("heading", level=1)).to_have_text("Che cosa vuoi fare?")
    places = ["", "projects", f"projects/{world.project.ref}", "runs", f"runs/{train.run.ref}", "applications/new"]
    for place in [*places, f"releases/{release.ref}", "help", "patterns"]:
        tab.goto(f"{hub}/{place}")
        wider = tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wider == 0, place
        assert tab.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(15, 19, 24)"
    context.close()


def test_a_run_is_readable_without_javascript(hub, world, chromium):
    train = world.train_for(num_lines=5)
    world.write_log(train, "it says this\n")
    context = chromium.new_context(java_script_enabled=False)
    tab = context.new_page()
    enter(tab, hub)
    tab.goto(f"{hub}/runs/{train.run.ref}")
    expect(tab.locator("#stage-train")).to_contain_text("Running")
    expect(tab.locator("#log-text")).to_have_text("it says this\n")
    tab.locator("#log-prepare").click()
    expect(tab.locator("#log-prepare")).to_have_attribute("aria-current", "true")
    context.close()


def test_who_was_signed_out_meanwhile_is_asked_to_sign_in_again(hub, world, tab):
    run = world.begin()
    enter(tab, hub)
    tab.goto(f"{hub}/runs/{run.ref}")
    Session.objects.all().delete()
    expect(tab).to_have_url(f"{hub}/sign-in?next=/runs/{run.ref}")


def test_a_lost_connection_is_said_and_comes_back(hub, world, chromium):
    run = world.begin()
    context = chromium.new_context()
    tab = context.new_page()
    enter(tab, hub)
    tab.goto(f"{hub}/runs/{run.ref}")
    expect(tab.locator(".live-note")).to_have_text("This page updates itself")
    context.set_offline(True)
    expect(tab.locator(".live-note")).to_have_text("No connection; trying again")
    context.set_offline(False)
    expect(tab.locator(".live-note")).to_have_text("This page updates itself")
    context.close()
