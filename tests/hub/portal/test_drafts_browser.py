"""A draft in Chromium: what is typed is saved without leaving the page."""

import pytest
from playwright.sync_api import expect

from fucina.client.wire_access import DraftFields
from fucina.hub.access.calls import modes_on_offer
from fucina.hub.access.drafts import start_draft
from fucina.hub.access.models import Application
from tests.hub.conftest import NOON
from tests.hub.portal.test_browser import enter

pytestmark = pytest.mark.browser


def test_what_is_typed_is_saved_again_and_again(hub, world, tab):
    draft = start_draft(
        organisation=world.organisation,
        mode_id="fast-lane",
        fields=DraftFields(project="typed"),
        modes=modes_on_offer(),
        by=world.ada,
        at=NOON,
    )
    enter(tab, hub)
    tab.goto(f"{hub}/applications/{draft.ref}/draft")
    for number, text in enumerate(("Only me", "Only me, and later two engineers"), start=1):
        tab.get_by_label("Who does the work?").fill(text)
        expect(tab.locator("#draft-version input")).to_have_value(str(number))
        expect(tab.locator("#draft-saved")).to_have_text("Saved")
        assert Application.objects.get(pk=draft.pk).answers["team"] == text
    expect(tab.get_by_label("Who does the work?")).to_be_focused()
