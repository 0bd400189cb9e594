"""Tables of the network for the operator."""

from django.contrib import admin

from fucina.hub.network.models import Agent, CatalogueEdition, CatalogueEntry, Site, SiteAccount
from fucina.hub.people.admin import ReadOnlyAdmin


@admin.register(Site)
class SiteAdmin(ReadOnlyAdmin):
    """Sites."""

    list_display = ("name", "title", "executor", "owner", "draining", "registered_at")


@admin.register(Agent)
class AgentAdmin(ReadOnlyAdmin):
    """Agents."""

    list_display = ("site", "version", "last_seen_at")


@admin.register(SiteAccount)
class SiteAccountAdmin(ReadOnlyAdmin):
    """Whom people's jobs run as."""

    list_display = ("site", "person", "unix_user", "set_at")


@admin.register(CatalogueEdition)
class CatalogueEditionAdmin(ReadOnlyAdmin):
    """Editions of the catalogue."""

    list_display = ("version", "loaded_at")


@admin.register(CatalogueEntry)
class CatalogueEntryAdmin(ReadOnlyAdmin):
    """Records of the catalogue; staff change them in the portal."""

    list_display = ("kind", "key", "withdrawn")
