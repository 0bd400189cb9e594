"""Access modes and calls."""

from django.http import HttpRequest
from django.utils import timezone
from ninja import Router

from fucina.access.modes import BRUSSELS
from fucina.client.wire_access import ModeInfo, ModesText, SavedModes
from fucina.hub.access.call_read import mode_info, mode_infos
from fucina.hub.access.calls import find_mode, save_modes
from fucina.hub.api.doors import PersonDoor, PersonRequest

router = Router(tags=["access"])


@router.get("", response=list[ModeInfo])
def modes(request: HttpRequest) -> list[ModeInfo]:
    """Access modes and calls that are on offer."""
    return mode_infos(at=timezone.now())


@router.get("/{mode_id}", response=ModeInfo)
def mode(request: HttpRequest, mode_id: str) -> ModeInfo:
    """One access mode."""
    now = timezone.now()
    return mode_info(find_mode(mode_id, day=now.astimezone(BRUSSELS).date()), at=now)


@router.post("", response=SavedModes, auth=PersonDoor())
def save(request: PersonRequest, body: ModesText) -> SavedModes:
    """Put modes or calls on offer; running applications keep theirs."""
    now = timezone.now()
    saved = save_modes(text=body.text, by=request.auth, at=now)
    return SavedModes(modes=tuple(mode_info(mode, at=now) for mode in saved))
