"""Wire types built from scenarios."""

from fucina.client.wire_planning import ScenarioDetail, ScenarioInfo
from fucina.hub.people.models import Person
from fucina.hub.people.visible import get_visible
from fucina.hub.planning.models import Scenario, ScenarioQuerySet


def visible_scenarios(person: Person) -> ScenarioQuerySet:
    """Rows that this person may see, newest first."""
    return Scenario.objects.visible_to(person).order_by("-created_at", "-pk")


def scenarios(person: Person) -> list[ScenarioInfo]:
    """Every scenario of this person, newest first."""
    rows = visible_scenarios(person).defer("question", "result", "options")
    return [ScenarioInfo.model_validate(row) for row in rows]


def find_scenario(ref: str, *, person: Person) -> Scenario:
    """One scenario. Raises NotVisible."""
    return get_visible(visible_scenarios(person), ref)


def scenario_detail(row: Scenario) -> ScenarioDetail:
    """A scenario with its question and answer."""
    return ScenarioDetail.model_validate(row)
