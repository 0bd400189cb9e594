"""The adviser of a hub."""

from fucina.access.adviser import Advice
from fucina.access.intake import Intake
from fucina.client.door import Door


class AdviceCalls(Door):
    """The adviser of a hub."""

    def advise(self, intake: Intake) -> Advice:
        """Who may apply, for what, where and by when; needs no sign-in."""
        return self.post(Advice, "/advice", intake)
