"""A download that breaks off goes on where it was."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from fucina.client.door import Door, HubUnreachable
from fucina.errors import NotVisible

CONTENT = bytes(range(256)) * 40_000


@pytest.fixture
def server():
    """Sends CONTENT, and hangs up after `cut_after` bytes of each answer."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.asked.append(self.headers.get("Range", ""))
            if self.path.endswith("/nothing"):
                body = b'{"code": "not_visible", "message": "There is none.", "hint": ""}'
                self.send_response(404)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
                return
            begin = int(self.headers["Range"][6:-1]) if self.headers.get("Range") and server.ranges else 0
            if begin >= len(CONTENT):
                self.send_response(416)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            rest = CONTENT[begin:]
            self.send_response(206 if begin else 200)
            self.send_header("Content-Length", str(len(rest)))
            self.end_headers()
            self.wfile.write(rest[: server.cut_after])
            self.wfile.flush()
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked, server.cut_after, server.ranges = [], 3_000_000, True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def door(server):
    with Door(f"http://127.0.0.1:{server.server_port}", "") as door:
        yield door


def fetch_until_whole(door, target):
    for _ in range(10):
        try:
            return door.fetch("/file", target)
        except HubUnreachable as error:
            assert not target.exists()
            assert "broke off after" in error.message
    raise AssertionError("never whole")


def test_what_came_is_kept_and_the_rest_is_asked_for(server, door, tmp_path):
    fetch_until_whole(door, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert server.asked[0] == ""
    begins = [int(asked[6:-1]) for asked in server.asked[1:]]
    assert begins == sorted(begins) and begins[0] > 1_000_000


def test_a_server_that_knows_no_ranges_sends_it_all_again(server, door, tmp_path):
    server.ranges = False
    with pytest.raises(HubUnreachable):
        door.fetch("/file", tmp_path / "file")
    server.cut_after = len(CONTENT)
    door.fetch("/file", tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_whole_part_needs_nothing_more(server, door, tmp_path):
    (tmp_path / ".file.part").write_bytes(CONTENT)
    door.fetch("/file", tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_file_that_is_not_there_leaves_nothing(server, door, tmp_path):
    with pytest.raises(NotVisible):
        door.fetch("/nothing", tmp_path / "file")
    assert not list(tmp_path.iterdir())
