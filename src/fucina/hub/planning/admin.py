"""Tables of the planning room for the operator."""

from django.contrib import admin

from fucina.hub.people.admin import ReadOnlyAdmin
from fucina.hub.planning.models import Scenario


@admin.register(Scenario)
class ScenarioAdmin(ReadOnlyAdmin):
    """Scenarios."""

    list_display = ("ref", "name", "kind", "person", "state", "created_at")
