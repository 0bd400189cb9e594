"""Check digits and plausible ranges of personal numbers: what makes a candidate a value."""

import ipaddress
import re
from itertools import pairwise

_IBAN_LENGTHS: dict[str, int] = {
    country: length
    for length, countries in {
        15: "NO",
        16: "BE",
        18: "DK FI FO GL NL SD",
        19: "MK SI",
        20: "AT BA EE KZ LT LU XK",
        21: "CH CR HR LI LV",
        22: "BG BH DE GB GE IE ME RS VA",
        23: "AE GI IL IQ OM TL",
        24: "AD CZ ES MD PK RO SA SE SK TN VG",
        25: "LY PT ST",
        26: "IS TR",
        27: "BI DJ FR GR IT MC MR SM",
        28: "AL AZ BY CY DO GT HU LB NI PL SV",
        29: "BR EG PS QA UA",
        30: "JO KW MU YE",
        31: "MT SC",
        32: "LC",
        33: "RU",
    }.items()
    for country in countries.split()
}

_ODD_VALUES = dict(
    zip("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21,
        2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23], strict=True)
)  # fmt: skip
_OMOCODIA = str.maketrans("LMNPQRSTUV", "0123456789")
_DIGIT_PLACES = (6, 7, 9, 10, 12, 13, 14)
_MONTHS = "ABCDEHLMPRST"

_CALLING_CODES = frozenset(map(str, (
    1, 7, 20, 27, 30, 31, 32, 33, 34, 36, 39, 40, 41, 43, 44, 45, 46, 47, 48, 49, 51, 52, 53, 54, 55, 56, 57, 58,
    60, 61, 62, 63, 64, 65, 66, 81, 82, 84, 86, 90, 91, 92, 93, 94, 95, 98, 211, 212, 213, 216, 218, 220, 221, 222,
    223, 224, 225, 226, 227, 228, 229, 230, 231, 232, 233, 234, 235, 236, 237, 238, 239, 240, 241, 242, 243, 244,
    245, 246, 248, 249, 250, 251, 252, 253, 254, 255, 256, 257, 258, 260, 261, 262, 263, 264, 265, 266, 267, 268,
    269, 290, 291, 297, 298, 299, 350, 351, 352, 353, 354, 355, 356, 357, 358, 359, 370, 371, 372, 373, 374, 375,
    376, 377, 378, 379, 380, 381, 382, 383, 385, 386, 387, 389, 420, 421, 423, 500, 501, 502, 503, 504, 505, 506,
    507, 508, 509, 590, 591, 592, 593, 594, 595, 596, 597, 598, 599, 670, 672, 673, 674, 675, 676, 677, 678, 679,
    680, 681, 682, 683, 685, 686, 687, 688, 689, 690, 691, 692, 850, 852, 853, 855, 856, 880, 886, 960, 961, 962,
    963, 964, 965, 966, 967, 968, 970, 971, 972, 973, 974, 975, 976, 977, 992, 993, 994, 995, 996, 998
)))  # fmt: skip

_DATE = re.compile(r"(?:\d{1,2}([/.\- ])\d{1,2}\1(?:\d{2}|\d{4})|\d{4}([/.\-])\d{1,2}\2\d{1,2})")
_AMOUNT = re.compile(r"\d{1,3}(?:[. ]\d{3})+")
_YEARS = re.compile(r"(?:1[0-9]|20)\d\d ?[-/] ?(?:(?:1[0-9]|20)\d\d|\d\d)")
_ISBN = re.compile(r"97[89][ \-]?\d.*")

_NOT_PERSONAL = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16",
        "224.0.0.0/3",
    )
)  # fmt: skip
_GLOBAL_IPV6 = ipaddress.ip_network("2000::/3")


def iban_length(country: str) -> int:
    """Characters of an IBAN of a country; 0 where there are none."""
    return _IBAN_LENGTHS.get(country.upper(), 0)


def is_iban(value: str) -> bool:
    """Length of its country and ISO 7064 mod 97 check; separators must be gone."""
    value = value.upper()
    if len(value) != iban_length(value[:2]) or not value.isalnum() or not value.isascii():
        return False
    return int("".join(str(int(character, 36)) for character in value[4:] + value[:4])) % 97 == 1


def luhn(digits: str) -> bool:
    """The check digit of payment cards (ISO/IEC 7812-1)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def is_card(digits: str) -> bool:
    """Luhn, and a prefix and length that some issuer uses."""
    size = len(digits)
    if not 13 <= size <= 19 or not digits.isdecimal():
        return False
    two, three, four = int(digits[:2]), int(digits[:3]), int(digits[:4])
    issued = (
        (digits[0] == "4" and size in {13, 16, 19})
        or ((51 <= two <= 55 or 2221 <= four <= 2720) and size == 16)
        or (two in {34, 37} and size == 15)
        or ((300 <= three <= 305 or two in {36, 38, 39}) and size in {14, 16})
        or ((four == 6011 or two == 65 or 644 <= three <= 649 or 3528 <= four <= 3589) and size == 16)
        or ((two in {50, 62, 67} or 56 <= two <= 58 or two == 63) and 16 <= size <= 19)
    )
    return issued and luhn(digits)


def codice_fiscale_check(first_fifteen: str) -> str:
    """The check character of an Italian tax code (decree of 23 December 1976)."""
    total = 0
    for place, character in enumerate(first_fifteen.upper()):
        total += int(character, 36) % 36 - (10 if character.isalpha() else 0) if place % 2 else _ODD_VALUES[character]
    return chr(ord("A") + total % 26)


def is_codice_fiscale(value: str) -> bool:
    """Check character, month and day of an Italian tax code, letters in the place of digits (omocodia) allowed."""
    value = value.upper()
    if len(value) != 16 or not value.isascii() or not value.isalnum() or not value[:6].isalpha():
        return False
    digits = "".join(value[place].translate(_OMOCODIA) for place in _DIGIT_PLACES)
    if not digits.isdecimal() or value[8] not in _MONTHS or not value[11].isalpha():
        return False
    day = int(digits[2:4])
    return (1 <= day <= 31 or 41 <= day <= 71) and codice_fiscale_check(value[:15]) == value[15]


def is_personal_ip(value: str) -> bool:
    """An IPv4 address outside private, local and multicast ranges, or a global IPv6 address."""
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        return address in _GLOBAL_IPV6
    return not any(address in network for network in _NOT_PERSONAL)


def is_international_phone(value: str) -> bool:
    """A number with + or 00, a calling code that is assigned, and 8 to 15 digits."""
    digits = "".join(filter(str.isdecimal, value))
    if not value.startswith("+"):
        if not digits.startswith("00") or len(digits) < 11:
            return False
        digits = digits[2:]
    return 8 <= len(digits) <= 15 and any(digits[:size] in _CALLING_CODES for size in (1, 2, 3))


def is_national_phone(value: str, *, announced: bool) -> bool:
    """A number without calling code; if no "Tel." announces it, only in a shape that little else has."""
    digits = "".join(filter(str.isdecimal, value))
    if any(shape.fullmatch(value) for shape in (_DATE, _YEARS, _ISBN)):
        return False
    if announced:
        return 6 <= len(digits) <= 13 and not digits.startswith("000")
    groups = re.findall(r"\d+", value)
    if _OWN_SHAPE.fullmatch(value):
        return len(set(digits)) >= 4 and not _rises(groups)
    if _AMOUNT.fullmatch(value) or len(groups) < 2 or "." in value or len(set(digits)) < 4:
        return False
    if digits[0] == "3":
        return len(groups[0]) == 3 and digits[1] in "23456789" and 9 <= len(digits) <= 10 and max(map(len, groups)) <= 7
    return _is_area_code_shape(groups, digits)


def _rises(groups: list[str]) -> bool:
    """Whether one group counts on from the one before it, as in lists and series of dates."""
    return any(int(right) == int(left) + 1 for left, right in pairwise(groups))


_OWN_SHAPE = re.compile(r"0[1-9](?:\.[0-9]{2}){4}|06[ \-/][1-9][0-9]?[ \-/][0-9]{3}[ \-][0-9]{3,4}")
"""French pairs between points, and Hungary's trunk code with area code and number."""


def _is_area_code_shape(groups: list[str], digits: str) -> bool:
    """A trunk zero and an area code of two to five digits, then the number in groups of two or more."""
    if digits[0] != "0" or digits[1] == "0" or not 2 <= len(groups[0]) <= 5 or not 8 <= len(digits) <= 12:
        return False
    tail = groups[1:]
    pairs = len(groups[0]) == 2 and len(tail) == 4 and all(len(group) == 2 for group in tail)
    return (pairs and not _rises(groups)) or (len(tail) <= 3 and sum(map(len, tail)) >= 5 and min(map(len, tail)) >= 3)
