"""Modes and calls on offer: those shipped, and what officers saved over them."""

from datetime import date, datetime

from django.db import transaction

from fucina.access.call_file import merge, read_call
from fucina.access.modes import BRUSSELS, Mode, ModesFile, check_mode, shipped_modes
from fucina.access.places import shipped_places
from fucina.errors import NotVisible
from fucina.hub.access.actions import keep_mode
from fucina.hub.access.models import AccessMode
from fucina.hub.access.moving import NotAnOfficer
from fucina.hub.network.models import Partition
from fucina.hub.people.actions import record
from fucina.hub.people.models import Person


def modes_on_offer() -> ModesFile:
    """The shipped modes with those of officers, of which the newest revision of a day counts."""
    rows = AccessMode.objects.filter(is_call=True).order_by("name", "valid_from", "revision")
    newest = {(row.name, row.valid_from): row for row in rows}
    if not newest:
        return shipped_modes()
    lists: dict[str, dict[str, object]] = {"sources": {}, "countries": {}}
    for row in rows:
        for name, values in row.lists.items():
            lists[name].update(values)
    return merge(shipped_modes(), tuple(Mode.model_validate(row.wire) for row in newest.values()), lists)


def find_mode(mode_id: str, *, day: date) -> Mode:
    """The mode as it holds on that day, or the next time it does. Raises NotVisible."""
    modes = modes_on_offer()
    later = sorted((mode for mode in modes.modes if mode.id == mode_id), key=lambda mode: mode.valid_from)
    found = modes.on(day).get(mode_id) or (later[-1] if later else None)
    if found is None:
        raise NotVisible(f"There is no access mode {mode_id[:80]!r}.", hint=f"There are: {', '.join(modes.on(day))}.")
    return found


@transaction.atomic
def save_modes(*, text: str, by: Person, at: datetime) -> tuple[Mode, ...]:
    """Put modes or calls on offer; who applies from now on applies in them. Raises NotAnOfficer, BadMode."""
    if not by.is_staff:
        raise NotAnOfficer("Only access officers change modes and calls.", hint="Tell an officer what is wrong.")
    call = read_call(text, known=modes_on_offer())
    partitions = {
        *(place.id for place in shipped_places().partitions),
        *Partition.objects.values_list("name", flat=True),
    }
    for mode in call.modes:
        check_mode(mode, modes=call.merged, partitions=partitions, today=at.astimezone(BRUSSELS).date())
    for mode in call.modes:
        row = keep_mode(mode)
        row.lists, row.is_call, row.saved_by, row.saved_at = call.lists, True, by, at
        row.save(update_fields=["lists", "is_call", "saved_by", "saved_at"])
        record(by, "access.save_mode", row, at=at, data={"mode": mode.id, "valid_from": str(mode.valid_from)})
    return call.modes
