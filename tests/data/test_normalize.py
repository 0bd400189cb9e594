import unicodedata

from hypothesis import given, settings
from hypothesis import strategies as st

from fucina.data import normalize as module
from fucina.data.normalize import normalize, normalize_batch


def test_one_spelling():
    assert normalize("e\u0300 cosi\u0300") == "è così"
    assert normalize("a\r\nb\rc\u2028d\u0085e") == "a\nb\nc\nd\ne"
    assert normalize("a\u00a0b\u2009c") == "a b c"
    assert normalize("ma\u00adrio\u200b@\ufeffx.it\x00\x07") == "mario@x.it"
    assert normalize("\u202ea\u202c b") == "a b"
    assert normalize("a  \n\n\n\n b\t\n") == "a\n\n b"


RAW = st.text() | st.text(" \t\n\r\x0c\x00ab\u00ad\u200bèÅ\u2028\u00a0\u1680\ud800", max_size=14)


@settings(deadline=None, max_examples=500)
@given(st.lists(RAW, max_size=4))
def test_the_kernel_and_the_slow_way_agree(texts):
    for text, normalized in zip(texts, normalize_batch(texts), strict=True):
        assert normalized.text == module._composed(text).text


@settings(deadline=None, max_examples=500)
@given(RAW | st.text("aeo\u0301\u0300\u0323 \n\r", max_size=12))
def test_every_character_knows_where_it_came_from(text):
    normalized = normalize_batch([text])[0]

    leads = dict(normalized.shifts.tolist())
    lead, last = 0, -1
    for place, character in enumerate(normalized.text.decode()):
        lead = leads.get(place, lead)
        there = text[place + lead]
        assert place + lead > last or (place + lead == last and unicodedata.combining(character))
        last = place + lead
        if character in " \n":
            assert there.isspace()
        elif not unicodedata.combining(character):
            assert unicodedata.normalize("NFD", there)[0] == unicodedata.normalize("NFD", character)[0]


def test_a_full_table_of_shifts_grows():
    text = "a\u00ad" * 5000

    assert normalize_batch([text, text])[1].text == b"a" * 5000


@settings(deadline=None)
@given(st.text())
def test_normalising_twice_changes_nothing_and_leaves_valid_text(text):
    once = normalize(text)

    assert normalize(once) == once
    assert unicodedata.is_normalized("NFC", once)
    once.encode("utf-8")
    assert not any(unicodedata.category(c) == "Cc" and c not in "\n\t" for c in once)
