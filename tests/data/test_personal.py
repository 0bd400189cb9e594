from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fucina.data import validators
from fucina.data.canaries import Record, make_record, plant
from fucina.data.personal import SEARCHES, SEARCHES_ANYWHERE, find, find_batch, placeholder, redact
from fucina.data.recipe import FOUND_BY_SHAPE, PersonalData

ALL = frozenset(PersonalData)
VALUES = {
    PersonalData.EMAIL: ["mario.rossi@example.it", "s.mueller+news@sub.example.co.uk", "anna_b [at] example.org"],
    PersonalData.PHONE: [
        "Tel. 06 8642 0007",
        "+39 326 842 4886",
        "0039 338 3783002",
        "+49 (0)171 9668056",
        "(+44) 20 7946 0123",
        "chiamare il numero 3253803646",
        "Rufen Sie 02/00621956",
        "telefono: 051-884821",
        "392 3759686",
        "01 83 76 82 91",
        "téléphone 01 61 10 56 20",
        "call us at 020 7946 0999",
    ],
    PersonalData.IBAN: [
        "NL17INGB8482258416",
        "PT18 8706 2556 9679 0390 1916 7",
        "it10 t326 7429 4690 6355 4898 029",
        "BE60-7330-0797-5530",
    ],
    PersonalData.CODICE_FISCALE: ["TNFLTG62M19C011C", "gpvsdv51m63e190p", "TNF LTG 62M19 C011C", "RSSMRA85T10A562S"],
    PersonalData.CREDIT_CARD: ["374323341221855", "5167 6957 3861 0117", "4503-2912-6631-5620", "2221 5966 4020 9470"],
    PersonalData.IP_ADDRESS: [
        "189.30.131.101",
        "2001:db8:b1df::6a47",
        "server at 8.8.8.8",
        "2a02:d1b4:18f1:47cc:f0a:20f:dee1:76a8",
    ],
    PersonalData.NATIONAL_ID: ["131052-308T", "710319/2745", "54362315K", "PESEL 44051401359", "ΑΜΚΑ: 01013099997"],
    PersonalData.PLATE: ["targata AB 123 CD", "Kennzeichen: M-XY 1234", "plaque AB-123-CD", "matrícula 1234 BCD"],
    PersonalData.CREDENTIAL: [
        "AKIAQX4BIPW3AHOV29GN",
        "ghp_aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0dE3fG6",
        "password = 'kT9$wq2ZrP!x7LmN'",
    ],
}
LOOK_ALIKES = [
    "ai sensi del D.Lgs. 394/2017, art. 91, comma 3",
    "per un importo di euro 805.636.584,00",
    "Versione 4.5.58 del software",
    "version 10.20.30.40 of the firmware",
    "seguiteci su @marieschmidt",
    "rete interna 192.168.247.218",
    "127.0.0.1",
    "Riferimento IT88J1831441906080756951806 non valido",
    "Roma, 08/05/1982",
    "2024-05-11",
    "ISBN 978-88-64-09128-3",
    "Ordine n. 4772777782548316",
    "Codice ZTMMNF51C26H131X",
    "the years 1939-1945",
    "in 1848 and 1849",
    "1 000 000 000",
    "Abschnitt 7.1.1.2",
    "std::vector<a::b>",
    "fe80::1",
    "3.14159265358979",
    "0.123456789",
    "12:30:45",
    "pagina 123456789",
    "10000000000000000",
    "numbers 1, 2, 3, 4, 5, 6, 7, 8, 9, 10",
    "a@b",
    "@",
    "user@localhost",
    "$1,234,567.89",
    "-12 345 678",
    "PESEL 44051401358",
    "131052-308U",
    "710319/2746",
    "la targa commemorativa del 1848",
    "placa 12",
    "password: ${DATABASE_PASSWORD}",
    "password = changeme",
    "AKIA",
    "the secret key to success",
]


@pytest.mark.parametrize(("kind", "value"), [(kind, value) for kind, values in VALUES.items() for value in values])
@pytest.mark.parametrize("frame", ["{}", "Scrivere qui: {}. Poi si vedrà.", "«{}»", "è già ({}), però\n"])
def test_values_are_found_wherever_they_stand(kind, value, frame):
    redacted = redact(frame.format(value), kinds=ALL)

    assert [finding.kind for finding in redacted.findings] == [kind]
    assert placeholder(kind) in redacted.text
    assert redacted.findings[0].value in value
    assert sum(c.isdecimal() for c in redacted.text) == 0 or kind is PersonalData.EMAIL


@pytest.mark.parametrize("text", LOOK_ALIKES)
def test_look_alikes_stay(text):
    assert redact(f"Prima {text} e dopo.", kinds=ALL).text == f"Prima {text} e dopo."


def test_only_the_wanted_kinds_are_redacted():
    text = "Scrivere a mario@example.it o chiamare +39 326 842 4886."

    redacted = redact(text, kinds={PersonalData.PHONE})

    assert redacted.text == "Scrivere a mario@example.it o chiamare [PHONE]."
    assert [finding.kind for finding in redacted.findings] == [PersonalData.PHONE]


def test_a_finding_knows_what_stood_before():
    text = "è " * 300 + "mail: mario@example.it"

    (finding,) = find(text)

    assert finding.value == "mario@example.it"
    assert finding.prefix == text[-216:-16]


def test_neighbours_are_told_apart():
    text = (
        "5167 6957 3861 0117 4503-2912-6631-5620, mario@example.it;anna@example.it NL17INGB8482258416 TNFLTG62M19C011C"
    )

    assert redact(text, kinds=ALL).text == ("[CREDIT-CARD] [CREDIT-CARD], [EMAIL];[EMAIL] [IBAN] [CODICE-FISCALE]")


PIECES = st.one_of(
    st.sampled_from([value for values in VALUES.values() for value in values] + LOOK_ALIKES),
    st.text(max_size=12),
    st.text("0123456789 -./+()@:ABCDEFabcdef", max_size=20),
    st.sampled_from([" ", "\n", ". ", "è", "[EMAIL]", "]"]),
)


@settings(deadline=None, max_examples=150)
@given(st.lists(PIECES, max_size=12))
def test_redacting_twice_changes_nothing(pieces):
    once = redact("".join(pieces), kinds=ALL)

    assert redact(once.text, kinds=ALL).text == once.text
    assert find(once.text) == ()


@settings(deadline=None, max_examples=400)
@given(st.lists(st.lists(PIECES | st.just(" parole qualunque" * 12), max_size=12), max_size=4))
def test_windows_show_everything_that_the_whole_text_shows(texts):
    joined = ["".join(pieces).encode("utf-8", "replace") for pieces in texts]

    found = find_batch(joined)

    for data, findings in zip(joined, found, strict=True):
        masked, expected = bytearray(data), []
        for kind, search in (*SEARCHES_ANYWHERE, *SEARCHES):
            for start, end in list(search(bytes(masked))):
                expected.append((start, end, kind))
                masked[start:end] = b"]" * (end - start)
        assert [(finding.start, finding.end, finding.kind) for finding in findings] == sorted(expected)


@settings(deadline=None, max_examples=150)
@given(st.lists(PIECES, max_size=12))
def test_findings_lie_in_order_without_overlap_and_match_the_text(pieces):
    text = "".join(pieces)
    data = text.encode("utf-8", "surrogatepass")

    findings = find(text)

    assert all(left.end <= right.start for left, right in pairwise(findings))
    for finding in findings:
        assert data[finding.start : finding.end].decode() == finding.value
        assert data[: finding.start].decode().endswith(finding.prefix)


@settings(deadline=None)
@given(st.text(st.characters(categories=["L", "Zs", "P"], exclude_characters="@[](){}<>"), max_size=300))
def test_text_without_digits_and_addresses_is_left_alone(text):
    assert redact(text, kinds=ALL).text == text


@settings(deadline=None)
@given(st.integers(0, 5000), st.sampled_from(["it", "en", "de"]), st.integers(0, 2**31))
def test_every_canary_is_valid_and_found(number, language, seed):
    record = make_record(number=number, language=language, seed=seed)

    assert record == make_record(number=number, language=language, seed=seed)
    assert record.sentence[record.offset :].startswith(record.value)
    assert [(f.kind, f.value) for f in find(record.sentence)] == [(record.kind, record.value)]


def test_canaries_take_turns_over_the_kinds():
    kinds = [make_record(number=number, language="it", seed=1).kind for number in range(2 * len(FOUND_BY_SHAPE))]

    assert kinds == [*FOUND_BY_SHAPE, *FOUND_BY_SHAPE]
    assert len({make_record(number=number, language="it", seed=1).value for number in range(60)}) > 50


@pytest.mark.parametrize("text", ["One.", "One.\n\nTwo.", "\n\n", "A\n\nB\n\nC\n\nD", "x" * 5000])
def test_planting_keeps_the_text_and_knows_the_prefix(text):
    records = [make_record(number=number, language="en", seed=2) for number in range(3)]

    planted = plant(text, records)

    assert [paragraph for paragraph in text.split("\n\n") if paragraph] == [
        paragraph
        for paragraph in planted.text.split("\n\n")
        if paragraph and paragraph not in {record.sentence for record in records}
    ]
    for record, prefix in zip(records, planted.prefixes, strict=True):
        assert _before(planted.text, record).endswith(prefix)
        assert prefix


def _before(text: str, record: Record) -> str:
    return text[: text.index(record.value)]


def test_check_digits_notice_every_single_wrong_digit():
    iban, card, code = "NL17INGB8482258416", "5167695738610117", "RSSMRA85T10A562S"
    assert validators.is_iban(iban)
    assert validators.is_card(card)
    assert validators.is_codice_fiscale(code)
    for place in range(16):
        if iban[place].isdecimal():
            assert not validators.is_iban(_bump(iban, place))
        assert not validators.is_card(_bump(card, place))
        if code[place].isdecimal():
            assert not validators.is_codice_fiscale(_bump(code, place))


def _bump(value: str, place: int) -> str:
    return value[:place] + str((int(value[place]) + 1) % 10) + value[place + 1 :]


def test_a_tax_code_may_have_letters_for_digits():
    fifteen = "RSSMRA85T10A56N"
    assert validators.is_codice_fiscale(fifteen + validators.codice_fiscale_check(fifteen))
    impossible_day = "RSSMRA85T35A562"
    assert not validators.is_codice_fiscale(impossible_day + validators.codice_fiscale_check(impossible_day))


@given(st.text(max_size=40))
def test_validators_survive_anything(text):
    validators.is_iban(text)
    validators.is_card(text)
    validators.is_codice_fiscale(text)
    validators.is_personal_ip(text)
    validators.is_international_phone(text)


@pytest.mark.parametrize(
    "text",
    [
        "tél. 0475 12 34 56", "телефон 0888123456", "τηλ.: 6912 345 678", "κινητό 6912345678", "Tfno. 91 234 56 78",
        "06.12.34.56.78", "06-20-123-4567", "tālr. 67123456", "tel. kom. 601 123 456", "tlm. 912345678",
        "tfn 08-12 34 56", "puh. 040 123 4567", "Tel.: (030) 123 45 67", "tel. (8 5) 212 3456", "mob. 091 123 4567",
        "+421 905 123 456",
    ],
)  # fmt: skip
def test_telephone_numbers_of_the_union_are_found_whole(text):
    [found] = [finding for finding in find(f"Abc ({text}) abc.") if finding.kind is PersonalData.PHONE]
    digits = "".join(filter(str.isdecimal, text))
    assert "".join(filter(str.isdecimal, found.value)) == digits


@pytest.mark.parametrize("text", ["01.02.03.04.05", "11.12.13.14.15", "kom. 12345", "v. 06.12.34", "06-20-12"])
def test_what_only_looks_like_one_stays(text):
    assert not [finding for finding in find(f"Abc {text} abc.") if finding.kind is PersonalData.PHONE]
