import pytest
from hypothesis import given
from hypothesis import strategies as st

from fucina.data.recipe import PersonalData
from fucina.trust.private_values import PrivateValue, masked


def private(kind: str, value: str) -> PrivateValue:
    return PrivateValue(kind=PersonalData(kind), value=value)


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("phone", "+39 347 555 0182", "chiama il 3475550182."),
        ("phone", "+39 347 555 0182", "0039-347.555.01.82"),
        ("phone", "02 1234", "tel. 02-1234"),
        ("iban", "IT60X0542811101000000123456", "su it60 X054 2811 1010 0000 0123 456!"),
        ("credit-card", "4000 0000 0000 0002", "carta 4000-0000-0000-0002"),
        ("codice-fiscale", "RSSMRA85T10A562S", "CF: rss mra 85T10 A562S"),
        ("email", "Ada.Ferrante@example.org", "scrivi a ada.ferrante @ example.org"),
        ("ip-address", "192.0.2.17", "da 192.0.2.17:80"),
    ],
)
def test_a_value_is_found_however_it_is_spaced(kind: str, value: str, text: str):
    assert private(kind, value).appears_in(text)
    assert f"[{kind}]" in masked(text, [private(kind, value)])
    assert not private(kind, value).appears_in(masked(text, [private(kind, value)]))


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("phone", "+39 347 555 0182", "347 555 0183"),
        ("phone", "+39 347 555 0182", "34755501829"),
        ("phone", "02 1234", "102 12345"),
        ("iban", "IT60X0542811101000000123456", "IT60X05428111010000001234567"),
        ("email", "ada@example.org", "xada@example.org"),
        ("email", "ada@example.org", "ada@example.organic"),
        ("ip-address", "192.0.2.1", "192.0.2.17"),
        ("ip-address", "192.0.2.1", "192,0,2,1"),
        ("credit-card", "4000 0000 0000 0002", "[credit-card]"),
    ],
)
def test_another_value_is_not_taken_for_it(kind: str, value: str, text: str):
    assert not private(kind, value).appears_in(text)
    assert masked(text, [private(kind, value)]) == text


def test_what_follows_the_last_appearance():
    value = private("phone", "+39 347 555 0182")

    assert value.after_last("tel 347 555 0182, ancora 3475550182 e poi: ") == " e poi: "
    assert value.after_last("niente") == "niente"


@given(kind=st.sampled_from(PersonalData), value=st.text(min_size=1, max_size=40), before=st.text(max_size=20))
def test_any_value_made_of_anything_is_found_in_its_own_text(kind: PersonalData, value: str, before: str):
    found = PrivateValue(kind=kind, value=value)
    text = f"{before} {value.upper()} ."

    # The quick look at letters and digits never hides what the pattern would have found.
    assert found.appears_in(text) == (found.taken_out_of(text) != text)
    if value.isascii() and value.isalnum():
        assert found.appears_in(text)


def test_a_hostile_value_and_text_take_no_time():
    value = private("iban", "(" * 200 + "IT" + "a" * 200)

    assert not value.appears_in("a. " * 20_000)
