"""Projects, their balance and ledger, and the organisations behind them."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from fucina.client.wire import ProjectInfo
from fucina.errors import FactoryError
from fucina.hub.accounting.models import Balance
from fucina.hub.accounting.read import LedgerRow, NewestFirst, project_sums
from fucina.hub.compute.models import Project
from fucina.hub.compute.read import find_project, project_infos, visible_run_keys
from fucina.hub.people.actions import create_organisation
from fucina.hub.portal.door import SignedIn, page, signed_in
from fucina.hub.portal.forms import OrganisationForm
from fucina.hub.portal.paging import Turn, turn_to
from fucina.hub.portal.rows import RunRow, project_rows, run_rows

NEWEST_RUNS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectsPage:
    """A page of projects."""

    projects: Sequence[ProjectInfo]
    turn: Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectPage:
    """A project with its newest runs and a page of its ledger, newest first."""

    project: Project
    balance: Balance
    runs: Sequence[RunRow]
    ledger: Sequence[LedgerRow]
    turn: Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganisationPage:
    """A new organisation."""

    form: OrganisationForm
    error: FactoryError | None = None


@require_safe
@signed_in
def index(request: SignedIn) -> HttpResponse:
    """Every project."""
    rows, turn = turn_to(request, project_rows(request.user))
    return page(
        request, "portal/projects.html", ProjectsPage(projects=project_infos(rows), turn=turn), place="projects"
    )


@require_safe
@signed_in
def show(request: SignedIn, ref: str) -> HttpResponse:
    """One project."""
    project = find_project(ref, person=request.user)
    balance, allocations = project_sums(project.organisation, project.name)
    lines, turn = turn_to(request, NewestFirst(allocations, balance_gpu_s=balance.free_gpu_s))
    context = ProjectPage(
        project=project,
        balance=balance,
        runs=run_rows(visible_run_keys(request.user).filter(project=project)[:NEWEST_RUNS]),
        ledger=lines,
        turn=turn,
    )
    return page(request, "portal/project.html", context, place="projects")


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def register_organisation(request: SignedIn) -> HttpResponse:
    """A new organisation, owned by who registers it."""
    form = OrganisationForm(request.POST if request.method == "POST" else None)
    error = None
    if request.method == "POST" and form.is_valid():
        try:
            organisation = create_organisation(
                name=form.cleaned_data["name"], country=form.cleaned_data["country"], by=request.user, at=timezone.now()
            )
        except FactoryError as refused:
            error = refused
        else:
            messages.success(request, _("%(name)s is registered. You can apply now.") % {"name": organisation.name})
            return redirect("portal:application-new")
    status = 422 if request.method == "POST" else 200
    return page(
        request,
        "portal/organisation_new.html",
        OrganisationPage(form=form, error=error),
        place="applications",
        status=status,
    )
