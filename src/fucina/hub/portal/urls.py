"""Addresses of the portal."""

from django.contrib.auth.views import LogoutView
from django.urls import path

from fucina.hub.portal.views import (
    advice,
    applications,
    guide,
    home,
    jobs,
    network,
    network_edit,
    projects,
    releases,
    runs,
    session,
    statements,
)

app_name = "portal"

urlpatterns = [
    path("", home.show, name="home"),
    path("advice", advice.show, name="advice"),
    path("sign-in", session.SignIn.as_view(), name="sign-in"),
    path("sign-out", LogoutView.as_view(next_page="portal:sign-in"), name="sign-out"),
    path("enter/<str:secret>", session.enter, name="enter"),
    path("language", session.choose_language, name="language"),
    path("projects", projects.index, name="projects"),
    path("projects/<str:ref>", projects.show, name="project"),
    path("projects/<str:ref>/statement", statements.show, name="statement"),
    path("projects/<str:ref>/statement.csv", statements.table, name="statement-csv"),
    path("projects/<str:ref>/statement.pdf", statements.document, name="statement-pdf"),
    path("organisations/new", projects.register_organisation, name="organisation-new"),
    path("applications", applications.index, name="applications"),
    path("applications/new", applications.apply, name="application-new"),
    path("applications/<str:ref>", applications.show, name="application"),
    path("applications/<str:ref>/decide", applications.decide, name="application-decide"),
    path("applications/<str:ref>/withdraw", applications.withdraw, name="application-withdraw"),
    path("desk", applications.desk, name="desk"),
    path("runs", runs.index, name="runs"),
    path("runs/<str:ref>", runs.show, name="run"),
    path("runs/<str:ref>/cancel", runs.cancel, name="run-cancel"),
    path("jobs", jobs.index, name="jobs"),
    path("jobs/<str:ref>", jobs.show, name="job"),
    path("jobs/<str:ref>/cancel", jobs.cancel, name="job-cancel"),
    path("releases", releases.index, name="releases"),
    path("releases/<str:ref>", releases.show, name="release"),
    path("network", network.overview, name="network"),
    path("network/systems", network.systems, name="network-systems"),
    path("network/services", network.services, name="network-services"),
    path("network/programmes", network.programmes, name="network-programmes"),
    path("network/<str:kind>/<str:key>", network.show, name="network-record"),
    path("network/<str:kind>/<str:key>/edit", network_edit.edit, name="network-edit"),
    path("help", guide.help_page, name="help"),
    path("patterns", guide.patterns, name="patterns"),
]
