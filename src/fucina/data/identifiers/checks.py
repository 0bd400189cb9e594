"""Check digits of the identifiers that the library of standard numbers does not know."""

import re

from stdnum import luhn, verhoeff

_GERMAN_WEIGHTS = (2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1)


def _digits(value: str) -> str:
    return re.sub(r"[ .\-/]", "", value)


def _is_day(month: str, day: str) -> bool:
    return 1 <= int(month) <= 12 and 1 <= int(day) <= 31


def is_german_pension_number(value: str) -> bool:
    """German pension insurance: area, birthday, letter, serial, check digit (VKVV, section 4)."""
    value = _digits(value).upper()
    if not re.fullmatch(r"[0-9]{8}[A-Z][0-9]{3}", value) or not _is_day(value[4:6], value[2:4]):
        return False
    digits = value[:8] + f"{ord(value[8]) - 64:02d}" + value[9:11]
    products = (int(digit) * weight for digit, weight in zip(digits, _GERMAN_WEIGHTS, strict=True))
    return sum(product // 10 + product % 10 for product in products) % 10 == int(value[11])


def is_hungarian_personal_number(value: str) -> bool:
    """Személyi azonosító: sex and century, birthday, serial, check digit (Act LXVI of 1992, annex 1)."""
    value = _digits(value)
    if not re.fullmatch(r"[1-8][0-9]{10}", value) or not _is_day(value[3:5], value[5:7]):
        return False
    born_since_1997 = value[0] in "34" or (value[0] in "12" and value[1:3] >= "97")
    places = range(10, 0, -1) if born_since_1997 else range(1, 11)
    return sum(int(digit) * place for digit, place in zip(value, places, strict=False)) % 11 == int(value[10])


def is_hungarian_health_number(value: str) -> bool:
    """TAJ: weights 3 and 7, mod 10 (Act XX of 1996, annex)."""
    value = _digits(value)
    if not re.fullmatch(r"[0-9]{9}", value) or not value.strip("0"):
        return False
    return sum(int(digit) * (3, 7)[place % 2] for place, digit in enumerate(value[:8])) % 10 == int(value[8])


def is_hungarian_tax_number(value: str) -> bool:
    """Adóazonosító jel: 8, days since 1867, serial, weighted mod 11 (Act XX of 1996, annex)."""
    value = _digits(value)
    if not re.fullmatch(r"8[0-9]{9}", value):
        return False
    return sum(int(digit) * place for place, digit in enumerate(value[:9], start=1)) % 11 == int(value[9])


def is_luxembourg_number(value: str) -> bool:
    """Numéro d'identification: birthday, serial, a Luhn and a Verhoeff digit (regulation of 28 November 2013)."""
    value = _digits(value)
    if not re.fullmatch(r"(?:18|19|20)[0-9]{11}", value) or not _is_day(value[4:6], value[6:8]):
        return False
    return luhn.is_valid(value[:12]) and verhoeff.is_valid(value[:11] + value[12])


def is_maltese_number(value: str) -> bool:
    """Identity card: a serial of seven digits and the letter of the register; there is no check digit."""
    return re.fullmatch(r"[0-9]{3,7}[ABGHLMPZ]", _digits(value).upper()) is not None


def is_latvian_number(value: str) -> bool:
    """Personas kods: birthday, century, serial, check digit; since 2017 also 32 and nine digits without meaning."""
    value = _digits(value)
    if re.fullmatch(r"3[2-9][0-9]{9}", value):
        return True
    if not re.fullmatch(r"[0-9]{6}[0-2][0-9]{4}", value) or not _is_day(value[2:4], value[:2]):
        return False
    weights = (10, 5, 8, 4, 2, 1, 6, 3, 7, 9)
    return (1 + sum(int(d) * w for d, w in zip(value, weights, strict=False))) % 11 % 10 == int(value[10])
