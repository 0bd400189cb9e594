"""Fetching from a real server of this machine, over HTTP and as S3-compatible storage."""

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest
from typer.testing import CliRunner

from fucina.cli.main import app
from fucina.data.card import read_card
from fucina.data.fetch import BadList, Limits, fetch_all, read_list
from fucina.data.recipe_file import BadRecipe, load_recipe
from fucina.data.storage import BadEndpoint, open_s3

PAGE = b"<html><body><p>A page.</p></body></html>"
LONG = bytes(range(256)) * 4000


class _Server(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    pages: ClassVar[dict[str, tuple[int, dict[str, str], bytes]]] = {}
    asked: ClassVar[list[str]] = []
    cut: ClassVar[set[str]] = set()

    def _answer(self) -> None:
        status, headers, body = self.pages.get(self.path, (404, {}, b"nothing"))
        begun = self.headers.get("Range", "bytes=0-").removeprefix("bytes=").split("-")
        size = len(body)
        if status == 200 and "Range" in self.headers:
            first, last = int(begun[0]), int(begun[1] or size - 1)
            status, body = 206, body[first : last + 1]
            headers = {**headers, "Content-Range": f"bytes {first}-{last}/{size}"}
        self.asked.append(f"{self.path} {self.headers.get('Range', '')}".strip())
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if self.path in self.cut and "Range" not in self.headers:
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            self.close_connection = True
        else:
            self.wfile.write(body)

    do_GET = do_HEAD = _answer

    def log_message(self, *_: object) -> None:
        """Silence."""


@pytest.fixture
def server():
    _Server.pages, _Server.asked, _Server.cut = {}, [], set()
    with ThreadingHTTPServer(("127.0.0.1", 0), _Server) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def _list(tmp_path, *lines):
    path = tmp_path / "list.txt"
    path.write_text("# addresses\n\n" + "\n".join(lines) + "\n")
    return read_list(path)


def _fetch(tmp_path, addresses, *, s3=None, max_bytes=1 << 30):
    found = []
    fetch_all(
        addresses,
        folder=tmp_path / "out",
        limits=Limits(max_bytes=max_bytes, timeout_s=10),
        s3=s3 or (lambda: None),
        report=found.append,
    )
    return found


def _html(body=PAGE, **headers):
    return 200, {"Content-Type": "text/html; charset=utf-8", **headers}, body


def test_files_are_kept_with_their_digest_and_an_extension(server, tmp_path):
    _Server.pages = {"/a": _html(), "/b%20c.pdf?x=1": (200, {}, b"%PDF")}

    first, second = _fetch(tmp_path, _list(tmp_path, f"{server}/a", f"{server}/b%20c.pdf?x=1"))

    assert (tmp_path / "out" / first.file).read_bytes() == PAGE
    assert first.file.endswith("-a.html") and second.file.endswith("-b-c.pdf")
    assert first.sha256 == hashlib.sha256(PAGE).hexdigest()
    lines = (tmp_path / "out" / "fetched.jsonl").read_text().splitlines()
    assert [json.loads(line)["url"] for line in lines] == [f"{server}/a", f"{server}/b%20c.pdf?x=1"]


def test_what_is_there_is_not_fetched_again(server, tmp_path):
    _Server.pages = {"/a": _html()}
    addresses = _list(tmp_path, f"{server}/a", f"{server}/missing")
    before = _fetch(tmp_path, addresses)
    _Server.asked.clear()
    with (tmp_path / "out" / "fetched.jsonl").open("a") as manifest:
        manifest.write('{"url": "cut off')

    assert _fetch(tmp_path, addresses) == before
    assert "/a" not in _Server.asked
    assert before[1].refused == "http-404"


def test_a_file_goes_on_where_it_was_cut(server, tmp_path):
    _Server.pages, _Server.cut = {"/long.txt": (200, {"ETag": '"1"'}, LONG)}, {"/long.txt"}
    addresses = _list(tmp_path, f"{server}/long.txt {hashlib.sha256(LONG).hexdigest()}")

    (cut,) = _fetch(tmp_path, addresses)
    (whole,) = _fetch(tmp_path, addresses)

    assert cut.refused.startswith("network: ")
    assert (tmp_path / "out" / whole.file).read_bytes() == LONG
    assert any(asked.startswith("/long.txt bytes=") for asked in _Server.asked)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [whole.file, "fetched.jsonl"]


def test_robots_and_reservations_are_respected(server, tmp_path):
    _Server.pages = {
        "/robots.txt": (200, {}, b"User-agent: fucina\nDisallow: /private\n\nUser-agent: *\nDisallow: /other"),
        "/.well-known/tdmrep.json": (
            200,
            {},
            b'[{"location": "/tdm/*", "tdm-reservation": 1}, {"location": "/free", "tdm-reservation": 0}]',
        ),
        "/private/a": _html(),
        "/tdm/a": _html(),
        "/noai": _html(**{"X-Robots-Tag": "noai"}),
        "/reserved": _html(**{"TDM-Reservation": "1"}),
        "/free": _html(),
        "/other/a": _html(),
        "/hop": (302, {"Location": "/private/a"}, b""),
    }
    paths = ["/private/a", "/tdm/a", "/noai", "/reserved", "/free", "/other/a", "/hop"]

    found = _fetch(tmp_path, _list(tmp_path, *(server + path for path in paths)))

    refused = ["robots.txt", "opted-out", "opted-out", "opted-out", "", "", "robots.txt"]
    assert [each.refused for each in found] == refused
    assert not {"/private/a", "/tdm/a"} & set(_Server.asked)
    assert _Server.asked.count("/robots.txt") == 1


def test_a_server_that_fails_to_give_its_rules_forbids_all(server, tmp_path):
    _Server.pages = {"/robots.txt": (503, {}, b""), "/a": _html()}

    assert [each.refused for each in _fetch(tmp_path, _list(tmp_path, f"{server}/a"))] == ["robots.txt"]


def test_what_is_refused(server, tmp_path):
    _Server.pages = {
        "/big": _html(b"x" * 2000),
        "/other": _html(),
        "/loop": (302, {"Location": "/loop"}, b""),
        "/file": (302, {"Location": "file:///etc/passwd"}, b""),
    }
    lines = [f"{server}/big", f"{server}/other {'0' * 64}", f"{server}/loop", f"{server}/file", "http://127.0.0.1:9/x"]

    found = _fetch(tmp_path, _list(tmp_path, *lines), max_bytes=1000)

    assert [each.refused.split(":")[0] for each in found[:3]] == ["too-large", "wrong-digest", "too-many-redirects"]
    assert found[3].refused and found[4].refused
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["fetched.jsonl"]


@pytest.mark.parametrize(
    "line",
    [
        "file:///etc/passwd",
        "ftp://host/x",
        "https://",
        "nothing",
        "https://h/x short",
        "https://u:p@h/x",
        "https://h/x a b",
        "http://[::1",
    ],
)
def test_a_bad_line_is_refused_with_its_number(tmp_path, line):
    with pytest.raises(BadList, match="Line 3 of list.txt") as error:
        _list(tmp_path, line)

    assert "https://" in error.value.hint


def test_an_empty_or_missing_list_is_refused(tmp_path):
    with pytest.raises(BadList, match="0 addresses"):
        _list(tmp_path)
    with pytest.raises(BadList, match="cannot be read"):
        read_list(tmp_path / "none.txt")


def test_objects_come_from_storage(server, tmp_path):
    _Server.pages = {"/bucket/a/b.txt": (200, {}, LONG)}
    addresses = _list(tmp_path, "s3://bucket/a/b.txt", "s3://bucket/missing.txt")

    found = _fetch(tmp_path, addresses, s3=lambda: open_s3(endpoint=server, region="x", anonymous=True))

    assert (tmp_path / "out" / found[0].file).read_bytes() == LONG
    assert found[0].file.endswith("-b.txt")
    assert found[1].refused.startswith("storage: ")


@pytest.mark.parametrize("endpoint", ["host:9000", "ftp://host", "https://", "https://host/bucket"])
def test_a_bad_endpoint_is_refused(endpoint):
    with pytest.raises(BadEndpoint):
        open_s3(endpoint=endpoint, region="", anonymous=True)


def test_the_command(server, tmp_path):
    _Server.pages = {"/a": _html()}
    _list(tmp_path, f"{server}/a", f"{server}/b")
    command = ["data", "fetch", str(tmp_path / "list.txt"), str(tmp_path / "out")]

    text = CliRunner().invoke(app, command)
    answer = CliRunner().invoke(app, [*command, "--format", "json"])
    bad = CliRunner().invoke(app, ["data", "fetch", str(tmp_path / "none.txt"), str(tmp_path / "out")])

    assert text.exit_code == 0 and "1 files kept" in text.output
    assert json.loads(answer.stdout) == {"kept": 1, "refused": {"http-404": 1}}
    assert bad.exit_code == 2


def test_prepare_fetches_the_lists_that_its_recipe_names(server, tmp_path, monkeypatch, italian):
    rows = "".join(json.dumps({"id": f"w{n}", "text": text}) + "\n" for n, text in enumerate(italian[:5])).encode()
    kept = "".join(json.dumps({"id": f"s{n}", "text": text}) + "\n" for n, text in enumerate(italian[5:9])).encode()
    _Server.pages = {
        "/web.jsonl": (200, {}, rows),
        "/bucket/stored.jsonl": (200, {}, kept),
        "/robots.txt": (404, {}, b""),
    }
    (tmp_path / "web.txt").write_text(f"{server}/web.jsonl\n{server}/gone.jsonl\n", encoding="utf-8")
    (tmp_path / "stored.txt").write_text("s3://bucket/stored.jsonl\n", encoding="utf-8")
    recipe = tmp_path / "recipe.yaml"
    s3 = f"{{endpoint: '{server}', region: eu-west-1, anonymous: true}}"
    recipe.write_text(
        "sources:\n- {addresses: web.txt, licence: CC-BY-4.0}\n"
        f"- {{addresses: stored.txt, licence: CC0-1.0, s3: {s3}}}\n"
        "vocabulary_size: 400\nnum_canaries: 0\n"
    )

    done = CliRunner().invoke(app, ["data", "prepare", str(recipe), "--out", str(tmp_path / "out"), "--threads", "1"])

    assert done.exit_code == 0, done.output
    assert "web.txt: 1 files fetched; refused: http-404 1." in done.output
    card = read_card(tmp_path / "out")
    assert {source.origin for source in card.sources} == {f"{server}/web.jsonl", "s3://bucket/stored.jsonl"}
    assert sum(tally.num_documents for tally in card.licences.values()) == 9


@pytest.mark.parametrize(
    ("source", "match"),
    [
        ("{licence: CC0-1.0}", "either a path or addresses"),
        ("{path: a.txt, addresses: b.txt, licence: CC0-1.0}", "either a path or addresses"),
        ("{addresses: list.txt, licence: CC0-1.0}", "no network"),
    ],
)
def test_a_source_is_a_path_or_a_list(tmp_path, source, match):
    (tmp_path / "list.txt").write_text("https://example.org/a.txt\n")
    (tmp_path / "recipe.yaml").write_text(f"sources: [{source}]\n")

    with pytest.raises(BadRecipe, match=match):
        load_recipe(tmp_path / "recipe.yaml")
