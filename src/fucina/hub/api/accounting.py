"""Statements, forecasts, refunds, and the usage of a site."""

from django.http import HttpResponse
from django.utils import timezone
from ninja import Router

from fucina.accounting.statement import Statement, statement_csv
from fucina.accounting.statement_pdf import MAX_JOBS, statement_pdf
from fucina.client.wire_accounting import (
    AccountRequest,
    AllocationInfo,
    ForecastAnswer,
    RefundDecision,
    RefundInfo,
    RefundRequest,
    StatementAnswer,
    UsagePage,
)
from fucina.errors import NotAllowed, NotVisible
from fucina.hub.accounting import actions, read
from fucina.hub.accounting.models import Allocation
from fucina.hub.accounting.statements import ALL, project_forecast, statement
from fucina.hub.api.doors import PersonRequest
from fucina.hub.compute.read import find_project
from fucina.hub.compute.usage import place_again
from fucina.hub.network.models import Site
from fucina.hub.people.models import Person
from fucina.hub.people.visible import get_visible

router = Router(tags=["accounting"])

MAX_LISTED = 10_000
"""Jobs of a statement that is asked for as JSON; all of them are in the CSV."""


def _statement(ref: str, month: str, person: Person, max_jobs: int) -> Statement:
    project = find_project(ref, person=person)
    return statement(
        organisation=project.organisation,
        name=project.name,
        ref=project.ref,
        month=month,
        now=timezone.now(),
        max_jobs=max_jobs,
    )


@router.get("/projects/{ref}/statement", response=StatementAnswer)
def project_statement(request: PersonRequest, ref: str, month: str) -> StatementAnswer:
    """A project's account of one month, such as 2026-11."""
    return StatementAnswer.model_validate(_statement(ref, month, request.auth, MAX_LISTED).model_dump())


@router.get("/projects/{ref}/statement.csv")
def project_statement_csv(request: PersonRequest, ref: str, month: str) -> HttpResponse:
    """The jobs of the month as a table."""
    made = _statement(ref, month, request.auth, ALL)
    return attachment(statement_csv(made).encode("utf-8"), "text/csv; charset=utf-8", f"{ref}-{month}.csv")


@router.get("/projects/{ref}/statement.pdf")
def project_statement_pdf(request: PersonRequest, ref: str, month: str) -> HttpResponse:
    """The statement as a document."""
    made = _statement(ref, month, request.auth, MAX_JOBS)
    return attachment(statement_pdf(made), "application/pdf", f"{ref}-{month}.pdf")


def attachment(content: bytes, kind: str, name: str) -> HttpResponse:
    """A file to keep."""
    response = HttpResponse(content, content_type=kind)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


@router.get("/projects/{ref}/forecast", response=ForecastAnswer)
def forecast(request: PersonRequest, ref: str) -> ForecastAnswer:
    """When the project's time will be used up."""
    project = find_project(ref, person=request.auth)
    made = project_forecast(organisation=project.organisation, name=project.name, now=timezone.now())
    return ForecastAnswer.model_validate(made.model_dump())


@router.get("/projects/{ref}/allocations", response=list[AllocationInfo])
def allocations(request: PersonRequest, ref: str) -> list[AllocationInfo]:
    """Where the project has time."""
    project = find_project(ref, person=request.auth)
    rows = Allocation.objects.of_project(project.organisation, project.name)
    return [read.allocation_info(row) for row in rows.select_related("grant__organisation", "site", "partition")]


@router.get("/refunds", response=list[RefundInfo])
def refunds(request: PersonRequest) -> list[RefundInfo]:
    """Time lost to sites: of your organisations; staff sees all."""
    return [read.refund_info(row) for row in read.refund_rows(request.auth)[:1000]]


@router.post("/refunds/{ref}/decision", response=RefundInfo)
def decide_refund(request: PersonRequest, ref: str, body: RefundDecision) -> RefundInfo:
    """Grant or reject a proposed refund (staff)."""
    row = get_visible(read.refund_rows(request.auth), ref)
    made = actions.decide_refund(proposal=row, granted=body.granted, by=request.auth, at=timezone.now())
    return read.refund_info(made)


@router.post("/allocations/{ref}/refund", response=AllocationInfo)
def refund(request: PersonRequest, ref: str, body: RefundRequest) -> AllocationInfo:
    """Give back what a job used (staff)."""
    row = read.find_allocation(ref, person=request.auth)
    actions.check_outsider(row, by=request.auth)
    actions.refund(
        allocation=row, job_key=body.job, gpu_s=body.gpu_s, reason=body.reason, by=request.auth, at=timezone.now()
    )
    return read.allocation_info(row)


@router.post("/allocations/{ref}/expire", response=AllocationInfo)
def expire(request: PersonRequest, ref: str) -> AllocationInfo:
    """Take back what is free (staff)."""
    row = read.find_allocation(ref, person=request.auth)
    actions.check_outsider(row, by=request.auth)
    actions.expire(allocation=row, by=request.auth, at=timezone.now())
    return read.allocation_info(row)


@router.post("/allocations/{ref}/account", response=AllocationInfo)
def account(request: PersonRequest, ref: str, body: AccountRequest) -> AllocationInfo:
    """Name the account that the site's scheduler charges (staff); usage that waited for it is charged."""
    row = read.find_allocation(ref, person=request.auth)
    actions.check_outsider(row, by=request.auth)
    at = timezone.now()
    actions.set_slurm_account(allocation=row, account=body.slurm_account, by=request.auth, at=at)
    place_again(site=row.site, by=request.auth, at=at)
    return read.allocation_info(read.find_allocation(ref, person=request.auth))


@router.get("/sites/{name}/usage", response=UsagePage)
def site_usage(request: PersonRequest, name: str, month: str, after: str = "") -> UsagePage:
    """What the hub charged for a site's jobs in a month (staff)."""
    if not request.auth.is_staff:
        raise NotAllowed("Only staff reads the usage of a site.", hint="Run the command with the site's agent token.")
    site = Site.objects.filter(name=name).first() if "\0" not in name + after else None
    if site is None:
        raise NotVisible(f"There is no site {name!r}.", hint="Look at the sites in the network file.")
    return read.site_usage(site, month=month, after=after)
