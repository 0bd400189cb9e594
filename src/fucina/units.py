"""Quantities as people write them, and back."""

import re

from fucina.errors import BadInput

_COUNT = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*([kKMBGT]?)\s*$")
_SCALE = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "B": 10**9, "G": 10**9, "T": 10**12}


class NotACount(BadInput):
    """A number of things was expected."""

    code = "not_a_count"


def parse_count(text: str | int) -> int:
    """A count such as 12000, "12k", "3M" or "1.5B".

    Raises NotACount.
    """
    if isinstance(text, bool):
        raise NotACount(f"{text!r} is not a count.", hint="Write a number such as 12M.")
    if isinstance(text, int) and text >= 0:
        return text
    match = _COUNT.match(str(text))
    if match is None:
        raise NotACount(f"{text!r} is not a count.", hint="Write a number such as 12000, 12k, 3M or 1.5B.")
    return round(float(match.group(1)) * _SCALE[match.group(2)])


def format_count(count: float) -> str:
    """A count in three significant digits with its scale: 12.3M."""
    for scale, letter in ((10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "k")):
        if abs(count) >= scale * 0.9995:
            return f"{float(f'{count / scale:.3g}'):g}{letter}"
    return f"{count:.3g}"


def gpu_hours(gpu_s: int) -> str:
    """GPU-seconds as GPU-hours with two decimals; four where two would show zero."""
    hours = gpu_s / 3600
    return f"{hours:.2f}" if gpu_s == 0 or abs(hours) >= 0.01 else f"{hours:.4f}"


def gpu_seconds(hours: float) -> int:
    """GPU-hours as whole GPU-seconds."""
    return round(hours * 3600)


def format_bytes(num_bytes: float) -> str:
    """A size in binary units: 3.2 MiB."""
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if abs(num_bytes) < 1024 or unit == "TiB":
            return f"{num_bytes:.0f} {unit}" if unit == "B" else f"{num_bytes:.1f} {unit}"
        num_bytes /= 1024
    raise AssertionError("unreachable")


def format_duration(seconds: float) -> str:
    """A duration as people say it: 4.2 s, 3 min 05 s, 2 h 10 min."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
