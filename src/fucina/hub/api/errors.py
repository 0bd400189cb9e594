"""The one table from kinds of error to HTTP status, and the one shape that every failure has."""

import logging
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError

from fucina.errors import (
    BadInput,
    ErrorBody,
    FactoryError,
    NotAllowed,
    NotSignedIn,
    NotVisible,
    Unavailable,
    WrongState,
)

logger = logging.getLogger(__name__)

STATUS: dict[type[FactoryError], int] = {
    NotVisible: 404,
    NotAllowed: 403,
    NotSignedIn: 401,
    WrongState: 409,
    BadInput: 422,
    Unavailable: 503,
}
"""Status by kind of error."""

BY_STATUS: dict[int, ErrorBody] = {
    400: ErrorBody(code="bad_request", message="The request cannot be read.", hint="Send valid JSON, with its length."),
    401: ErrorBody(code="not_signed_in", message="No valid session or token.", hint="Sign in, or send a bearer token."),
    403: ErrorBody(
        code="not_allowed", message="The request was refused.", hint="Send the CSRF token, or a bearer token."
    ),
    404: ErrorBody(
        code="no_such_route", message="There is no such route.", hint="The routes are in /api/v1/openapi.json."
    ),
    405: ErrorBody(
        code="wrong_method", message="The route does not know this method.", hint="Look in /api/v1/openapi.json."
    ),
    413: ErrorBody(code="too_large", message="The request is too large.", hint="Send less at once."),
}
"""What is said where only a status is known."""

INTERNAL = ErrorBody(
    code="internal", message="The hub failed; the failure is in its log.", hint="Try again, or tell the operator."
)


def status_of(error: FactoryError) -> int:
    """The status of an error; 500 for one of no known kind."""
    return next((status for kind, status in STATUS.items() if isinstance(error, kind)), 500)


def answer(body: ErrorBody, status: int) -> HttpResponse:
    """An error as it leaves the API."""
    response = HttpResponse(body.model_dump_json(), content_type="application/json", status=status)
    if status == 401:
        response["WWW-Authenticate"] = "Bearer"
    return response


def answer_for_status(status: int) -> HttpResponse:
    """The error of a status that came without one."""
    return answer(BY_STATUS.get(status, INTERNAL if status >= 500 else BY_STATUS[400]), status)


def unknown_route(_request: HttpRequest, *_arguments: str) -> HttpResponse:
    """What every address under `/api` answers that is no route."""
    return answer_for_status(404)


def _on_factory_error(_request: HttpRequest, error: Any) -> HttpResponse:
    return answer(error.body(), status_of(error))


def _on_validation_error(_request: HttpRequest, error: Any) -> HttpResponse:
    first = error.errors[0] if error.errors else {}
    where = [str(part) for part in first.get("loc", ())]
    place = ".".join(where[2:] if where[:1] == ["body"] else where[1:]) or "the request"
    more = f" {len(error.errors) - 1} more of this kind." if len(error.errors) > 1 else ""
    body = ErrorBody(
        code="bad_input",
        message=f"{place[:200]}: {first.get('msg', 'not valid')}.{more}",
        hint="The fields are described in /api/v1/openapi.json.",
    )
    return answer(body, 422)


def _on_http_error(_request: HttpRequest, error: Any) -> HttpResponse:
    if error.status_code == 400:
        body = ErrorBody(
            code="bad_input", message="The body is not the JSON that this route reads.", hint=str(error)[:200]
        )
        return answer(body, 422)
    return answer_for_status(error.status_code)


def _on_404(_request: HttpRequest, _error: Any) -> HttpResponse:
    return answer_for_status(404)


def _on_anything(request: HttpRequest, error: Any) -> HttpResponse:
    logger.error("%s %s failed", request.method, request.path, exc_info=error)
    return answer(INTERNAL, 500)


def handle_errors(api: NinjaAPI) -> None:
    """Give every failure of `api` its one shape."""
    api.add_exception_handler(FactoryError, _on_factory_error)
    api.add_exception_handler(ValidationError, _on_validation_error)
    api.add_exception_handler(HttpError, _on_http_error)
    api.add_exception_handler(Http404, _on_404)
    api.add_exception_handler(RequestDataTooBig, lambda _request, _error: answer_for_status(413))
    api.add_exception_handler(Exception, _on_anything)
