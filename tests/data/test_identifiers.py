import pytest
from hypothesis import given
from hypothesis import strategies as st

from fucina.data.identifiers import checks
from fucina.data.identifiers.search import country_of, search
from fucina.data.identifiers.table import IDENTIFIERS

# Numbers that the issuing offices or python-stdnum print as examples, or made here with a valid check digit.
EXAMPLES = [
    ("AT", "Sozialversicherungsnummer: ", "1237 010180"),
    ("AT", "Abgabenkontonummer ", "59-119/9013"),
    ("BE", "Rijksregisternummer ", "85.07.30-033.28"),
    ("BE", "numéro national : ", "85073003328"),
    ("BG", "ЕГН ", "8032056031"),
    ("CY", "TIC: ", "10259033P"),
    ("CZ", "rodné číslo ", "710319/2745"),
    ("DE", "Steuer-ID ", "36 574 261 809"),
    ("DE", "Rentenversicherungsnummer ", "15 070649 C 103"),
    ("DK", "CPR-nr. ", "211062-5629"),
    ("EE", "isikukood ", "36805280109"),
    ("ES", "DNI ", "54362315-K"),
    ("ES", "con NIE ", "X-2482300W"),
    ("FI", "henkilötunnuksella ", "131052-308T"),
    ("FR", "n° de sécurité sociale : ", "2 95 10 99 126 111 93"),
    ("FR", "numéro fiscal ", "30 23 217 600 053"),
    ("GR", "ΑΜΚΑ ", "01013099997"),
    ("GR", "ΑΦΜ: ", "094259216"),
    ("HR", "OIB: ", "33392005961"),
    ("HU", "TAJ-száma ", "111 111 110"),
    ("HU", "adóazonosító jele: ", "8071592153"),
    ("HU", "személyi száma ", "1-720216-1672"),
    ("IE", "PPS No. ", "6433435F"),
    ("LT", "asmens kodas ", "33309240064"),
    ("LU", "matricule ", "1893120105732"),
    ("LV", "personas kods ", "161175-19997"),
    ("MT", "ID card ", "0123456M"),
    ("NL", "BSN ", "111222333"),
    ("PL", "PESEL ", "44051401359"),
    ("PT", "NIF ", "501 964 843"),
    ("PT", "cartão de cidadão ", "00000000 0 ZZ4"),
    ("RO", "CNP ", "1630615123457"),
    ("SE", "personnummer ", "880320-0016"),
    ("SI", "EMŠO ", "0101006500006"),
    ("SI", "davčna številka ", "50223054"),
    ("SK", "r. č. ", "710319/2745"),
]
UNION = set("AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE LT LU LV MT NL PL PT RO SE SI SK".split())  # noqa: SIM905


def _found(text):
    data = text.encode()
    return [data[start:end].decode() for start, end in search(data)]


@pytest.mark.parametrize(("country", "before", "value"), EXAMPLES)
def test_an_announced_identifier_is_found_and_its_country_known(country, before, value):
    assert _found(f"Così: {before}{value}, e poi.") == [value]
    assert country in country_of(value)


# Danish numbers since 2007 and Maltese ones have no check digit.
@pytest.mark.parametrize(("country", "before", "value"), [e for e in EXAMPLES if e[0] not in {"DK", "MT"}])
def test_a_wrong_check_digit_is_noticed(country, before, value):
    last = max(place for place, character in enumerate(value) if character.isdecimal())
    wrong = [value[:last] + digit + value[last + 1 :] for digit in "0123456789" if digit != value[last]]

    # A few systems map two remainders to one digit or give several digits a meaning.
    assert sum(bool(_found(f"{before}{number}.")) for number in wrong) <= 2


def test_every_state_has_an_example_and_a_line_in_the_table():
    # Italy's tax code is a kind of its own.
    assert {country for country, _, _ in EXAMPLES} == UNION == {each.country for each in IDENTIFIERS}


@pytest.mark.parametrize(
    "text",
    [
        "il numero 44051401359 del catalogo",
        "timestamp 1630615123457",
        "111222333",
        "tel. 094259216",
        "n. 36805280109",
        "PESEL ma poi, molto più avanti nel testo di questa frase: 44051401359",
        "order 880320-00161",
        "A131052-308T",
        "131052-308TX",
    ],
)
def test_other_numbers_stay(text):
    assert _found(text) == []


@given(st.text(max_size=60), st.sampled_from(EXAMPLES), st.text(max_size=20))
def test_search_survives_anything_and_stays_inside(before, example, after):
    data = (before + "".join(example[1:]) + after).encode("utf-8", "replace")

    places = list(search(data))

    assert all(0 <= start < end <= len(data) for start, end in places)
    assert places == sorted(places)


@given(st.text(max_size=20))
def test_checks_survive_anything(text):
    for name in dir(checks):
        if name.startswith("is_"):
            getattr(checks, name)(text)
    country_of(text)
