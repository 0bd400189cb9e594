"""What everybody may ask: whether the hub answers, and what its releases are verified with."""

from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse
from ninja import Router

from fucina import __version__
from fucina.client.wire import Answer
from fucina.errors import NotVisible

router = Router(tags=["factory"])


class Health(Answer):
    """The hub answers and reaches its database."""

    status: str
    version: str


@router.get("/health", response=Health)
def health(request: HttpRequest) -> Health:
    """Whether the hub answers and reaches its database."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return Health(status="ok", version=__version__)


@router.get("/factory-key")
def factory_key(request: HttpRequest) -> HttpResponse:
    """The public key of this factory, as PEM."""
    path = settings.FACTORY.public_key
    if not path.is_file():
        raise NotVisible("This factory has no key yet.", hint="Start it with `fucina up`.")
    return HttpResponse(path.read_bytes(), content_type="application/x-pem-file")
