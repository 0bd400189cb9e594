"""What a site's accounting says. Every call may be repeated."""

from django.utils import timezone
from ninja import Router

from fucina.client.wire_accounting import UsageAnswer, UsagePage, UsageRequest
from fucina.hub.accounting.read import site_usage
from fucina.hub.api.doors import AgentRequest
from fucina.hub.compute.usage import take_usage

router = Router(tags=["agent"])


@router.post("/usage", response=UsageAnswer)
def usage(request: AgentRequest, body: UsageRequest) -> UsageAnswer:
    """Usage of the site's jobs: the first record of a job settles it, a later one corrects it."""
    receipt = take_usage(agent=request.auth, records=body.records, at=timezone.now())
    return UsageAnswer.model_validate(receipt.model_dump())


@router.get("/usage", response=UsagePage)
def known_usage(request: AgentRequest, month: str, after: str = "") -> UsagePage:
    """What the hub charged for the site's jobs in a month, a page of it; to compare with the site's accounting."""
    return site_usage(request.auth.site, month=month, after=after)
