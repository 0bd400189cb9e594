"""What every page has in common: a person is signed in, an error becomes a page, a context is typed."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from fucina.errors import BadInput, FactoryError, NotAllowed, NotVisible, Unavailable, WrongState
from fucina.hub.people.models import Person

_STATUS: tuple[tuple[type[FactoryError], int], ...] = (
    (NotAllowed, 403),
    (WrongState, 409),
    (BadInput, 422),
    (Unavailable, 503),
)


class SignedIn(HttpRequest):
    """A request of a person."""

    user: Person


def public(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """For everybody; say an error of the factory in words, and what is not visible as 404."""

    @wraps(view)
    def inner(request: HttpRequest, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, **kwargs)
        except NotVisible as error:
            raise Http404 from error
        except FactoryError as error:
            status = next((number for kind, number in _STATUS if isinstance(error, kind)), 500)
            return render(request, "portal/error.html", {"error": error}, status=status)

    return inner


def signed_in(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Ask for sign-in first, then as `public`."""
    return login_required(public(view))


def page(request: HttpRequest, template: str, context: object, *, place: str = "", status: int = 200) -> HttpResponse:
    """Render a page from its one typed context, which templates know as `page`; `place` is lit in the menu."""
    return render(request, template, {"page": context, "place": place}, status=status)
