"""Raw bodies: read as a stream, with their length known before."""

from django.http import HttpRequest

from fucina.errors import BadInput


class LengthMissing(BadInput):
    """A raw body without its length."""

    code = "length_missing"


def content_length(request: HttpRequest) -> int:
    """Bytes that the body announces. Raises LengthMissing; a chunked body cannot be read."""
    text = request.headers.get("Content-Length", "")
    if not text.isascii() or not text.isdigit():
        raise LengthMissing("The request does not say how long its body is.", hint="Send Content-Length, not chunks.")
    return int(text)
