"""How long applications wait, in working days; a clock shows and escalates, it never decides."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import NamedTuple

from django.db import transaction

from fucina.access.modes import BRUSSELS, Mode
from fucina.access.moves import EVALUATED
from fucina.access.working_days import due_on, working_days_between
from fucina.hub.access.models import Application
from fucina.hub.access.moving import mode_of
from fucina.hub.people.actions import Rule, record
from fucina.hub.people.models import Person
from fucina.hub.review.models import Escalation
from fucina.hub.review.pool import check_officer

CLOCK = Rule("clock")


class Clock(NamedTuple):
    """The promise made to an applicant."""

    due_on: date | None
    """None where the mode promises nothing."""
    days_left: int
    """Working days; negative when it is late."""

    @property
    def is_late(self) -> bool:
        """Whether the promised day is over."""
        return self.due_on is not None and self.days_left < 0


def clock_of(mode: Mode, *, submitted_at: datetime, at: datetime) -> Clock:
    """When the decision is due, and how far that is."""
    if mode.working_days is None:
        return Clock(None, 0)
    start = submitted_at
    if mode.clock_starts == "cut-off":
        cut_off = mode.next_cut_off(submitted_at)
        if cut_off is None:
            return Clock(None, 0)
        start = cut_off
    due = due_on(start, mode.working_days)
    today = at.astimezone(BRUSSELS).date()
    left = -working_days_between(due, today) if today > due else working_days_between(today, due)
    return Clock(due, left if left or today <= due else -1)


def clocks(applications: Iterable[Application], *, at: datetime) -> dict[int, Clock]:
    """Clocks by application; their modes must have been read."""
    modes: dict[int, Mode] = {}
    found = {}
    for row in applications:
        if row.submitted_at is not None:
            mode = modes.setdefault(row.access_mode_id, mode_of(row))
            found[row.pk] = clock_of(mode, submitted_at=row.submitted_at, at=at)
    return found


@transaction.atomic
def escalate_late(*, at: datetime) -> list[Escalation]:
    """Note every application that is late, once for each promised day; officers see it on their desk."""
    rows = Application.objects.filter(state__in=sorted(EVALUATED)).select_related("access_mode", "organisation")
    waiting = {row.pk: row for row in rows}
    known = set(Escalation.objects.filter(application__in=waiting).values_list("application_id", "due_on"))
    made = []
    for key, clock in clocks(waiting.values(), at=at).items():
        if clock.is_late and clock.due_on is not None and (key, clock.due_on) not in known:
            made.append(Escalation.objects.create(application=waiting[key], due_on=clock.due_on, noticed_at=at))
            late = {"due_on": str(clock.due_on), "working_days_late": -clock.days_left}
            record(CLOCK, "review.escalate", waiting[key], at=at, data=late)
    return made


@transaction.atomic
def mark_seen(*, escalation: Escalation, by: Person, at: datetime) -> None:
    """Say that an officer has taken it up. Raises NotAnOfficer."""
    check_officer(by, "take up what is late")
    row = Escalation.objects.select_for_update(of=("self",)).select_related("application").get(pk=escalation.pk)
    if row.seen_at is None:
        row.seen_by, row.seen_at = by, at
        row.save(update_fields=["seen_by", "seen_at"])
        record(by, "review.take_up", row.application, at=at, data={"due_on": str(row.due_on)})
