"""Number plates of vehicles: a shape that half of Europe's codes have too, so only behind a word that announces one."""

from collections.abc import Iterator

import re2

from fucina.data.edges import character_after

_ANNOUNCED_BY = (
    "targ(?:a|he|ato|ata|ati)", "immatricol[a-z]{2,8}", "kfz-kennzeichen",
    "(?:polizeiliche[sn]? |amtliche[sn]? )?kennzeichen", "immatriculée?s?", "plaque(?: d.immatriculation)?",
    "matr(?:í|i)cula(?:s|do|da)?", "placa", "licen[cs]e plate", "number ?plate",
    "registration (?:plate|number|no\\.?)", "reg\\. no\\.?", "kenteken(?:nummer|plaat)?", "nummerplaat",
    "registreringsnummer", "nummerplade", "rekisteri(?:numero|tunnus)", "numer(?:em)? rejestracyjny(?:m)?",
    "tablic[aey] rejestracyjn[aey](?:j)?", "(?:státní|registrační) značk[auy]", "spz", "rz", "rendszám(?:ú|a|mal)?",
    "număr(?:ul)? de înmatriculare", "registrska (?:številka|tablica|oznaka)", "registarska oznaka",
    "αριθμός κυκλοφορίας", "πινακίδα", "регистрационен номер", "рег\\. №", "numerumurs", "valstybinis numeris",
    "registreerimisnumber",
)  # fmt: skip

# Letters of a district, digits and letters in the order of some state; the blank may be a hyphen or a point.
_PLATE = (
    r"(?:[A-Z]{2}[ \-.]?[0-9]{3}[ \-.]?[A-Z]{2}"  # IT, FR
    r"|(?:[A-Z]|\xc3[\x84\x96\x9c]){1,3}[ \-.][A-Z]{1,2}[ \-.]?[0-9]{1,4}[EH]?"  # DE
    r"|[0-9]{4}[ \-.]?[BCDFGHJKLMNPRSTVWXYZ]{3}"  # ES
    r"|[0-9A-Z]{2}[ \-.][0-9A-Z]{2}[ \-.][0-9A-Z]{2}"  # PT, NL
    r"|[0-9A-Z]{1,3}[ \-.][0-9]{2,3}[ \-.][0-9A-Z]{1,3}"  # NL, BE, RO
    r"|[A-Z]{1,3}[ \-.]?[0-9]{2,5}[ \-.]?[A-Z]{0,3}"  # PL, RO, HU, AT, LT, EE, GR, BG, HR, SI, CY, MT, LV
    r"|[0-9][A-Z0-9]{2}[ \-.]?[0-9]{4}"  # CZ
    r"|[0-9]{2,3}-?[A-Z]{1,3}[ \-.]?[0-9A-Z]{1,6})"  # IE, EE
)


def _compile(pattern: str) -> "re2._Regexp":
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    return re2.compile(pattern.encode("latin-1"), options)


def _bytes_of(words: str) -> str:
    """UTF-8 letters as the bytes that a pattern in Latin-1 sees; a class becomes no larger than its ASCII letters."""
    return words.encode().decode("latin-1")


_SEARCH = _compile(
    rf"(?i:\b(?:{_bytes_of('|'.join(_ANNOUNCED_BY))})\b[ \t]*(?:n\.?|nr\.?|num(?:ero|mer)?|n\xc2\xb0)?"
    rf"[ \t:=,(\xc2\xab\"']{{0,4}})({_PLATE})"
)


def search(data: bytes) -> Iterator[tuple[int, int]]:
    """Where number plates stand in UTF-8 text."""
    for match in _SEARCH.finditer(data):
        start, end = match.span(1)
        if not character_after(data, end).isalnum() and any(48 <= byte <= 57 for byte in data[start:end]):
            yield start, end
