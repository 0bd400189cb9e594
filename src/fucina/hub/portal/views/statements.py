"""A project's account of one month, and how long its time will last."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.http import HttpResponse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from fucina.accounting.forecast import Forecast, Warned
from fucina.accounting.statement import Statement, statement_csv
from fucina.accounting.statement_pdf import MAX_JOBS, statement_pdf
from fucina.client.wire import ProjectInfo
from fucina.hub.accounting.statements import ALL, month_of, project_forecast, statement
from fucina.hub.compute.models import Project
from fucina.hub.compute.read import find_project, project_info
from fucina.hub.portal import figures
from fucina.hub.portal.door import SignedIn, page, signed_in

SHOWN_JOBS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementPage:
    """A month of a project, and what is likely to come."""

    project: ProjectInfo
    statement: Statement
    month_at: datetime
    previous: str
    next: str
    """Empty where the next month has not begun."""
    num_left_out: int
    forecast: Forecast
    per_day_gpu_s: int
    warnings: tuple[str, ...]


@require_safe
@signed_in
def show(request: SignedIn, ref: str) -> HttpResponse:
    """The month that the address names, or the one that runs."""
    project = find_project(ref, person=request.user)
    now = timezone.now()
    made = _statement(project, request, now=now, max_jobs=SHOWN_JOBS)
    begins_at, ends_at = month_of(made.month)
    foretold = project_forecast(organisation=project.organisation, name=project.name, now=now)
    context = StatementPage(
        project=project_info(project),
        statement=made,
        month_at=begins_at,
        previous=f"{begins_at - timedelta(days=1):%Y-%m}",
        next=f"{ends_at:%Y-%m}" if ends_at <= now else "",
        num_left_out=made.num_jobs - len(made.jobs),
        forecast=foretold,
        per_day_gpu_s=round(foretold.gpu_s_per_day),
        warnings=tuple(warning_words(warned, foretold) for warned in foretold.warnings),
    )
    return page(request, "portal/statement.html", context, place="projects")


@require_safe
@signed_in
def table(request: SignedIn, ref: str) -> HttpResponse:
    """Every job of the month as CSV."""
    project = find_project(ref, person=request.user)
    made = _statement(project, request, now=timezone.now(), max_jobs=ALL)
    return _file(statement_csv(made).encode("utf-8"), "text/csv; charset=utf-8", f"{ref}-{made.month}.csv")


@require_safe
@signed_in
def document(request: SignedIn, ref: str) -> HttpResponse:
    """The statement as PDF."""
    project = find_project(ref, person=request.user)
    made = _statement(project, request, now=timezone.now(), max_jobs=MAX_JOBS)
    return _file(statement_pdf(made), "application/pdf", f"{ref}-{made.month}.pdf")


def _statement(project: Project, request: SignedIn, *, now: datetime, max_jobs: int) -> Statement:
    return statement(
        organisation=project.organisation,
        name=project.name,
        ref=project.ref,
        month=request.GET.get("month") or f"{now.astimezone(UTC):%Y-%m}",
        now=now,
        max_jobs=max_jobs,
    )


def _file(content: bytes, kind: str, name: str) -> HttpResponse:
    response = HttpResponse(content, content_type=kind)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def warning_words(warned: Warned, foretold: Forecast) -> str:
    """A warning in the reader's language; one that is not known here in its own words."""
    if warned.code == "overdrawn":
        return _("%(hours)s GPU-hours more were used than granted.") % {"hours": figures.hours(-foretold.free_gpu_s)}
    if warned.code == "runs_out":
        return _("At this pace the time is used up around %(day)s.") % {"day": _day(foretold.runs_out_at)}
    if warned.code == "may_run_out":
        return _("The time may be used up as early as %(day)s.") % {"day": _day(foretold.runs_out_early_at)}
    if warned.code == "ended":
        return _("The grant ended on %(day)s.") % {"day": _day(foretold.ends_at)}
    if warned.code == "under_use":
        return _("Much of the period is over and little of the time is used; what is left ends with the grant.")
    return warned.message


def _day(at: datetime | None) -> str:
    return figures.DASH if at is None else date_format(at.astimezone(UTC), "j M Y")
