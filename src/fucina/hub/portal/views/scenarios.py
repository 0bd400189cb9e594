"""What-if scenarios: the list, a new one, one with its answer, several side by side."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from fucina.client.wire_planning import ScenarioDetail
from fucina.errors import BadInput, FactoryError
from fucina.hub.planning.actions import cancel_scenario, delete_scenario, save_scenario
from fucina.hub.planning.models import Scenario
from fucina.hub.planning.read import find_scenario, scenario_detail, visible_scenarios
from fucina.hub.portal.bars import BarChart
from fucina.hub.portal.door import SignedIn, page, signed_in
from fucina.hub.portal.paging import Turn, turn_to
from fucina.hub.portal.scenario_figures import FigureRow, charts, figures_of, rows
from fucina.hub.portal.scenario_form import ScenarioForm

MAX_COMPARED = 4


class BadComparison(BadInput):
    """Scenarios that cannot stand side by side."""

    code = "bad_comparison"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenariosPage:
    """A page of scenarios."""

    scenarios: Sequence[Scenario]
    turn: Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class NewScenarioPage:
    """A question that is asked."""

    form: ScenarioForm
    error: FactoryError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioPage:
    """A scenario at this moment."""

    scenario: ScenarioDetail
    is_live: bool
    command: str
    names: tuple[str, ...]
    charts: tuple[BarChart, ...]
    rows: tuple[FigureRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparePage:
    """Scenarios side by side."""

    scenarios: Sequence[Scenario]
    names: tuple[str, ...]
    charts: tuple[BarChart, ...]
    rows: tuple[FigureRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AskPage:
    """The question before something is ended or deleted."""

    scenario: Scenario


@require_safe
@signed_in
def index(request: SignedIn) -> HttpResponse:
    """Your scenarios, newest first."""
    found, turn = turn_to(request, visible_scenarios(request.user).defer("question", "result", "options"))
    return page(request, "portal/scenarios.html", ScenariosPage(scenarios=found, turn=turn), place="scenarios")


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def ask(request: SignedIn) -> HttpResponse:
    """A new scenario."""
    posted = request.method == "POST"
    form = ScenarioForm(request.POST, request.FILES) if posted else ScenarioForm()
    error = None
    if posted and form.is_valid():
        asked, trace_name = form.request()
        try:
            row = save_scenario(request=asked, trace_name=trace_name, by=request.user, at=timezone.now())
        except FactoryError as refused:
            error = refused
        else:
            return redirect("portal:scenario", ref=row.ref)
    context = NewScenarioPage(form=form, error=error)
    return page(request, "portal/scenario_new.html", context, place="scenarios", status=422 if posted else 200)


@require_safe
@signed_in
def show(request: SignedIn, ref: str) -> HttpResponse:
    """One scenario."""
    row = find_scenario(ref, person=request.user)
    names, found = (row.name,), (figures_of(row.result),)
    options = "".join(f" --{name} {value}" for name, value in row.options.items())
    context = ScenarioPage(
        scenario=scenario_detail(row),
        is_live=not row.is_over,
        command=f"fucina plan {row.kind}{options}",
        names=names,
        charts=charts(names, found),
        rows=rows(found),
    )
    return page(request, "portal/scenario.html", context, place="scenarios")


@require_safe
@signed_in
def compare(request: SignedIn) -> HttpResponse:
    """Two to four scenarios side by side; `?ref=` names each."""
    refs = list(dict.fromkeys(request.GET.getlist("ref")))
    if not 2 <= len(refs) <= MAX_COMPARED:
        raise BadComparison(
            _("%(count)s scenarios were chosen.") % {"count": len(refs)},
            hint=_("Choose two to four that have an answer."),
        )
    found = [find_scenario(ref, person=request.user) for ref in refs]
    results = [figures_of(row.result) for row in found]
    names = _distinct([row.name for row in found])
    context = ComparePage(scenarios=found, names=names, charts=charts(names, results), rows=rows(results))
    return page(request, "portal/scenarios_compare.html", context, place="scenarios")


def _distinct(names: Sequence[str]) -> tuple[str, ...]:
    """Names that can be told apart."""
    return tuple(
        f"{name} ({names[: position + 1].count(name)})" if names.count(name) > 1 else name
        for position, name in enumerate(names)
    )


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def cancel(request: SignedIn, ref: str) -> HttpResponse:
    """End a simulation, after asking once more."""
    row = find_scenario(ref, person=request.user)
    if request.method == "POST":
        cancel_scenario(scenario=row, by=request.user, at=timezone.now())
        return redirect("portal:scenario", ref=ref)
    if row.is_over:
        return redirect("portal:scenario", ref=ref)
    return page(request, "portal/scenario_cancel.html", AskPage(scenario=row), place="scenarios")


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def delete(request: SignedIn, ref: str) -> HttpResponse:
    """Delete a scenario, after asking once more."""
    row = find_scenario(ref, person=request.user)
    if request.method == "POST":
        delete_scenario(scenario=row, by=request.user, at=timezone.now())
        return redirect("portal:scenarios")
    return page(request, "portal/scenario_delete.html", AskPage(scenario=row), place="scenarios")
