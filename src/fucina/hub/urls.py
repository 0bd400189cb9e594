"""Every address of the hub: the API, the portal, the tables for the operator."""

from django.contrib import admin
from django.urls import include, path, re_path

from fucina.hub.api.errors import unknown_route
from fucina.hub.api.routes import api

urlpatterns = [
    path("api/v1/", api.urls),
    re_path(r"^api(/|$)", unknown_route),
    path("admin/", admin.site.urls),
    path("", include("fucina.hub.portal.urls")),
]
