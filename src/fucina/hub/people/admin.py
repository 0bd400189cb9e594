"""Tables of people for the operator; what only grows is shown and not edited."""

from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from fucina.hub.people.models import ApiToken, AuditRecord, Membership, Organisation, Person


class ReadOnlyAdmin(admin.ModelAdmin[Any]):
    """Rows that actions write."""

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Never."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Never."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Never."""
        return False


@admin.register(Person)
class PersonAdmin(admin.ModelAdmin[Person]):
    """People; passwords are set by command."""

    list_display = ("username", "name", "is_staff", "is_active")
    fields = ("username", "name", "language", "is_staff", "is_active", "is_superuser")
    search_fields = ("username", "name")


@admin.register(Organisation)
class OrganisationAdmin(ReadOnlyAdmin):
    """Organisations."""

    list_display = ("name", "country", "ref", "created_at")
    search_fields = ("name", "ref")


@admin.register(Membership)
class MembershipAdmin(admin.ModelAdmin[Membership]):
    """Who belongs where."""

    list_display = ("organisation", "person", "role")


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnlyAdmin):
    """Tokens, without their secrets."""

    list_display = ("name", "scope", "person", "created_at", "expires_at", "last_used_at")
    exclude = ("sha256",)


@admin.register(AuditRecord)
class AuditRecordAdmin(ReadOnlyAdmin):
    """The audit trail."""

    list_display = ("at", "who", "action", "object_kind", "object_ref")
    list_filter = ("action",)
    search_fields = ("who", "object_ref")
