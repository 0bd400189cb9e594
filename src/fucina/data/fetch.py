"""Documents from a list of addresses to a folder, with digests: what `prepare`, which has no network, reads later."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

import httpx
from pyarrow import fs
from pydantic import BaseModel, ConfigDict

from fucina.data.html import value_reserves
from fucina.data.optout import RESERVED, USER_AGENT, Permissions
from fucina.data.sources import digest_file, guess_format
from fucina.errors import BadInput

MANIFEST = "fetched.jsonl"
MAX_ADDRESSES = 1_000_000
_MAX_REDIRECTS = 5
_PIECE_BYTES = 1 << 20
_MEDIA = {
    "text/html": ".html",
    "application/xhtml+xml": ".html",
    "text/plain": ".txt",
    "text/markdown": ".md",
    "text/csv": ".csv",
    "application/pdf": ".pdf",
    "application/json": ".jsonl",
    "application/x-ndjson": ".jsonl",
    "application/zip": ".zip",
}


class BadList(BadInput):
    """A list of addresses that cannot be read."""

    code = "bad_address_list"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """One line of a list."""

    url: str
    sha256: str = ""
    """What the file must be; empty takes what comes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What became of an address."""

    url: str
    file: str = ""
    """In the folder; empty when nothing was kept."""
    sha256: str = ""
    num_bytes: int = 0
    refused: str = ""
    """Why nothing was kept."""


class Summary(BaseModel):
    """What became of a list."""

    model_config = ConfigDict(frozen=True)

    kept: int
    refused: dict[str, int]
    """Addresses by reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one run may take."""

    max_bytes: int = 4 << 30
    """Of one file."""
    timeout_s: float = 60.0


def read_list(path: Path) -> tuple[Address, ...]:
    """An address a line, then, if known, the SHA-256 of the file; `#` begins a comment line.

    Raises BadList.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadList(
            f"The list {path.name} cannot be read.", hint="Give a text file with one address a line."
        ) from error
    found: dict[str, Address] = {}
    for number, line in enumerate(lines, start=1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        url, sha256 = words[0], words[1].lower() if len(words) == 2 else ""
        if len(words) > 2 or (len(words) == 2 and not re.fullmatch(r"[0-9a-f]{64}", sha256)) or not _is_address(url):
            raise BadList(
                f"Line {number} of {path.name} is not an address with an optional SHA-256: {line.strip()[:80]!r}.",
                hint="Write https://…, http://… or s3://bucket/key, then a blank and 64 hexadecimal digits if known.",
            )
        found[url] = Address(url=url, sha256=sha256)
    if not 1 <= len(found) <= MAX_ADDRESSES:
        raise BadList(f"{path.name} has {len(found)} addresses.", hint=f"Give 1 to {MAX_ADDRESSES}.")
    return tuple(found.values())


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https", "s3"} and bool(parts.hostname) and not parts.password and "\0" not in url


def fetch_all(
    addresses: tuple[Address, ...],
    *,
    folder: Path,
    limits: Limits,
    s3: Callable[[], fs.FileSystem],
    report: Callable[[Fetched], None],
    transport: httpx.BaseTransport | None = None,
) -> Summary:
    """Fetch what the manifest in `folder` does not have yet; a file cut off by an interruption goes on where it was."""
    folder.mkdir(parents=True, exist_ok=True)
    done = _done(folder)
    counts: Counter[str] = Counter()
    storage: fs.FileSystem | None = None
    headers = {"User-Agent": f"{USER_AGENT}/1", "Accept-Encoding": "identity"}
    with (
        httpx.Client(headers=headers, timeout=limits.timeout_s, transport=transport) as client,
        (folder / MANIFEST).open("a", encoding="utf-8") as manifest,
    ):
        permissions = Permissions(ask=lambda url: _ask(client, url))
        for address in addresses:
            fetched = done.get(address.url)
            if fetched is None or (address.sha256 and fetched.sha256 != address.sha256):
                if address.url.startswith("s3://"):
                    storage = storage or s3()
                    fetched = _from_storage(storage, address, folder=folder, limits=limits)
                else:
                    fetched = _from_server(client, permissions, address, folder=folder, limits=limits)
                manifest.write(json.dumps({key: getattr(fetched, key) for key in Fetched.__slots__}) + "\n")
                manifest.flush()
            counts[fetched.refused] += 1
            report(fetched)
    return Summary(kept=counts.pop("", 0), refused=dict(sorted(counts.items())))


def fetched_files(folder: Path) -> dict[str, str]:
    """The address of each file that lies in a folder of fetched documents."""
    return {fetched.file: url for url, fetched in _done(folder).items()}


def _done(folder: Path) -> dict[str, Fetched]:
    """What former runs kept and is still there; refusals are tried again."""
    found: dict[str, Fetched] = {}
    manifest = folder / MANIFEST
    for line in manifest.read_text(encoding="utf-8").splitlines() if manifest.exists() else ():
        try:
            fetched = Fetched(**json.loads(line))
        except (ValueError, TypeError):
            # The line that an interruption cut.
            continue
        path = folder / PurePosixPath(fetched.file).name
        if fetched.file and path.is_file() and path.stat().st_size == fetched.num_bytes:
            found[fetched.url] = fetched
    return found


def _ask(client: httpx.Client, url: str) -> httpx.Response | None:
    try:
        return client.get(url, follow_redirects=True)
    except httpx.HTTPError:
        return None


def _from_server(
    client: httpx.Client, permissions: Permissions, address: Address, *, folder: Path, limits: Limits
) -> Fetched:
    part = folder / f".{hashlib.sha256(address.url.encode()).hexdigest()[:24]}.part"
    url = address.url
    try:
        for _ in range(_MAX_REDIRECTS + 1):
            refusal = permissions.refusal(url)
            if refusal:
                return Fetched(url=address.url, refused=refusal)
            begun, headers = _rest_of(part)
            with client.stream("GET", url, headers=headers) as answer:
                if answer.is_redirect and answer.next_request is not None:
                    url = str(answer.next_request.url)
                    if not _is_address(url):
                        return Fetched(url=address.url, refused="redirected-elsewhere")
                    continue
                return _keep(answer, address, part=part, begun=begun, folder=folder, limits=limits)
    except httpx.HTTPError as error:
        return Fetched(url=address.url, refused=f"network: {type(error).__name__}")
    return Fetched(url=address.url, refused="too-many-redirects")


def _rest_of(part: Path) -> tuple[int, dict[str, str]]:
    """How far a former attempt came, and how to ask for the rest of the same file only."""
    tag = part.with_suffix(".etag")
    if not part.exists() or not tag.exists():
        return 0, {}
    begun = part.stat().st_size
    return begun, {"Range": f"bytes={begun}-", "If-Range": tag.read_text(encoding="utf-8")} if begun else {}


def _keep(answer: httpx.Response, address: Address, *, part: Path, begun: int, folder: Path, limits: Limits) -> Fetched:
    if answer.status_code == 416:
        # The rest of a file that is no longer as long: from the beginning next time.
        part.unlink(missing_ok=True)
    if answer.status_code not in (200, 206):
        return Fetched(url=address.url, refused=f"http-{answer.status_code}")
    for name in ("x-robots-tag", "tdm-reservation"):
        if value_reserves(name, answer.headers.get(name, "")):
            return Fetched(url=address.url, refused=RESERVED)
    goes_on = answer.status_code == 206 and answer.headers.get("content-range", "").startswith(f"bytes {begun}-")
    tag = answer.headers.get("etag", "")
    if tag and not tag.startswith("W/"):
        part.with_suffix(".etag").write_text(tag, encoding="utf-8")
    with part.open("ab" if goes_on else "wb") as file:
        refused = _copy(answer.iter_bytes(), file, limits=limits)
    media = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    return _finish(address, part=part, folder=folder, refused=refused, ending=_MEDIA.get(media, ""))


def _from_storage(storage: fs.FileSystem, address: Address, *, folder: Path, limits: Limits) -> Fetched:
    part = folder / f".{hashlib.sha256(address.url.encode()).hexdigest()[:24]}.part"
    try:
        with (
            storage.open_input_stream(address.url.removeprefix("s3://"), compression=None) as stream,
            part.open("wb") as file,
        ):
            refused = _copy(iter(lambda: stream.read(_PIECE_BYTES), b""), file, limits=limits)
    except OSError as error:
        part.unlink(missing_ok=True)
        return Fetched(url=address.url, refused=f"storage: {str(error).splitlines()[0][:200]}")
    return _finish(address, part=part, folder=folder, refused=refused, ending="")


def _copy(pieces: Iterator[bytes], file: BinaryIO, *, limits: Limits) -> str:
    num_bytes = file.tell()
    for piece in pieces:
        num_bytes += len(piece)
        if num_bytes > limits.max_bytes:
            return "too-large"
        file.write(piece)
    return ""


def _finish(address: Address, *, part: Path, folder: Path, refused: str, ending: str) -> Fetched:
    part.with_suffix(".etag").unlink(missing_ok=True)
    if not refused:
        sha256, num_bytes = digest_file(part)
        if address.sha256 in ("", sha256):
            name = _name(address.url, ending=ending)
            part.replace(folder / name)
            return Fetched(url=address.url, file=name, sha256=sha256, num_bytes=num_bytes)
        refused = "wrong-digest"
    part.unlink(missing_ok=True)
    return Fetched(url=address.url, refused=refused)


def _name(url: str, *, ending: str) -> str:
    """A plain file name that tells the address apart and has an extension that a reader knows, if any does."""
    last = re.sub(r"[^0-9A-Za-z._-]+", "-", unquote(PurePosixPath(urlsplit(url).path).name)).strip("-.")[-80:]
    if not guess_format(last)[0]:
        last += ending
    return f"{hashlib.sha256(url.encode()).hexdigest()[:12]}-{last or 'index'}"
