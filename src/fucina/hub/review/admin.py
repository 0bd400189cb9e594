"""Tables of reviewing for the operator."""

from django.contrib import admin

from fucina.hub.people.admin import ReadOnlyAdmin
from fucina.hub.review.models import Escalation, Ranking, Reviewer


@admin.register(Reviewer)
class ReviewerAdmin(ReadOnlyAdmin):
    """Reviewers."""

    list_display = ("ref", "person", "affiliation", "max_reviews", "is_active")


@admin.register(Ranking)
class RankingAdmin(ReadOnlyAdmin):
    """Rankings."""

    list_display = ("ref", "mode", "overbooking", "made_by", "made_at", "confirmed_by", "confirmed_at")


@admin.register(Escalation)
class EscalationAdmin(ReadOnlyAdmin):
    """Applications that wait too long."""

    list_display = ("application", "due_on", "noticed_at", "seen_by")
