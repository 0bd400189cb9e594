"""What-if scenarios."""

from django.utils import timezone
from ninja import Router, Status

from fucina.client.wire_planning import ScenarioDetail, ScenarioInfo, ScenarioRequest
from fucina.hub.api.doors import PersonRequest
from fucina.hub.planning import actions, read

router = Router(tags=["planning"])


@router.get("", response=list[ScenarioInfo])
def scenarios(request: PersonRequest) -> list[ScenarioInfo]:
    """Your what-if scenarios, newest first."""
    return read.scenarios(request.auth)


@router.post("", response=ScenarioInfo)
def keep(request: PersonRequest, body: ScenarioRequest) -> ScenarioInfo:
    """Save a question, which the hub then simulates, or one with its answer."""
    return ScenarioInfo.model_validate(actions.save_scenario(request=body, by=request.auth, at=timezone.now()))


@router.get("/{ref}", response=ScenarioDetail)
def scenario(request: PersonRequest, ref: str) -> ScenarioDetail:
    """One scenario with its question and its answer."""
    return read.scenario_detail(read.find_scenario(ref, person=request.auth))


@router.post("/{ref}/cancel", response=ScenarioInfo)
def cancel(request: PersonRequest, ref: str) -> ScenarioInfo:
    """End a simulation that waits or runs."""
    row = read.find_scenario(ref, person=request.auth)
    return ScenarioInfo.model_validate(actions.cancel_scenario(scenario=row, by=request.auth, at=timezone.now()))


@router.delete("/{ref}", response={204: None})
def drop(request: PersonRequest, ref: str) -> Status:
    """Delete a scenario that is over."""
    row = read.find_scenario(ref, person=request.auth)
    actions.delete_scenario(scenario=row, by=request.auth, at=timezone.now())
    return Status(204, None)
