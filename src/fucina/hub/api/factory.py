"""What everybody may ask: whether the hub answers, and what its releases are verified with."""

from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Router

from fucina import __version__
from fucina.client.wire import Answer
from fucina.errors import NotVisible
from fucina.hub.registry import log
from fucina.trust.transparency import ReleaseLog

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


@router.get("/release-log", response=ReleaseLog)
def release_log(request: HttpRequest) -> ReleaseLog:
    """What was released and withdrawn, by digests, under the factory's signature."""
    return log.release_log(at=timezone.now())


@router.get("/factory-key")
def factory_key(request: HttpRequest) -> HttpResponse:
    """The public key of this factory, as PEM."""
    path = settings.FACTORY.public_key
    if not path.is_file():
        raise NotVisible("This factory has no key yet.", hint="Start it with `fucina up`.")
    return HttpResponse(path.read_bytes(), content_type="application/x-pem-file")
