"""Moves that need nothing but a reason."""

from datetime import datetime

from fucina.access.moves import MoveName
from fucina.errors import BadInput
from fucina.hub.access.models import Application
from fucina.hub.access.moving import move_application
from fucina.hub.people.models import Person

ELSEWHERE = {
    MoveName.SUBMIT: "Submit it as a draft.",
    MoveName.GRANT: "Decide on it, with the GPU-hours that are granted.",
    MoveName.REJECT: "Decide on it.",
}
"""Moves that come with more than a reason, and where they are made."""


class UnknownMove(BadInput):
    """No move of that name, or one that is made another way."""

    code = "unknown_move"


def move_by_name(
    *, application: Application, name: str, reason: str, version: int | None, by: Person, at: datetime
) -> Application:
    """Make a move that somebody named. Raises UnknownMove and what `move_application` raises."""
    plain = [move.value for move in MoveName if move not in ELSEWHERE]
    if name in ELSEWHERE:
        raise UnknownMove(f"{name} needs more than a reason.", hint=ELSEWHERE[MoveName(name)])
    if name not in plain:
        raise UnknownMove(f"There is no move {name[:40]!r}.", hint=f"There are: {', '.join(plain)}.")
    return move_application(application=application, name=MoveName(name), by=by, at=at, reason=reason, version=version)
