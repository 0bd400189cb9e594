import sys

import pyarrow.parquet as pq
import pytest

from fucina.data.inspect import explain, funnel
from fucina.data.judge import PEER_FILTERS, ParityMissing, step_of

rules = pytest.importorskip("fucina.data.datatrove_rules", reason="the extra `parity` is not installed")

PROSE = (
    "The river rises in the hills above the town and turns to the south after the old bridge. "
    "Boats carried grain and salt down to the harbour until the railway came in the following century. "
    "Most of the mills along its banks have been closed since then, but one of them still grinds flour. "
    "A path follows the water for twelve miles; walkers share it with anglers and with a few cyclists. "
    "In spring the meadows are flooded, and herons come back to the reeds."
)


def _fails(filter_name, text, language="en"):
    return rules.judge(text, language=language)[filter_name]


def test_the_filters_are_those_that_decisions_name():
    assert tuple(rules.FILTERS) == PEER_FILTERS
    assert {step_of(f"{name}:anything") for name in PEER_FILTERS} == {"quality"}


def test_prose_is_kept_by_every_filter():
    assert set(rules.judge(PROSE, language="en").values()) == {""}


@pytest.mark.parametrize(
    ("filter_name", "reason", "text"),
    [
        ("gopher-repetition", "dup_para_frac", "\n\n".join([PROSE] * 3)),
        ("gopher-repetition", "dup_line_frac", PROSE + "\nOnce.\nOnce.\nOnce.\nOnce.\n"),
        ("gopher-repetition", "dup_line_char_frac", "\n".join([PROSE, *"abcd", PROSE])),
        ("gopher-repetition", "top_2_gram", PROSE + " buy carpets " * 20),
        ("gopher-repetition", "duplicated_5_n_grams", PROSE + " and then " + PROSE),
        ("gopher-quality", "gopher_short_doc", PROSE[:150]),
        ("gopher-quality", "gopher_above_avg_threshold", "antidisestablishmentarianism counterrevolutionaries " * 40),
        ("gopher-quality", "gopher_below_avg_threshold", "a bc de f gh " * 40),
        ("gopher-quality", "gopher_too_many_hashes", PROSE + " #one #two #three " * 9),
        ("gopher-quality", "gopher_too_many_ellipsis", PROSE.replace(" and", "… and ...") + " … " * 20),
        ("gopher-quality", "gopher_too_many_bullets", "\n".join(f"- {line}" for line in PROSE.split(". "))),
        ("gopher-quality", "gopher_too_many_end_ellipsis", "\n".join(f"{line}..." for line in PROSE.split(". "))),
        ("gopher-quality", "gopher_below_alpha_threshold", PROSE + " 12 34 " * 30),
        ("c4", "too_few_sentences", "One sentence. And a second one."),
        ("c4", "curly_bracket", PROSE + "\nA line with { in it."),
        ("c4", "lorem_ipsum", PROSE + "\nAnd Lorem ipsum dolor sit amet."),
        ("fineweb", "line_punct_ratio", "\n".join(PROSE.replace(".", ",").split(", ")) + "\nand"),
        ("fineweb", "short_line_ratio", PROSE + "\nYes it is.\nNo it is not.\nPerhaps it is."),
        ("fineweb", "char_dup_ratio", "\n".join([PROSE, PROSE])),
        ("fineweb", "list_ratio", "\n\n\n\n\n\n\n".join(["A line that has ten words in it, all short."] + [
            f"The {n} thing of the list is here." for n in ("first", "second", "third", "fourth")
        ])),
    ],
)  # fmt: skip
def test_each_filter_finds_its_junk(filter_name, reason, text):
    assert _fails(filter_name, text) == reason


def test_c4_does_not_count_lines_about_cookies_or_scripts():
    kept = "One line is here. A second one is too.\nA third one follows. And a fourth one.\nThe fifth one ends it."
    assert _fails("c4", kept) == ""
    assert _fails("c4", kept.replace("The fifth one", "This site uses cookies and")) == "too_few_sentences"
    assert _fails("c4", kept.replace("The fifth one", "Please enable JavaScript and")) == "too_few_sentences"
    assert _fails("c4", kept.replace("The fifth one ends it", "Too short")) == "too_few_sentences"


def test_marks_are_words_of_this_profile(run, tmp_path, jsonl, english):
    """Where commas stand after every word, a fifth of what spaCy counts has no letter."""
    listed = "apples, pears, plums, figs, nuts, dates, limes, grapes, melons, quinces, cherries, berries. " * 2
    jsonl(tmp_path / "a.jsonl", [PROSE, f"{PROSE} {listed}{listed}", *english[:4]])

    prepared = run("a.jsonl", quality_profile="datatrove", drop_duplicates=False)

    rows = pq.read_table(prepared.out / "decisions.parquet").to_pylist()
    assert [row["kept"] for row in rows[:2]] == [True, False]
    assert rows[1]["reason"] == "gopher-repetition:duplicated_5_n_grams"
    assert rows[1]["gopher-quality"] == "gopher_below_alpha_threshold"
    assert rows[0]["fineweb"] == ""
    [told] = explain(prepared.out, "a-1")
    assert told.filters["gopher-quality"] == "gopher_below_alpha_threshold"
    assert told.filters["c4"] == "keep"
    assert ("quality", rows[1]["reason"]) in [(row.step, row.reason) for row in funnel(prepared.out).rows]


def test_the_profile_says_what_to_install(run, tmp_path, jsonl, monkeypatch, english):
    monkeypatch.setitem(sys.modules, "fucina.data.datatrove_rules", None)
    jsonl(tmp_path / "a.jsonl", english)

    with pytest.raises(ParityMissing, match="datatrove"):
        run("a.jsonl", quality_profile="datatrove")
