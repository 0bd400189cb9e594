"""Wire types of modes and calls."""

from datetime import datetime

from fucina.access.call_file import write_call
from fucina.access.modes import BRUSSELS, Mode
from fucina.client.wire_access import ModeInfo
from fucina.hub.access.calls import modes_on_offer


def mode_info(mode: Mode, *, at: datetime) -> ModeInfo:
    """A mode as it is on offer at that moment."""
    return ModeInfo(
        id=mode.id,
        name=mode.name,
        family=mode.family,
        valid_from=mode.valid_from,
        valid_until=mode.valid_until,
        is_open=mode.is_open(at),
        next_cut_off=mode.next_cut_off(at),
        working_days=mode.working_days,
        path=mode.path,
        text=write_call(mode),
    )


def mode_infos(*, at: datetime) -> list[ModeInfo]:
    """Every mode that holds, and each one that will."""
    today = at.astimezone(BRUSSELS).date()
    modes = modes_on_offer()
    later = sorted((mode for mode in modes.modes if mode.valid_from > today), key=lambda mode: mode.valid_from)
    return [mode_info(mode, at=at) for mode in (*modes.on(today).values(), *later)]
