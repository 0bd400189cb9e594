import pytest

from fucina.data.personal import find, redact_batch
from fucina.data.pseudonyms import BadKey, Pseudonyms, read_key
from fucina.data.recipe import PersonalData

ALL = frozenset(PersonalData)
KEY = Pseudonyms(b"0123456789abcdef")
TEXT = "Mario: mario@example.it, +39 326 842 4886. Ancora Mario@Example.it e 0039 326-8424886, poi anna@example.it."


def _pseudonymised(text, pseudonyms=KEY):
    (done,) = redact_batch([text.encode()], kinds=ALL, replacement=pseudonyms.of)
    return done.text.decode(), done.findings


def test_the_same_value_has_the_same_pseudonym_in_every_document():
    text, findings = _pseudonymised(TEXT)

    first, second, third = (KEY.of(PersonalData.EMAIL, f"{name}@example.it") for name in ("mario", "MARIO", "anna"))
    assert first == second != third
    assert text.count(first) == 2
    assert text.count(third) == 1
    assert not any(finding.value in text for finding in findings)


def test_pseudonyms_are_found_by_no_search_and_depend_on_the_key():
    text, _ = _pseudonymised(TEXT)

    assert find(text) == ()
    assert _pseudonymised(text)[0] == text
    assert _pseudonymised(TEXT, Pseudonyms(b"another key of 32 characters....")) != (text, ())
    assert KEY.of(PersonalData.PHONE, "1") != KEY.of(PersonalData.NATIONAL_ID, "1")


def test_findings_still_point_into_the_original():
    _, findings = _pseudonymised(TEXT)

    assert [TEXT.encode()[f.start : f.end].decode() for f in findings] == [f.value for f in findings]


def test_the_key_is_never_shown():
    assert "0123" not in repr(KEY)


@pytest.mark.parametrize(
    ("data", "match"), [(b"short", "has 5 bytes; 16"), (b"   \n" * 20, "has 0 bytes"), (None, "cannot be read")]
)
def test_a_bad_key_is_refused(tmp_path, data, match):
    path = tmp_path / "key"
    if data is not None:
        path.write_bytes(data)

    with pytest.raises(BadKey, match=match) as error:
        read_key(path)

    assert "openssl rand" in error.value.hint


def test_a_key_is_read_without_the_newline(tmp_path):
    (tmp_path / "key").write_bytes(b"0123456789abcdef\n")

    assert read_key(tmp_path / "key") == b"0123456789abcdef"
