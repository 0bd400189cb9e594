import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from fucina.data.normalize import normalize


def test_one_spelling():
    assert normalize("e\u0300 cosi\u0300") == "è così"
    assert normalize("a\r\nb\rc\u2028d\u0085e") == "a\nb\nc\nd\ne"
    assert normalize("a\u00a0b\u2009c") == "a b c"
    assert normalize("ma\u00adrio\u200b@\ufeffx.it\x00\x07") == "mario@x.it"
    assert normalize("\u202ea\u202c b") == "a b"
    assert normalize("a  \n\n\n\n b\t\n") == "a\n\n b"


@given(st.text())
def test_normalising_twice_changes_nothing_and_leaves_valid_text(text):
    once = normalize(text)

    assert normalize(once) == once
    assert unicodedata.is_normalized("NFC", once)
    once.encode("utf-8")
    assert not any(unicodedata.category(c) == "Cc" and c not in "\n\t" for c in once)
