"""What a person can do through the API: one mixin a room, one method a route."""

from fucina.client.access import AccessCalls
from fucina.client.accounting import AccountingCalls
from fucina.client.advice import AdviceCalls
from fucina.client.audit import AuditCalls
from fucina.client.awards import AwardCalls
from fucina.client.data import DataCalls
from fucina.client.drafts import DraftCalls
from fucina.client.jobs import JobCalls
from fucina.client.network import NetworkCalls
from fucina.client.planning import PlanningCalls
from fucina.client.releases import ReleaseCalls
from fucina.client.review import ReviewCalls
from fucina.client.runs import RunCalls
from fucina.client.sites import SiteCalls
from fucina.errors import FactoryError


class Hub(
    AccessCalls,
    AccountingCalls,
    AdviceCalls,
    AuditCalls,
    AwardCalls,
    DataCalls,
    DraftCalls,
    JobCalls,
    NetworkCalls,
    PlanningCalls,
    ReleaseCalls,
    ReviewCalls,
    RunCalls,
    SiteCalls,
):
    """What a person can do through the API."""

    def health(self) -> bool:
        """Whether a hub answers here."""
        try:
            self.call("GET", "/health", timeout=2.0)
        except FactoryError:
            return False
        return True
