import pytest

from fucina.data.language import UNKNOWN, UnknownLanguage, check_languages, identify
from fucina.data.normalize import normalize
from fucina.data.quality import RULES, failing, first_failures, measure
from fucina.data.shards import join_texts


def _measured(text, language):
    return measure(*join_texts([normalize(text).encode()]), [language])


def _reason(text, *, language="en"):
    number = first_failures(_measured(text, language), [language])[0]
    return list(RULES)[number] if number >= 0 else ""


def _fails(rule, text, *, language="en"):
    return bool(failing(_measured(text, language), [language])[rule][0])


def test_prose_passes(italian, english):
    assert {_reason(text, language="it") for text in italian} == {""}
    assert {_reason(text) for text in english} == {""}


def test_technical_markdown_with_code_passes():
    code = "```c\n" + "for (int i = 0; i < n; ++i) { total += values[i]; }\n" * 12 + "```\n"
    prose = (
        "# Sum of an array\n\nIt returns the sum of the values in the array. It is called with the number of "
        "values and a pointer to the first of them, and it does not check whether the pointer is valid.\n\n"
    )
    assert _reason(prose + code + "\nThe loop above is the one that most of the examples in this guide use.\n") == ""


def test_a_dialogue_is_no_bullet_list(italian):
    lines = [f"- {sentence.strip()}." for text in italian[:4] for sentence in text.split(".")[:6] if sentence.strip()]
    assert not _fails("bullet-list", "\n".join(lines), language="it")


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("too-few-words", "Only a few words here."),
        ("word-length", "incomprehensibilities" * 2 + " " + " ".join(["antidisestablishmentarianism"] * 40)),
        ("few-letters", " ".join(f"{n}" for n in range(1000, 1100)) + " and the of to in"),
        ("no-function-words", " ".join(f"wardrobe{c} lantern{c} copper{c}" for c in "abcdefghijklm")),
        ("symbols", " ".join(f"#tag{c} #word{c} and the" for c in "abcdefghijklm")),
        ("bullet-list", "\n".join(f"- the thing number {c} of a list" for c in "abcdefghijkl")),
        ("cut-off-lines", "\n".join(f"This is the beginning of article {c} and it goes on..." for c in "abcdefghij")),
        ("repeated-lines", "The very same line again and again.\n" * 20),
        ("repeated-runs", " ".join(f"buy the best carpets in town today {c}" for c in "abcdefghijklm")),
        (
            "boilerplate",
            "This site uses cookies to be good.\nPlease enable Javascript to view it.\nHello to the world.",
        ),
        ("lorem-ipsum", "And this is a page of the site with Lorem ipsum dolor sit amet in it."),
    ],
)
def test_each_rule_finds_its_junk(rule, text):
    assert _fails(rule, text)


def test_every_rule_has_a_test():
    marks = next(mark for mark in test_each_rule_finds_its_junk.pytestmark if mark.name == "parametrize")
    assert {rule for rule, _ in marks.args[1]} == set(RULES)


@pytest.mark.parametrize("text", ["", " ", "a", "\n" * 50, "```\nx\n```", "🙂 " * 100, "字" * 400])
def test_rules_survive_strange_text(text):
    assert isinstance(_reason(text, language=UNKNOWN), str)


def test_languages_are_told(italian, english):
    assert {identify(text).language for text in italian} == {"it"}
    assert {identify(text).language for text in english} == {"en"}
    assert identify("12345 67890 !!! ???").language == UNKNOWN
    assert identify("").language == UNKNOWN


def test_an_unknown_language_is_refused():
    check_languages(("it", "en", "mt"))
    with pytest.raises(UnknownLanguage, match="'xx'"):
        check_languages(("it", "xx"))
