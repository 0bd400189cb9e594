"""Files as answers: whole, or from a position on, so that a transfer that broke off can go on."""

import re
from pathlib import Path

from django.http import FileResponse, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

_FROM = re.compile(r"^bytes=(\d{1,18})-$")


def answer_file(request: HttpRequest, path: Path, *, filename: str) -> HttpResponseBase:
    """The file as an attachment; with `Range: bytes=N-` what comes after N bytes."""
    size = path.stat().st_size
    asked = _FROM.match(request.headers.get("Range", ""))
    begin = int(asked.group(1)) if asked else 0
    if asked and begin >= size:
        return HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}"})
    file = path.open("rb")
    file.seek(begin)
    response = FileResponse(
        file,
        as_attachment=True,
        filename=filename,
        content_type="application/octet-stream",
        status=206 if asked else 200,
    )
    response["Accept-Ranges"] = "bytes"
    response["Content-Length"] = str(size - begin)
    if asked:
        response["Content-Range"] = f"bytes {begin}-{size - 1}/{size}"
    return response
