import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fucina.trust.evaluation_report import render
from fucina.trust.gates import decide
from fucina.trust.recipe import EvaluationResults, Metric, Sample

HOSTILE = "</blockquote><script>alert(1)</script><img src=x onerror=alert(1)>&amp;\"'\x00\u202e$style ${gates}"
VOID = {"meta", "br"}


class Page(HTMLParser):
    """Tags in order, text, and whether every tag was closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def results(
    *, gates: dict[str, float] | None = None, n: int = 200, text: str = "C'era una volta", language: str = "it"
) -> EvaluationResults:
    metrics = (
        Metric(
            name="memorised_share",
            value=0.005,
            n=n,
            low=0.0001,
            high=0.0275,
            interval="exact (Clopper-Pearson)",
            baseline=0.0,
            baseline_name="200 passages of held-out documents",
            meaning="How often the model writes the next tokens exactly.",
        ),
        Metric(name="language_match", value=0.5, n=8, low=0.1, high=0.9, interval=text, meaning=text),
    )
    return EvaluationResults(
        suite="general",
        seed=1,
        model_sha256="a" * 64,
        data_sha256="b" * 64,
        versions={"fucina": "0.1.0", "torch": text},
        metrics=metrics,
        gates=decide(gates if gates is not None else {"memorised_share": 0.01, "language_match": 0.75}, metrics),
        samples=(Sample(language=language, prompt=text, text=text, identified_as=text),),
    )


def test_gates_come_first_with_word_and_shape():
    page = Page(render(results()))

    assert not page.open
    assert page.text.index("Gates") < page.text.index("What was measured") < page.text.index("What the model writes")
    assert "✘ 1 of 2 gates fails" in page.text
    assert "✔ Holds" in page.text and "✘ Fails" in page.text
    assert "at most 0.01" in page.text and "at least 0.75" in page.text
    assert "0.0001 to 0.0275" in page.text and "200 passages of held-out documents" in page.text


def test_the_page_stands_alone():
    text = render(results())
    page = Page(text)

    assert not {"script", "link", "img", "iframe", "object"} & set(page.tags)
    assert not {name for name, _ in page.attributes} & {"src", "href", "style", "onclick"}
    assert "url(" not in text and "@import" not in text
    assert page.tags.count("h1") == 1 and ("lang", "en") in page.attributes
    assert "prefers-color-scheme: dark" in text and "@media print" in text


def test_every_cell_of_a_table_has_a_head():
    page = Page(render(results()))

    scopes = [value for name, value in page.attributes if name == "scope"]
    assert scopes.count("row") == 4 and scopes.count("col") == 10
    assert page.tags.count("caption") == 2


@pytest.mark.parametrize(
    ("gates", "verdict"),
    [
        ({}, "No gate was set"),
        ({"memorised_share": 0.1}, "✔ The gate holds"),
        ({"memorised_share": 0.1, "language_match": 0.1}, "✔ All 2 gates hold"),
        ({"memorised_share": 0.0, "language_match": 0.9}, "✘ 2 of 2 gates fail"),
    ],
)
def test_the_verdict_is_one_sentence(gates: dict[str, float], verdict: str):
    assert f"<title>Evaluation: {verdict}</title>" in render(results(gates=gates))


def test_a_gate_on_nothing_measured_says_so():
    page = Page(render(results(n=0)))

    assert "There was nothing to measure it on, so it fails." in page.text
    assert "0.005" not in page.text


def test_hostile_text_stays_text():
    page = Page(render(results(text=HOSTILE, language='it" onload="alert(1)')))

    assert not page.open
    assert not {"script", "img"} & set(page.tags)
    assert not any(name.startswith("on") for name, _ in page.attributes)
    assert "<script>alert(1)</script>" in page.text and "$style ${gates}" in page.text
    assert "\x00" not in page.text and "\u202e" not in page.text


@given(st.text(max_size=60))
def test_any_text_keeps_the_page_whole(text: str):
    made = render(results(text=text))
    page = Page(made)

    assert not page.open
    assert page.tags == Page(render(results(text="x"))).tags or text == ""
    assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", made)
