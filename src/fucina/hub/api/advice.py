"""The adviser: plain answers in, advice out; needs no sign-in and keeps nothing."""

from django.http import HttpRequest
from django.utils import timezone
from ninja import Router

from fucina.access.adviser import Advice, advise
from fucina.access.intake import Intake
from fucina.access.places import places_of
from fucina.hub.access.calls import modes_on_offer
from fucina.hub.network.catalogue_read import standing

router = Router(tags=["access"])


@router.post("/advice", response=Advice)
def give_advice(request: HttpRequest, body: Intake) -> Advice:
    """Whether you are eligible, for what, where, at what cost and by when; the answers are not kept."""
    return advise(body, now=timezone.now(), modes=modes_on_offer(), places=places_of(standing().catalogue))
