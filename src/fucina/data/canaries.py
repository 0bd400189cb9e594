"""Synthetic personal records that belong to nobody, planted to measure what slips through.

Telephone numbers are those that the British and German regulators keep for fiction, addresses those reserved for
documentation; the bank, the card issuer's batch and the birthplace in the other numbers do not exist; nobody born in
the nineteenth century has a PESEL, no Italian plate has a Q or a U, and the access key says that it is an example.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from stdnum.pl import pesel

from fucina.data.personal import MAX_PREFIX_CHARACTERS
from fucina.data.recipe import FOUND_BY_SHAPE, PersonalData
from fucina.data.validators import codice_fiscale_check, luhn

_FIRST_NAMES = ("ada", "bruno", "chiara", "dag", "elena", "fosco", "greta", "ivo", "livia", "marco", "nora", "olga")
_LAST_NAMES = (
    "ferrante",
    "bellomo",
    "sartori",
    "grimaldi",
    "whitlock",
    "ashdown",
    "marlowe",
    "thornby",
    "vasari",
    "lunetti",
)
_CONSONANTS = "BCDFGLMNPRSTVZ"
_CIN_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

_SENTENCES: dict[str, dict[PersonalData, str]] = {
    "it": {
        PersonalData.EMAIL: "Per ogni chiarimento {name} risponde all'indirizzo {value} entro due giorni.",
        PersonalData.PHONE: "Nelle ore d'ufficio {name} si trova al telefono {value} o in portineria.",
        PersonalData.IBAN: "Il rimborso per {name} va versato sul conto IBAN {value} entro la fine del mese.",
        PersonalData.CODICE_FISCALE: "La pratica di {name}, codice fiscale {value}, resta aperta presso lo sportello.",
        PersonalData.CREDIT_CARD: "La quota di {name} fu pagata con la carta di credito {value} alla cassa.",
        PersonalData.IP_ADDRESS: "L'ultimo accesso di {name} risulta dall'indirizzo IP {value} poco dopo mezzanotte.",
        PersonalData.NATIONAL_ID: "Nella pratica polacca di {name} sta scritto il PESEL {value} su ogni pagina.",
        PersonalData.PLATE: "L'automobile di {name}, targata {value}, sostava davanti al portone.",
        PersonalData.CREDENTIAL: "Per prova {name} usa la chiave di accesso {value} del magazzino.",
    },
    "en": {
        PersonalData.EMAIL: "For any question about the lease {name} answers at {value} within two days.",
        PersonalData.PHONE: "During office hours {name} can be reached by telephone at {value} or at the front desk.",
        PersonalData.IBAN: "The refund for {name} must go to the account with IBAN {value} by the end of the month.",
        PersonalData.CODICE_FISCALE: "The file of {name}, Italian tax code {value}, is still open at the counter.",
        PersonalData.CREDIT_CARD: "The fee of {name} was paid with the credit card {value} at the till.",
        PersonalData.IP_ADDRESS: "The last login of {name} came from the IP address {value} shortly after midnight.",
        PersonalData.NATIONAL_ID: "The Polish file of {name} has the PESEL {value} on every page.",
        PersonalData.PLATE: "The car of {name} with the number plate {value} stood before the gate.",
        PersonalData.CREDENTIAL: "For a trial {name} uses the access key {value} of the warehouse.",
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A sentence with one personal value in it."""

    kind: PersonalData
    value: str
    sentence: str
    offset: int
    """Of the value in the sentence, in characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """A text with records in it."""

    text: str
    prefixes: tuple[str, ...]
    """What stands right before each value, in the order of the records."""
    start: int
    """Where the records begin, in characters."""
    end: int
    """Where the old text goes on."""
    resumes_at: int
    """The same place in the old text."""

    def in_text(self, place: int) -> int:
        """Where a place of the planted text is in the old one; -1 inside the records."""
        if place < self.start:
            return place
        return place - self.end + self.resumes_at if place >= self.end else -1


class _Draw:
    """Numbers from a seed that are the same on every machine and version."""

    def __init__(self, *parts: object) -> None:
        self._key = "\0".join(map(str, parts)).encode()
        self._count = 0

    def below(self, limit: int) -> int:
        self._count += 1
        digest = hashlib.blake2b(self._key + self._count.to_bytes(8, "little"), digest_size=16).digest()
        return int.from_bytes(digest, "little") % limit

    def digits(self, count: int) -> str:
        return f"{self.below(10**count):0{count}d}"

    def choice(self, options: Sequence[str]) -> str:
        return options[self.below(len(options))]


def make_record(*, number: int, language: str, seed: int) -> Record:
    """The record of a number: kinds take turns; languages without sentences of their own get English."""
    draw = _Draw("canary", seed, number)
    kind = FOUND_BY_SHAPE[number % len(FOUND_BY_SHAPE)]
    first, last = draw.choice(_FIRST_NAMES), draw.choice(_LAST_NAMES)
    value = _value(kind, draw=draw, first=first, last=last)
    template = _SENTENCES.get(language, _SENTENCES["en"])[kind]
    before, after = template.replace("{name}", f"{first.title()} {last.title()}").split("{value}")
    return Record(kind=kind, value=value, sentence=before + value + after, offset=len(before))


def has_sentences(language: str) -> bool:
    """Whether records can be written in a language."""
    return language in _SENTENCES


def _value(kind: PersonalData, *, draw: _Draw, first: str, last: str) -> str:
    match kind:
        case PersonalData.EMAIL:
            return f"{first}.{last}{draw.digits(4)}@example.{draw.choice(('com', 'org', 'net'))}"
        case PersonalData.PHONE:
            if draw.below(2):
                return f"+44 20 7946 0{draw.digits(3)}"
            return f"+49 30 23125 {draw.digits(3)}"
        case PersonalData.IBAN:
            return _iban(draw)
        case PersonalData.CODICE_FISCALE:
            letters = "".join(draw.choice(_CONSONANTS) for _ in range(6))
            day = 1 + draw.below(28) + 40 * draw.below(2)
            fifteen = f"{letters}{draw.digits(2)}{draw.choice('ABCDEHLMPRST')}{day:02d}Z99{draw.below(10)}"
            return fifteen + codice_fiscale_check(fifteen)
        case PersonalData.CREDIT_CARD:
            fifteen = f"400000000{draw.digits(6)}"
            check = next(digit for digit in "0123456789" if luhn(fifteen + digit))
            number = fifteen + check
            return " ".join(number[start : start + 4] for start in range(0, 16, 4))
        case PersonalData.IP_ADDRESS:
            return f"{draw.choice(('192.0.2', '198.51.100', '203.0.113'))}.{1 + draw.below(254)}"
        case PersonalData.NATIONAL_ID:
            ten = f"{draw.digits(2)}{81 + draw.below(12)}{1 + draw.below(28):02d}{draw.digits(4)}"
            return ten + pesel.calc_check_digit(ten)
        case PersonalData.PLATE:
            return f"Q{draw.choice('AEFGHJK')} {draw.digits(3)} U{draw.choice('ABCDEFG')}"
        case PersonalData.CREDENTIAL:
            return "AKIAEXAMPLE" + "".join(draw.choice(_CIN_LETTERS) for _ in range(9))
        case PersonalData.NAME:
            # Drawn for no turn: without a list of names nothing would find it.
            return f"{first.title()} {last.title()}"


def _iban(draw: _Draw) -> str:
    """An Italian IBAN of a bank whose number (99...) nobody has."""
    account = f"{draw.choice(_CIN_LETTERS)}99{draw.digits(3)}{draw.digits(5)}{draw.digits(12)}"
    remainder = int("".join(str(int(character, 36)) for character in account + "IT00")) % 97
    return f"IT{98 - remainder:02d}{account}"


def plant(text: str, records: Sequence[Record]) -> Planted:
    """Put each record into a text as a paragraph of its own, near the middle."""
    place = _paragraph_end(text)
    before, after = text[:place].rstrip("\n"), text[place:].lstrip("\n")
    prefixes = []
    start, resumes_at = len(before), len(text) - len(after)
    for record in records:
        before += "\n\n"
        prefixes.append((before + record.sentence[: record.offset])[-MAX_PREFIX_CHARACTERS:])
        before += record.sentence
    whole = f"{before}\n\n{after}".rstrip("\n")
    return Planted(text=whole, prefixes=tuple(prefixes), start=start, end=len(before) + 2, resumes_at=resumes_at)


def _paragraph_end(text: str) -> int:
    """The paragraph break nearest to the middle; else the end of the text."""
    middle = len(text) // 2
    after = text.find("\n\n", middle)
    before = text.rfind("\n\n", 0, middle)
    if after < 0 and before < 0:
        return len(text)
    if after < 0 or (before >= 0 and middle - before < after - middle):
        return before
    return after
