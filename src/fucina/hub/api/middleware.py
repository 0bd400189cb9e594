"""What every answer of the hub goes through."""

from collections.abc import Callable
from urllib.parse import unquote_to_bytes

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from fucina.errors import ErrorBody
from fucina.hub.api.errors import answer, answer_for_status

GetResponse = Callable[[HttpRequest], HttpResponseBase]

POLICY = (
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'; "
    "img-src 'self' data:; script-src 'self'; style-src 'self'"
)
"""Only what the hub itself serves; no inline script or style."""

NUL = ErrorBody(code="bad_input", message="The address has a NUL character.", hint="Check the reference.")


def content_security_policy(get_response: GetResponse) -> GetResponse:
    """Say on every answer what a page may load."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        response.headers.setdefault("Content-Security-Policy", POLICY)
        return response

    return middleware


def one_error_shape(get_response: GetResponse) -> GetResponse:
    """Under `/api`, turn what Django itself refuses (a wrong method, host or size) into the API's shape."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        if not request.path.startswith("/api/"):
            return get_response(request)
        if b"\0" in unquote_to_bytes(request.get_full_path()):
            return answer(NUL, 422)
        response = get_response(request)
        is_json = response.headers.get("Content-Type", "").startswith("application/json")
        if response.status_code < 400 or is_json or not isinstance(response, HttpResponse):
            return response
        return answer_for_status(response.status_code)

    return middleware
