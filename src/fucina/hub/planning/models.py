"""What-if scenarios of people."""

from functools import partial

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.utils.translation import gettext_lazy as _

from fucina.client.wire_planning import OVER, ScenarioKind, ScenarioState
from fucina.hub.people.models import Person
from fucina.hub.people.reference import new_ref


class ScenarioQuerySet(models.QuerySet["Scenario"]):
    """Scenarios."""

    def visible_to(self, person: Person) -> "ScenarioQuerySet":
        """A person's own."""
        return self.filter(person=person)


class Scenario(models.Model):
    """A what-if question and its answer."""

    ref = models.CharField(max_length=32, unique=True, default=partial(new_ref, "scn"), editable=False)
    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="scenarios")
    name = models.CharField(max_length=80)
    kind = models.CharField(max_length=20, choices=[(kind.value, kind.value) for kind in ScenarioKind])
    question = models.TextField(blank=True)
    options = models.JSONField(default=dict)
    trace_name = models.CharField(max_length=200, blank=True)
    """The trace lies in the hub's folder under the reference."""
    state = models.CharField(max_length=20, choices=[(state.value, state.value) for state in ScenarioState])
    done = models.PositiveBigIntegerField(default=0)
    total = models.PositiveBigIntegerField(default=0)
    cancel_asked = models.BooleanField(default=False)
    result = models.JSONField(null=True, encoder=DjangoJSONEncoder)
    problem = models.JSONField(null=True)
    """An `ErrorBody`."""
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    heard_at = models.DateTimeField(null=True)
    """When the worker that simulates it was last alive."""
    ended_at = models.DateTimeField(null=True)

    objects = ScenarioQuerySet.as_manager()

    class Meta:
        verbose_name = _("scenario")
        verbose_name_plural = _("scenarios")
        indexes = [
            models.Index(fields=["person", "-created_at"], name="scenario_of_person"),
            models.Index(fields=["state", "created_at"], name="scenario_waiting"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen to it."""
        return ScenarioState(self.state) in OVER
