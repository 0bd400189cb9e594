"""The way of an application, as data: its states, the moves between them, and who may make which.

A mode's path says which steps its applications take; a move that passes a step leads to the next one on that path.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from fucina.access.modes import Step
from fucina.errors import NotAllowed, WrongState


class ApplicationState(StrEnum):
    """Where an application stands."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    """Waits for the administrative check, or for the first step of a path without one."""
    RETURNED = "returned"
    """Something is missing; the applicant completes it and submits again."""
    ASSESSMENT = "assessment"
    REVIEW = "review"
    REPLY = "reply"
    """The applicant may answer what the reviewers wrote."""
    PANEL = "panel"
    DECIDING = "deciding"
    GRANTED = "granted"
    REJECTED = "rejected"
    APPEALED = "appealed"
    WITHDRAWN = "withdrawn"


class Role(StrEnum):
    """As what somebody makes a move."""

    APPLICANT = "applicant"
    """A member of the organisation, or a co-applicant who accepted."""
    OFFICER = "officer"
    """Staff who neither belong to an organisation that applies nor apply themselves."""
    RULE = "rule"
    """The access mode itself, where it decides automatically."""


class MoveName(StrEnum):
    """Every move."""

    SUBMIT = "submit"
    RETURN = "return"
    CHECKED = "checked"
    ASSESSED = "assessed"
    CLOSE_REVIEW = "close-review"
    REPLY = "reply"
    CLOSE_REPLY = "close-reply"
    RANK = "rank"
    GRANT = "grant"
    REJECT = "reject"
    WITHDRAW = "withdraw"
    APPEAL = "appeal"
    UPHOLD = "uphold"
    DISMISS = "dismiss"


class WrongMove(WrongState):
    """The application is not where this move begins."""

    code = "wrong_move"


class AlreadyDecided(WrongState):
    """The application has its decision."""

    code = "already_decided"


class NotYourMove(NotAllowed):
    """The move is another role's."""

    code = "not_your_move"


class ReasonMissing(WrongState):
    """A move that somebody else has to live with is given a reason."""

    code = "reason_missing"


S = ApplicationState
AT_STEP: dict[Step, ApplicationState] = {
    Step.ADMIN_CHECK: S.SUBMITTED,
    Step.TECHNICAL_ASSESSMENT: S.ASSESSMENT,
    Step.PEER_REVIEW: S.REVIEW,
    Step.RIGHT_TO_REPLY: S.REPLY,
    Step.PANEL: S.PANEL,
    Step.DECISION: S.DECIDING,
}
"""In which state an application is while it waits for that step."""

EVALUATED = frozenset({S.SUBMITTED, S.ASSESSMENT, S.REVIEW, S.REPLY, S.PANEL, S.DECIDING})
"""Somebody at the access desk has it."""
OPEN = EVALUATED | {S.RETURNED}
"""Waits for its decision; a project has one such application at a time."""
EDITABLE = frozenset({S.DRAFT, S.RETURNED})
FINAL = frozenset({S.GRANTED, S.REJECTED, S.WITHDRAWN})
"""No decision is waited for. Only a rejection can still move, by an appeal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One kind of move."""

    name: MoveName
    before: frozenset[ApplicationState]
    after: ApplicationState | None
    """None leads to the next step on the mode's path."""
    roles: frozenset[Role]
    wants_reason: bool = False


def _move(
    name: MoveName,
    before: ApplicationState | frozenset[ApplicationState],
    after: ApplicationState | None,
    *roles: Role,
    wants_reason: bool = False,
) -> Move:
    states = before if isinstance(before, frozenset) else frozenset({before})
    return Move(name=name, before=states, after=after, roles=frozenset(roles), wants_reason=wants_reason)


_A, _O, _R = Role.APPLICANT, Role.OFFICER, Role.RULE
MOVES: dict[MoveName, Move] = {
    move.name: move
    for move in (
        _move(MoveName.SUBMIT, EDITABLE, S.SUBMITTED, _A),
        _move(MoveName.RETURN, S.SUBMITTED, S.RETURNED, _O, wants_reason=True),
        _move(MoveName.CHECKED, S.SUBMITTED, None, _O, _R),
        _move(MoveName.ASSESSED, S.ASSESSMENT, None, _O),
        _move(MoveName.CLOSE_REVIEW, S.REVIEW, None, _O),
        _move(MoveName.REPLY, S.REPLY, None, _A, wants_reason=True),
        _move(MoveName.CLOSE_REPLY, S.REPLY, None, _O),
        _move(MoveName.RANK, S.PANEL, None, _O),
        _move(MoveName.GRANT, S.DECIDING, S.GRANTED, _O, _R, wants_reason=True),
        _move(MoveName.REJECT, EVALUATED, S.REJECTED, _O, wants_reason=True),
        _move(MoveName.WITHDRAW, OPEN | {S.DRAFT}, S.WITHDRAWN, _A),
        _move(MoveName.APPEAL, S.REJECTED, S.APPEALED, _A, wants_reason=True),
        _move(MoveName.UPHOLD, S.APPEALED, S.DECIDING, _O, wants_reason=True),
        _move(MoveName.DISMISS, S.APPEALED, S.REJECTED, _O, wants_reason=True),
    )
}

ALONE = {S.SUBMITTED: MoveName.CHECKED, S.ASSESSMENT: MoveName.ASSESSED}
"""Steps that one officer passes without anybody else, so that a decision may include them."""


def next_state(state: ApplicationState, path: Sequence[Step]) -> ApplicationState:
    """The state at the first step of the path after the one that `state` waits for."""
    order = list(AT_STEP.values())
    later = [AT_STEP[step] for step in path if order.index(AT_STEP[step]) > order.index(state)]
    return later[0] if later else S.DECIDING


def target(name: MoveName, state: ApplicationState, path: Sequence[Step]) -> ApplicationState:
    """Where the move leads. Raises AlreadyDecided or WrongMove when it does not begin at `state`."""
    move = MOVES[name]
    if state in move.before:
        return move.after or next_state(state, path)
    if state in FINAL:
        aim = f"become {move.after}" if move.after else f"be moved by {name}"
        raise AlreadyDecided(
            f"The application is {state} and cannot {aim}.",
            hint="A decision is final; apply again if things changed.",
        )
    raise WrongMove(
        f"{name} is not possible while the application is {state}; it is possible when it is "
        f"{' or '.join(sorted(move.before))}.",
        hint=f"Possible now: {', '.join(moves_from(state)) or 'nothing'}.",
    )


def moves_from(state: ApplicationState, roles: Iterable[Role] = tuple(Role)) -> tuple[MoveName, ...]:
    """The moves that begin at `state` and that one of the roles may make."""
    known = frozenset(roles)
    return tuple(move.name for move in MOVES.values() if state in move.before and move.roles & known)


def check_move(
    name: MoveName, *, state: ApplicationState, path: Sequence[Step], roles: Iterable[Role], reason: str
) -> ApplicationState:
    """Where the move leads. Raises NotYourMove, AlreadyDecided, WrongMove, ReasonMissing."""
    move = MOVES[name]
    known = frozenset(roles)
    if not move.roles & known:
        you = " and ".join(sorted(known)) or "neither"
        raise NotYourMove(
            f"{name} is a move of {' or '.join(sorted(move.roles))}; you are {you}.",
            hint="Ask somebody who may.",
        )
    after = target(name, state, path)
    if move.wants_reason and len(reason.strip()) < 3:
        raise ReasonMissing(f"{name} needs a reason; {len(reason.strip())} characters were given.", hint="Say why.")
    return after
