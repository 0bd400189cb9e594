"""Files from a position on."""

import pytest
from django.test import RequestFactory

from fucina.hub.api.files import answer_file


@pytest.fixture
def path(tmp_path):
    (tmp_path / "x").write_bytes(b"0123456789")
    return tmp_path / "x"


def answer(path, asked=""):
    headers = {"Range": asked} if asked else {}
    return answer_file(RequestFactory().get("/", headers=headers), path, filename="x")


@pytest.mark.parametrize(
    ("asked", "status", "body"),
    [
        ("", 200, b"0123456789"),
        ("bytes=0-", 206, b"0123456789"),
        ("bytes=4-", 206, b"456789"),
        ("bytes=9-", 206, b"9"),
        ("bytes=2-5", 200, b"0123456789"),  # only what is needed to go on; anything else gets the whole
        ("bytes=-3", 200, b"0123456789"),
        ("lines=1-", 200, b"0123456789"),
        ("bytes=1-,3-", 200, b"0123456789"),
    ],
)
def test_what_is_asked_for(path, asked, status, body):
    response = answer(path, asked)
    content = b"".join(response.streaming_content)
    response.close()
    assert (response.status_code, content) == (status, body)
    assert int(response["Content-Length"]) == len(body)


@pytest.mark.parametrize("asked", ["bytes=10-", "bytes=999999999999999999-"])
def test_beyond_the_end(path, asked):
    response = answer(path, asked)
    assert response.status_code == 416
    assert response["Content-Range"] == "bytes */10"
