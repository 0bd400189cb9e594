"""Words, numbers and states: nothing untranslated, nothing shown by colour alone."""

import ast
import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from django.template import Context, Template
from django.template.base import Lexer, TokenType
from django.utils import translation
from django.utils.translation.template import templatize

from fucina.access.moves import ApplicationState
from fucina.compute.spec import JobState
from fucina.hub import portal
from fucina.hub.accounting.models import Kind
from fucina.hub.people.models import Role
from fucina.hub.portal import figures
from fucina.hub.portal.curves import progress_lines, training_charts
from fucina.hub.portal.facts import fact_groups, metric_name
from fucina.hub.portal.states import LEDGER_KINDS, LOOKS, ROLES, SHAPES, STAGES, look
from fucina.line.spec import StageName
from fucina.trust.recipe import GATES, Standing

ROOT = Path(portal.__file__).parent
PO = ROOT / "locale" / "it" / "LC_MESSAGES" / "django.po"
TEMPLATES = sorted(ROOT.rglob("*.html"))
NAMES = {"Fucina", "SHA-256"}
"""Words that are the same in every language."""

STRING = r"u?(?:'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\")"
CALL = re.compile(rf"\b(?:n?gettext|_)\(({STRING})")


def in_templates():
    """Every text that a template marks for translation."""
    for path in TEMPLATES:
        for found in CALL.finditer(templatize(path.read_text(encoding="utf-8"))):
            yield ast.literal_eval(found.group(1)), path.name


def in_code():
    """Every text that the code marks for translation."""
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"_", "gettext"}:
                assert isinstance(node.args[0], ast.Constant), f"{path.name}:{node.lineno} translates no constant"
                yield node.args[0].value, path.name


@pytest.fixture(scope="module")
def catalogue():
    """The Italian texts by their English ones."""
    with PO.open("rb") as file:
        messages = [message for message in read_po(file, locale="it") if message.id]
    return {message.id if isinstance(message.id, str) else message.id[0]: message for message in messages}


def test_every_marked_text_has_its_italian(catalogue):
    marked = {*in_templates(), *in_code()}
    assert len(marked) > 300
    missing = sorted((text, name) for text, name in marked if text not in catalogue)
    assert not missing


def test_no_italian_text_is_empty_unsure_or_left_over(catalogue):
    marked = {text for text, _ in (*in_templates(), *in_code())}
    for text, message in catalogue.items():
        strings = message.string if isinstance(message.string, tuple) else (message.string,)
        assert all(strings), text
        assert not message.fuzzy, text
        assert text in marked, f"{text!r} is used nowhere"
        placeholders = {frozenset(re.findall(r"%\(\w+\)s", string)) for string in strings}
        assert placeholders == {frozenset(re.findall(r"%\(\w+\)s", text))}, text


def test_the_compiled_texts_are_those_of_the_file(catalogue):
    """Run `pybabel compile -D django -d src/fucina/hub/portal/locale` when this fails."""
    with translation.override("it"):
        assert translation.gettext("What do you want to do?") == "Che cosa vuoi fare?"
        stale = [
            text
            for text, message in catalogue.items()
            if isinstance(message.string, str) and translation.gettext(text) == text != message.string
        ]
    assert not stale


class Texts(HTMLParser):
    """Texts of a template that a reader would see."""

    def __init__(self, source):
        super().__init__()
        self.found = []
        self._silent = 0
        self.feed(source)

    def handle_starttag(self, tag, attrs):
        self._silent += tag in {"script", "style"}
        for name, value in attrs:
            if name in {"alt", "title", "placeholder", "aria-label"} and value:
                self.found.append(value)

    def handle_endtag(self, tag):
        self._silent -= tag in {"script", "style"}

    def handle_data(self, data):
        if not self._silent:
            self.found.append(data)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_no_template_has_a_text_of_its_own(path):
    kept, inside = [], False
    for token in Lexer(path.read_text(encoding="utf-8")).tokenize():
        if token.token_type is TokenType.BLOCK and token.contents.split()[0] in {"blocktranslate", "endblocktranslate"}:
            inside = token.contents.startswith("blocktranslate")
        elif token.token_type is TokenType.TEXT and not inside:
            kept.append(token.contents)
    for text in Texts("".join(kept)).found:
        words = set(re.findall(r"[A-Za-z][A-Za-z0-9-]+", text)) - NAMES
        assert not words, f"{path.name} says {text.strip()!r} in one language only"


@pytest.mark.parametrize("name", [*JobState, *ApplicationState, *Standing])
def test_every_state_has_a_word_a_shape_and_a_colour(name):
    assert str(name) in LOOKS
    shown = look(name)
    assert shown.shape in SHAPES
    page = Template("{% load portal %}{% state name %}").render(Context({"name": name}))
    assert str(shown.word) in page and f"state-{shown.colour}" in page and SHAPES[shown.shape] in page


def test_good_and_bad_and_live_differ_in_shape_and_not_only_in_colour():
    shapes = {}
    for name in ("succeeded", "failed", "running", "queued", "cancelled", "unknown", "blocked"):
        shapes.setdefault(look(name).shape, []).append(name)
    assert all(len(names) == 1 for names in shapes.values())


def test_a_state_that_nobody_knows_is_shown_as_it_is_and_escaped():
    page = Template("{% load portal %}{% state name %}").render(Context({"name": "<b>on_fire"}))
    assert "&lt;b&gt;on fire" in page and "state-warn" in page


def test_every_stage_kind_and_role_has_a_name():
    assert set(STAGES) == set(StageName)
    assert set(LEDGER_KINDS) == set(Kind.values)
    assert set(ROLES) == set(Role.values)
    assert all(str(metric_name(gate)) != gate.replace("_", " ") for gate in GATES)


@pytest.mark.parametrize(
    ("value", "english", "italian"),
    [
        (None, "—", "—"),
        (float("nan"), "—", "—"),
        (float("inf"), "—", "—"),
        (0, "0", "0"),
        (0.0, "0", "0"),
        (12_345_678, "12,345,678", "12.345.678"),
        (3.14159, "3.142", "3,142"),
        (1234.56, "1,235", "1.235"),
        (0.01, "0.01", "0,01"),
        (-2.5, "-2.5", "-2,5"),
        (2.31e14, "2.31 × 10¹⁴", "2,31 × 10¹⁴"),
        (2.31e-9, "2.31 × 10⁻⁹", "2,31 × 10⁻⁹"),
        (10**30, "1.00 × 10³⁰", "1,00 × 10³⁰"),
        (99_999.99, "100,000", "100.000"),
    ],
)
def test_numbers_are_written_as_the_language_does(value, english, italian):
    with translation.override("en"):
        assert figures.figure(value) == english
    with translation.override("it"):
        assert figures.figure(value) == italian


def test_sizes_durations_hours_and_shares():
    with translation.override("it"):
        assert figures.size(6_029_312) == "5,8 MiB"
        assert figures.duration(4.2) == "4,2 s"
        assert figures.hours(5) == "0,0014"
        assert figures.short_count(3_280_000) == "3,28M"
        assert figures.percent(0.213) == "21 %"
        assert figures.percent(0.004) == "0,4 %"
    assert [figures.size(None), figures.duration(None), figures.hours(None), figures.percent(None)] == ["—"] * 4
    assert figures.duration(-3) == "0.0 s"


def test_how_long_ago():
    now = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
    spans = (timedelta(seconds=-5), timedelta(seconds=59), timedelta(minutes=3), timedelta(hours=5), timedelta(days=9))
    assert [figures.ago(now - span, now=now) for span in spans] == [
        "just now", "just now", "3 min ago", "5 h ago", "9 d ago",
    ]  # fmt: skip


def test_instants_are_utc_whatever_zone_they_come_in():
    at = datetime.fromisoformat("2026-11-20T01:30:00+02:00")
    page = Template("{% load portal %}{% instant at %}|{% instant none %}").render(Context({"at": at, "none": None}))
    assert page == ('<time class="instant" datetime="2026-11-19T23:30:00Z">19 Nov 2026, 23:30 UTC</time>|—')


def test_unknown_facts_are_dashes():
    values = [value for group in fact_groups({}) for _, value in group.pairs]
    assert set(values) == {"—"} and len(values) > 20


def test_a_run_without_progress_has_empty_charts(world):
    job = world.begin().jobs.get(stage="train")
    assert [chart.is_empty for chart in training_charts(progress_lines(job))] == [True, True]


def test_long_training_keeps_every_validation_loss(world):
    train = world.train_for(num_lines=6000)
    lines = progress_lines(train)
    assert len(lines) < 3000
    assert sum("validation_loss" in line.values for line in lines) == 600
    assert lines[-1].done == 8192 * 6000
