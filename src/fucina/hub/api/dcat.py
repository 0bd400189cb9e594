"""The catalogue of data for harvesters: DCAT-AP 3.0.1, public, in pages, with conditional requests."""

import json

import rdflib
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from ninja import Router

from fucina.errors import BadInput
from fucina.hub.data import harvest

router = Router(tags=["data"])
FORMS = {
    "jsonld": ("application/ld+json", ""),
    "ttl": ("text/turtle", "turtle"),
    "rdf": ("application/rdf+xml", "xml"),
}
"""Media type and the name that rdflib has for it."""


class UnknownForm(BadInput):
    """The catalogue is not written in this form."""

    code = "unknown_form"


@router.get("")
def catalogue(request: HttpRequest, page: int = 1, form: str = "") -> HttpResponse:
    """A page of the public catalogue as JSON-LD, or as Turtle or RDF/XML by `form` or the Accept header."""
    chosen = _form(request, form)
    media_type, name = FORMS[chosen]
    url = f"{settings.FACTORY.url}/api/v1/dcat"
    found = harvest.edition(f"{url} {page} {chosen}")
    tag = f'"{found.stamp}"'
    headers = {"ETag": tag, "Vary": "Accept", "Cache-Control": "public, max-age=60, must-revalidate"}
    if _is_known(request, tag):
        return HttpResponse(status=304, headers=headers)
    data = json.dumps(
        harvest.harvest(number=page, url=url, portal=settings.FACTORY.url, found=found), ensure_ascii=False
    )
    if name:
        data = rdflib.Graph().parse(data=data, format="json-ld").serialize(format=name)
    return HttpResponse(data, content_type=f"{media_type}; charset=utf-8", headers=headers)


def _form(request: HttpRequest, form: str) -> str:
    """By name, or the first of the Accept header that is known. Raises UnknownForm."""
    if form:
        if form not in FORMS:
            raise UnknownForm(f"The catalogue is not written as {form[:40]!r}.", hint=f"Forms: {', '.join(FORMS)}.")
        return form
    for part in request.headers.get("Accept", "").split(","):
        wanted = part.split(";")[0].strip().lower()
        for known, (media_type, _) in FORMS.items():
            if wanted == media_type:
                return known
    return "jsonld"


def _is_known(request: HttpRequest, tag: str) -> bool:
    """Whether the asker has this state already. There is no date to ask by: what leaves a catalogue has none."""
    asked = request.headers.get("If-None-Match", "")
    tags = {part.strip().removeprefix("W/") for part in asked.split(",")}
    return tag in tags or "*" in tags
