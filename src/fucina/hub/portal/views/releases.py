"""Releases: the list, and one release with its evidence."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.http import HttpResponse
from django.utils.functional import Promise
from django.views.decorators.http import require_safe

from fucina.client.wire import ReleaseInfo
from fucina.hub.portal.door import SignedIn, page, signed_in
from fucina.hub.portal.facts import FactGroup, fact_groups, metric_name
from fucina.hub.portal.paging import Turn, turn_to
from fucina.hub.registry.models import Release
from fucina.hub.registry.read import find_release, release_info, visible_releases
from fucina.hub.trust.read import dossier, evaluation
from fucina.trust.recipe import Dossier, DossierItem, EvaluationResults, GateResult, Metric, Standing

DOSSIER_PDF = "dossier/dossier.pdf"
REPORT = "evaluation/report.html"
PROVENANCE = "provenance.intoto.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasesPage:
    """A page of releases."""

    releases: Sequence[Release]
    turn: Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredRow:
    """A measured number and the gate that it had to pass, if any."""

    name: str | Promise
    metric: Metric
    gate: GateResult | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasePage:
    """A release with its evidence."""

    release: ReleaseInfo
    organisation: str
    evaluation: EvaluationResults | None
    measured: tuple[MeasuredRow, ...]
    gates_alone: tuple[tuple[str | Promise, GateResult], ...]
    """Gates on numbers that the evaluation does not list."""
    dossier: Dossier | None
    questions: tuple[DossierItem, ...]
    covered: tuple[DossierItem, ...]
    facts: tuple[FactGroup, ...]
    report: str
    """Path of the evaluation's page in the bundle; empty when there is none."""
    dossier_pdf: str
    """Path in the bundle; empty when there is none."""
    provenance_sha256: str
    num_bytes: int
    verify_command: str


@require_safe
@signed_in
def index(request: SignedIn) -> HttpResponse:
    """Every release, newest first."""
    rows, turn = turn_to(request, visible_releases(request.user).defer("files", "job__spec", "job__input", "run__spec"))
    return page(request, "portal/releases.html", ReleasesPage(releases=rows, turn=turn), place="releases")


@require_safe
@signed_in
def show(request: SignedIn, ref: str) -> HttpResponse:
    """One release."""
    row = find_release(ref, person=request.user)
    context = release_page(
        release_info(row),
        organisation=row.model.project.organisation.name,
        results=evaluation(row),
        papers=dossier(row),
    )
    return page(request, "portal/release.html", context, place="releases")


def release_page(
    release: ReleaseInfo, *, organisation: str, results: EvaluationResults | None, papers: Dossier | None
) -> ReleasePage:
    """Everything that the page of a release shows."""
    gates = {gate.metric: gate for gate in results.gates} if results else {}
    metrics = results.metrics if results else ()
    names = {metric.name for metric in metrics}
    by_path = {file.path: file for file in release.files}
    items = papers.items if papers else ()
    return ReleasePage(
        release=release,
        organisation=organisation,
        evaluation=results,
        measured=tuple(
            MeasuredRow(name=metric_name(metric.name), metric=metric, gate=gates.get(metric.name)) for metric in metrics
        ),
        gates_alone=tuple((metric_name(name), gate) for name, gate in gates.items() if name not in names),
        dossier=papers,
        questions=tuple(item for item in items if item.standing is Standing.OPEN),
        covered=tuple(item for item in items if item.standing is not Standing.OPEN),
        facts=fact_groups(papers.facts) if papers else (),
        report=REPORT if REPORT in by_path else "",
        dossier_pdf=DOSSIER_PDF if DOSSIER_PDF in by_path else "",
        provenance_sha256=by_path[PROVENANCE].sha256 if PROVENANCE in by_path else "",
        num_bytes=sum(file.num_bytes for file in release.files),
        verify_command=f"fucina verify {release.model}-v{release.version} --key factory.pub",
    )
