"""All routes of the API, under `/api/v1`."""

from ninja import NinjaAPI

from fucina import __version__
from fucina.hub.api import (
    access,
    accounting,
    accounting_agent,
    advice,
    agent,
    audit,
    awards,
    data,
    dcat,
    drafts,
    factory,
    jobs,
    modes,
    network,
    planning,
    projects,
    releases,
    review,
    runs,
    sites,
)
from fucina.hub.api.doors import AgentDoor, PersonDoor, StrictParser
from fucina.hub.api.errors import handle_errors

api = NinjaAPI(title="Fucina", version=__version__, urls_namespace="api", docs_url=None, parser=StrictParser())
handle_errors(api)
_person = PersonDoor()
api.add_router("/network", network.router)
api.add_router("", factory.router)
api.add_router("", advice.router)
api.add_router("/access-modes", modes.router)
api.add_router("", access.router, auth=_person)
api.add_router("", drafts.router, auth=_person)
api.add_router("", review.router, auth=_person)
api.add_router("", awards.router, auth=_person)
api.add_router("", accounting.router, auth=_person)
api.add_router("/dcat", dcat.router)
api.add_router("/datasets", data.router, auth=_person)
api.add_router("/data-requests", data.requests_router, auth=_person)
api.add_router("/erasures", data.erasures_router, auth=_person)
api.add_router("/audit", audit.router, auth=_person)
api.add_router("/projects", projects.router, auth=_person)
api.add_router("/runs", runs.router, auth=_person)
api.add_router("/jobs", jobs.router, auth=_person)
api.add_router("/systems", jobs.systems_router, auth=_person)
api.add_router("/releases", releases.router, auth=_person)
api.add_router("/scenarios", planning.router, auth=_person)
api.add_router("/sites", sites.router, auth=_person)
api.add_router("/agent", agent.router, auth=AgentDoor())
api.add_router("/agent", accounting_agent.router, auth=AgentDoor())
