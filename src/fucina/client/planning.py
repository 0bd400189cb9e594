"""What-if scenarios that a person keeps at the hub."""

from urllib.parse import quote

from fucina.client.door import Door
from fucina.client.wire_planning import ScenarioDetail, ScenarioInfo, ScenarioRequest


class PlanningCalls(Door):
    """What-if scenarios that a person keeps at the hub."""

    def scenarios(self) -> list[ScenarioInfo]:
        """Your scenarios, newest first."""
        return self.list(ScenarioInfo, "/scenarios")

    def scenario(self, ref: str) -> ScenarioDetail:
        """One with its question and answer."""
        return self.get(ScenarioDetail, f"/scenarios/{quote(ref, safe='')}")

    def keep_scenario(self, request: ScenarioRequest) -> ScenarioInfo:
        """Save a question, which the hub then simulates, or one with its answer."""
        return self.post(ScenarioInfo, "/scenarios", request)

    def cancel_scenario(self, ref: str) -> ScenarioInfo:
        """End a simulation that waits or runs."""
        return self.post(ScenarioInfo, f"/scenarios/{quote(ref, safe='')}/cancel")

    def drop_scenario(self, ref: str) -> None:
        """Delete a scenario that is over."""
        self.call("DELETE", f"/scenarios/{quote(ref, safe='')}")
