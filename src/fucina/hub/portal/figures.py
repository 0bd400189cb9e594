"""Numbers, sizes and times as the reader's language writes them; unknown is a dash."""

import math
from datetime import UTC, datetime

from django.utils.formats import get_format, number_format
from django.utils.translation import get_language_info
from django.utils.translation import gettext as _

from fucina.units import format_bytes, format_count, format_duration, gpu_hours

DASH = "—"
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def _local(text: str) -> str:
    """A number with a decimal point as the language writes it."""
    return text.replace(".", str(get_format("DECIMAL_SEPARATOR")))


def figure(value: float | int | None) -> str:
    """A number to read: whole, or in four significant digits; the very large and small as powers of ten."""
    if value is None or not math.isfinite(value):
        return DASH
    if isinstance(value, int) or (float(value).is_integer() and abs(value) < 1e7):
        return number_format(int(value), force_grouping=True) if abs(value) < 1e15 else _power(value)
    if abs(value) >= 1e7 or abs(value) < 1e-4:
        return _power(value)
    decimals = max(0, 3 - math.floor(math.log10(abs(value))))
    text = number_format(f"{value:.{decimals}f}", force_grouping=True)
    separator = str(get_format("DECIMAL_SEPARATOR"))
    return text.rstrip("0").rstrip(separator) if separator in text else text


def _power(value: float) -> str:
    mantissa, exponent = f"{value:.2e}".split("e")
    return f"{_local(mantissa)} × 10{str(int(exponent)).translate(_SUPERSCRIPT)}"


def language_name(code: str) -> str:
    """A language as the reader calls it; a code that nobody knows stays a code."""
    if code in {"", "und"}:
        return _("no known language")
    if code == "mt":  # Django has no translation and thus no name for it
        return _("Maltese")
    try:
        return str(get_language_info(code)["name_translated"])
    except KeyError:
        return code


def percent(share: float | None) -> str:
    """A share between 0 and 1 in percent."""
    if share is None or not math.isfinite(share):
        return DASH
    value = share * 100
    return f"{number_format(value, 0 if value >= 10 or value == 0 else 1)} %"


def short_count(value: float) -> str:
    """A count for an axis: 12.3M."""
    return _local(format_count(value))


def hours(gpu_s: int | None) -> str:
    """GPU-seconds as GPU-hours, without the unit."""
    return DASH if gpu_s is None else _local(gpu_hours(gpu_s))


def size(num_bytes: float | None) -> str:
    """A size with its unit."""
    return DASH if num_bytes is None else _local(format_bytes(num_bytes))


def duration(seconds: float | None) -> str:
    """A duration with its units."""
    return DASH if seconds is None else _local(format_duration(max(0.0, seconds)))


def ago(at: datetime, *, now: datetime) -> str:
    """How long ago, roughly and in words."""
    seconds = max(0.0, (now - at).total_seconds())
    if seconds < 60:
        return _("just now")
    for limit, unit_s, template in (
        (3600, 60, _("%(n)s min ago")),
        (86400, 3600, _("%(n)s h ago")),
        (float("inf"), 86400, _("%(n)s d ago")),
    ):
        if seconds < limit:
            return template % {"n": int(seconds // unit_s)}
    raise AssertionError("unreachable")


def instant(at: datetime) -> str:
    """An instant in UTC, as an attribute."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
