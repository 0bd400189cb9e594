"""Personal data in text: fast patterns propose, validators decide, placeholders replace."""

import re
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import re2

from fucina.data import credentials, plates, validators
from fucina.data.candidates import windows_of
from fucina.data.edges import character_after, character_before, stands_alone
from fucina.data.identifiers import search as identifiers
from fucina.data.recipe import PersonalData

Searches = tuple[tuple[PersonalData, Callable[[bytes], Iterator[tuple[int, int]]]], ...]
"""A kind, and what yields half-open slices of UTF-8 where values of it stand."""

MAX_PREFIX_CHARACTERS = 200
_MAX_PASSES = 4
_BETWEEN = b"\0.\0"
"""Between two windows: no pattern reaches across."""
_MASK = b"]"
"""Stands over what was found: neither letter nor digit, like the ends of a placeholder."""


# Bytes, not characters: positions need no conversion, and every byte above 127 counts as a letter.
def _compile(pattern: bytes) -> "re2._Regexp":
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    return re2.compile(pattern, options)


_EMAIL = _compile(
    rb"[0-9A-Za-z\x80-\xff_%+\-.]{1,80}(?:@|\s?[\[({<]\s?(?:at|AT|chiocciola)\s?[\])}>]\s?)"
    rb"(?:[0-9A-Za-z\x80-\xff](?:[0-9A-Za-z\x80-\xff-]{0,62})\.){1,8}[A-Za-z]{2,24}"
)
_IBAN = _compile(rb"[A-Za-z]{2}[0-9]{2}[ \-]?[0-9A-Za-z]{2}")
_CODICE_FISCALE = _compile(
    rb"[A-Za-z]{3}[ \-]?[A-Za-z]{3}[ \-]?[0-9L-Vl-v]{2}[A-Za-z][0-9L-Vl-v]{2}[ \-]?[A-Za-z][0-9L-Vl-v]{3}[ \-]?[A-Za-z]"
)
_DIGIT_GROUPS = _compile(rb"[0-9]+(?:[ \-.][0-9]+)*")
_IPV4 = _compile(rb"[0-9]{1,3}(?:\.[0-9]{1,3}){3}")
_IPV6 = _compile(rb"[23][0-9A-Fa-f]{3}:[0-9A-Fa-f:.]{2,40}")
_PHONE = _compile(rb"\(?(?:\+ ?)?\(?[0-9](?:[ ./\-()]{0,3}[0-9]){5,20}")

_VERSION_BEFORE = re.compile(
    rb"(?i)(?:\bv|version[ei]?|release|build|firmware|ver\.?|rev\.?|oid|section|\xc2\xa7)[ :]{0,2}$"
)
_IP_BEFORE = re.compile(
    rb"(?i)\b(?:ip|host|server|dns|client|address|adresse?|indirizzo|login|ssh|ping|da|from|von|de)\b[^.]{0,12}$"
)
_SECTION_OCTET = 40
"""Four numbers below this look like the number of a section, unless the text speaks of addresses."""

_PHONE_NOUN = (
    "tel tél tlf tf tfn tfno tlm fax cell cel mob kom ph puh gsm tālr τηλ κιν тел моб whatsapp telegram sms recapito "
    "centralino bel"
)
_PHONE_STEM = (
    "telef telèf teléf téléph telephon phon handy mobil móvil telem puhelin cellular portable tālrun "
    "τηλέφων τηλεφων κινητ телефон мобил"
)
_PHONE_VERB = (
    "chiam contatt call appel rufen ruft anruf llam ligar ligue zadzwo dzwoni suna volejte zavolejte pokli hívj contact"
)
_PHONE_LINK = "il al lo le el o the die den na a de pe me us noi mi sie unter at on di of"
_NUMBER = "numero number numéro número nummer numărul numer číslo számot številko nr n no"


def _any_of(words: str) -> str:
    return "(?:" + "|".join(words.split()) + ")"


# "Tel.", "telefono:", "Chiamare il numero", "Rufen Sie": what stands right before a national number.
_PHONE_BEFORE = re.compile(
    rf"(?i)(?<!\w)(?:{_any_of(_PHONE_NOUN)}\b[ .:;)/nº°]*"
    rf"|{_any_of(_PHONE_STEM)}[^\W\d]{{0,7}}(?: (?:is|e|è))?(?: {_any_of(_NUMBER)})?[ .:;)]*"
    rf"|{_any_of(_PHONE_VERB)}[^\W\d]{{0,5}}(?: {_any_of(_PHONE_LINK)}){{0,2}}(?: {_any_of(_NUMBER)})?"
    r"(?: (?:di|de|of) [a-z]{2,12})?[ .:]*)$"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A personal value in a text; positions in UTF-8 bytes, half-open."""

    kind: PersonalData
    start: int
    end: int
    value: str
    prefix: str
    """Up to MAX_PREFIX_CHARACTERS right before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Redacted:
    """A text with placeholders, and what they stand for."""

    text: str
    findings: tuple[Finding, ...]


class RedactedBytes(NamedTuple):
    """The same in UTF-8; positions refer to the text before any pass."""

    text: bytes
    findings: tuple[Finding, ...]


def placeholder(kind: PersonalData) -> str:
    """What replaces a value of a kind."""
    return f"[{kind.value.upper()}]"


def find(text: str) -> tuple[Finding, ...]:
    """Personal values in a text, in order and without overlap."""
    return find_batch([text.encode()])[0]


def find_batch(texts: Sequence[bytes], *, more: Searches = ()) -> list[tuple[Finding, ...]]:
    """`find` in each of several texts, UTF-8: one walk for the windows, then each search once over all of them.

    `more` are searches over whole texts, such as one for names, which come last of these.
    """
    found = _find_anywhere(texts, more)
    originals, texts = (
        texts,
        [_masked(text, [(start, end) for start, end, _ in taken]) for text, taken in zip(texts, found, strict=True)],
    )
    offsets = np.cumsum([0, *map(len, texts)], dtype=np.int64)
    windows = windows_of(np.frombuffer(b"".join(texts), np.uint8), offsets)
    documents, starts = windows.document.tolist(), (windows.start - offsets[windows.document]).tolist()
    ends = (windows.end - offsets[windows.document]).tolist()
    pieces = [texts[document][start:end] for document, start, end in zip(documents, starts, ends, strict=True)]
    buffer = _BETWEEN.join(pieces)
    places = np.cumsum([0, *(len(piece) + len(_BETWEEN) for piece in pieces)]).tolist()
    masked = bytearray(buffer)
    for kind, search in SEARCHES:
        # The list first: a search must not see what it finds itself.
        for start, end in list(search(bytes(masked))):
            window = bisect_right(places, start) - 1
            shift = starts[window] - places[window]
            found[documents[window]].append((start + shift, end + shift, kind))
            masked[start:end] = _MASK * (end - start)
    return [
        tuple(
            Finding(kind=kind, start=start, end=end, value=data[start:end].decode(), prefix=_prefix(data, start))
            for start, end, kind in sorted(values)
        )
        for data, values in zip(originals, found, strict=True)
    ]


_Found = list[tuple[int, int, PersonalData]]


def _find_anywhere(texts: Sequence[bytes], more: Searches) -> list[_Found]:
    """What the searches that need no window find in each text."""
    found: list[_Found] = [[] for _ in texts]
    buffer = _BETWEEN.join(texts)
    places = np.cumsum([0, *(len(text) + len(_BETWEEN) for text in texts)]).tolist()
    masked = buffer
    for kind, search in (*SEARCHES_ANYWHERE, *more):
        slices = list(search(masked))
        for start, end in slices:
            document = bisect_right(places, start) - 1
            found[document].append((start - places[document], end - places[document], kind))
        masked = _masked(masked, slices)
    return found


def _masked(text: bytes, slices: Sequence[tuple[int, int]]) -> bytes:
    """The text with slices of it out of sight."""
    if not slices:
        return text
    masked = bytearray(text)
    for start, end in slices:
        masked[start:end] = _MASK * (end - start)
    return bytes(masked)


def redact(text: str, *, kinds: Collection[PersonalData]) -> Redacted:
    """Replace every value of the given kinds; what comes out holds none that `find` would find.

    Positions in findings refer to the UTF-8 of the text as given.
    """
    redacted = redact_batch([text.encode()], kinds=kinds)[0]
    return Redacted(text=redacted.text.decode(), findings=redacted.findings)


Replacement = Callable[[PersonalData, str], str]
"""What stands for a value of a kind; no search may find anything in it, and it is the same whenever it is asked."""


def plain(kind: PersonalData, _: str) -> str:
    """The placeholder, whatever the value."""
    return placeholder(kind)


def redact_batch(
    texts: Sequence[bytes], *, kinds: Collection[PersonalData], replacement: Replacement = plain, more: Searches = ()
) -> list[RedactedBytes]:
    """`redact` of each of several texts, UTF-8; `replacement` may give pseudonyms, `more` searches."""
    done = [RedactedBytes(text, ()) for text in texts]
    pending = list(range(len(done)))
    for _ in range(_MAX_PASSES):
        again = []
        found = find_batch([done[index].text for index in pending], more=more)
        for index, findings in zip(pending, found, strict=True):
            chosen = [finding for finding in findings if finding.kind in kinds]
            if chosen:
                done[index] = _replace(done[index], chosen, replacement)
                again.append(index)
        pending = again
        if not pending:
            break
    return done


def _replace(redacted: RedactedBytes, chosen: list[Finding], replacement: Replacement) -> RedactedBytes:
    """Put placeholders where the findings of one more pass are."""
    data, parts, last = redacted.text, [], 0
    for finding in chosen:
        parts += [data[last : finding.start], replacement(finding.kind, finding.value).encode()]
        last = finding.end
    former = redacted.findings
    moved = (
        [
            replace(f, start=_before(former, f.start, replacement), end=_before(former, f.end, replacement))
            for f in chosen
        ]
        if former
        else chosen
    )
    findings = sorted((*former, *moved), key=lambda finding: finding.start)
    return RedactedBytes(b"".join((*parts, data[last:])), tuple(findings))


def _before(former: tuple[Finding, ...], position: int, replacement: Replacement) -> int:
    """Where a position stood before earlier passes put in their placeholders."""
    shift = 0
    for finding in former:
        size = len(replacement(finding.kind, finding.value).encode())
        if finding.start + shift + size > position:
            break
        shift += size - (finding.end - finding.start)
    return position - shift


def _prefix(data: bytes, start: int) -> str:
    return data[max(0, start - 4 * MAX_PREFIX_CHARACTERS) : start].decode("utf-8", "ignore")[-MAX_PREFIX_CHARACTERS:]


def _emails(data: bytes) -> Iterator[tuple[int, int]]:
    for match in _EMAIL.finditer(data):
        start, end = match.span()
        try:
            value = data[start:end].decode()
        except UnicodeDecodeError:
            # The greedy pattern began in the middle of a character.
            continue
        # Quotation marks and dashes beyond ASCII look like letters to a pattern of bytes.
        local = re.split(r"@|\s?[\[({<]", value, maxsplit=1)[0]
        tail = _LOCAL_TAIL.search(local)
        if tail and tail.group():
            yield start + len(local[: tail.start()].encode()), end


_LOCAL_TAIL = re.compile(r"(?:(?![.\-])[\w%+\-.])?[\w%+\-.]*$")


def _ibans(data: bytes) -> Iterator[tuple[int, int]]:
    for match in _IBAN.finditer(data):
        start = match.start()
        length = validators.iban_length(data[start : start + 2].decode())
        if not length or character_before(data, start).isalnum():
            continue
        end, value = _take(data, start, length)
        if len(value) == length and not character_after(data, end).isalnum() and validators.is_iban(value):
            yield start, end


def _take(data: bytes, start: int, count: int) -> tuple[int, str]:
    """The next `count` ASCII letters and digits, single separators skipped."""
    value, end = bytearray(), start
    while len(value) < count and end < len(data):
        byte = data[end : end + 1]
        if byte.isalnum():
            value += byte
        elif byte not in (b" ", b"-", b".") or not data[end + 1 : end + 2].isalnum():
            break
        end += 1
    return end, value.decode()


def _codici_fiscali(data: bytes) -> Iterator[tuple[int, int]]:
    for match in _CODICE_FISCALE.finditer(data):
        start, end = match.span()
        value = data[start:end].translate(None, b" -").decode()
        if stands_alone(data, start, end) and validators.is_codice_fiscale(value):
            yield start, end


def _cards(data: bytes) -> Iterator[tuple[int, int]]:
    """Runs of digit groups; a card is one group, or several whole groups of which no one is longer than seven."""
    for match in _DIGIT_GROUPS.finditer(data):
        if match.end() - match.start() < 13:
            continue
        groups = [(match.start() + part.start(), match.start() + part.end()) for part in _GROUP.finditer(match.group())]
        first = 0
        while first < len(groups):
            last = _card_end(data, groups, first)
            if last >= 0 and stands_alone(data, groups[first][0], groups[last][1]):
                yield groups[first][0], groups[last][1]
                first = last
            first += 1


_GROUP = re.compile(rb"[0-9]+")


def _card_end(data: bytes, groups: list[tuple[int, int]], first: int) -> int:
    """Index of the last group of a card that starts with group `first`, or -1."""
    digits = b""
    for last in range(first, min(first + 7, len(groups))):
        start, end = groups[last]
        digits += data[start:end]
        if len(digits) > 19 or (last > first and end - start > 7):
            return -1
        if len(digits) >= 13 and validators.is_card(digits.decode()):
            return last
    return -1


def _ip_addresses(data: bytes) -> Iterator[tuple[int, int]]:
    for match in _IPV4.finditer(data):
        start, end = match.span()
        if not stands_alone(data, start, end) or data[max(0, start - 1) : start] in (b".", b"-", b","):
            continue
        longer = data[end : end + 1] == b"." and data[end + 1 : end + 2].isdigit()
        if longer or _VERSION_BEFORE.search(data[max(0, start - 20) : start]):
            continue
        value = match.group().decode()
        if all(int(octet) < _SECTION_OCTET for octet in value.split(".")) and not _IP_BEFORE.search(
            data[max(0, start - 30) : start]
        ):
            continue
        if validators.is_personal_ip(value):
            yield start, end
    for match in _IPV6.finditer(data):
        start, end = match.span()
        while data[end - 1 : end] in (b".", b":"):
            end -= 1
        if stands_alone(data, start, end) and validators.is_personal_ip(data[start:end].decode()):
            yield start, end


def _phones(data: bytes) -> Iterator[tuple[int, int]]:
    for match in _PHONE.finditer(data):
        start, end = match.span()
        if data[start : start + 1] == b"(" and data.count(b"(", start, end) > data.count(b")", start, end):
            start += 1
        if not stands_alone(data, start, end) or data[max(0, start - 1) : start] in _JOINERS:
            continue
        value = data[start:end].decode()
        if validators.is_international_phone(value.removeprefix("(").replace("+ ", "+")):
            yield start, end
            continue
        cents = data[end : end + 1] == b"," and data[end + 1 : end + 2].isdigit()
        if value.startswith("+") or cents:
            continue
        announced = _PHONE_BEFORE.search(data[max(0, start - 60) : start].decode("utf-8", "ignore")) is not None
        if validators.is_national_phone(value, announced=announced):
            yield start, end


_JOINERS = (b",", b".", b"-", b"/", b"_", b"=", b"#", b"$", b"+")

SEARCHES: Searches = (
    (PersonalData.EMAIL, _emails),
    (PersonalData.IBAN, _ibans),
    (PersonalData.CODICE_FISCALE, _codici_fiscali),
    (PersonalData.CREDIT_CARD, _cards),
    (PersonalData.NATIONAL_ID, identifiers.search),
    (PersonalData.IP_ADDRESS, _ip_addresses),
    (PersonalData.PHONE, _phones),
)
"""The surest kind first: what one search takes, the later ones do not see.

A search gets the windows of many documents in one buffer (see `candidates`) and yields half-open slices of it. A new
kind is a member of PersonalData, a search, and a line here; a value with neither six digits nor one of the other
marks of a candidate needs a new mark there.
"""

SEARCHES_ANYWHERE: Searches = (
    (PersonalData.CREDENTIAL, credentials.search),
    (PersonalData.PLATE, plates.search),
)
"""Searches for values without a common mark: they walk over whole texts, before the others."""
