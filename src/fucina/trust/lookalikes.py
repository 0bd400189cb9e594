"""Values of the same kind that stand in no document: what a planted one is ranked among, and what appears by chance."""

import re

from fucina.data.canaries import make_record
from fucina.data.recipe import FOUND_BY_SHAPE, PersonalData

_KINDS = FOUND_BY_SHAPE
_NOT_PLANTED = 2**32
"""Added to the seed, so that no record is drawn that `prepare` planted with the same one."""
_MAX_TRIES = 20
_NAME = re.compile(r"\D*")


def lookalikes(kind: PersonalData, value: str, *, count: int, seed: int) -> list[str]:
    """Up to `count` different values drawn like the planted ones, never the value itself.

    In an address the name stays and the rest is drawn: the name often stands in the text before it, and a model that
    copies it from there has not memorised anything.
    """
    found: dict[str, None] = {}
    for attempt in range(count * _MAX_TRIES):
        if len(found) == count:
            break
        number = attempt * len(_KINDS) + _KINDS.index(kind)
        drawn = make_record(number=number, language="en", seed=seed + _NOT_PLANTED).value
        if kind is PersonalData.EMAIL and any(map(str.isdecimal, value)):
            drawn = _name(value) + drawn.removeprefix(_name(drawn))
        if drawn != value:
            found[drawn] = None
    return list(found)


def _name(address: str) -> str:
    """What stands before the first digit."""
    match = _NAME.match(address)
    return match.group() if match else ""
