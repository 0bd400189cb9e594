"""`fucina login`: a token for a hub, kept in a file that only its owner reads."""

import getpass
import os
import re
import sys
from pathlib import Path
from urllib.parse import urlsplit

from fucina.client.hub import Hub
from fucina.client.wire import Me
from fucina.config import Settings
from fucina.errors import BadInput

_HUB_URL = re.compile(r"^hub_url\s*=.*$", re.MULTILINE)


class BadLogin(BadInput):
    """An address or a token that cannot be one."""

    code = "bad_login"


def login_file(settings: Settings, url: str) -> Path:
    """Where the token for that hub is kept."""
    return settings.home / "secrets" / f"login-{re.sub(r'[^A-Za-z0-9.-]', '_', urlsplit(url).netloc)}.token"


def log_in(settings: Settings, *, url: str, token_file: Path | None) -> Me:
    """Check a token with the hub and keep it, with the hub's address where it is given.

    Raises BadLogin, NotSignedIn, HubUnreachable; then nothing is kept.
    """
    parts = urlsplit(url)
    if url and (parts.scheme not in {"http", "https"} or not parts.netloc or parts.username or parts.query):
        raise BadLogin(f"{url[:80]!r} is no address of a hub.", hint="Write https://hub.example.eu.")
    address = (url or settings.url).rstrip("/")
    token = _read(token_file)
    with Hub(address, token) as hub:
        me = hub.me()
    _keep(login_file(settings, address), token)
    if url and address != settings.url:
        _remember(settings.home / "fucina.toml", address)
    return me


def _read(file: Path | None) -> str:
    """The token from a file, `-` for standard input, or asked for without showing it. Raises BadLogin."""
    try:
        if file is None:
            token = getpass.getpass("Token: ") if sys.stdin.isatty() else sys.stdin.readline()
        elif str(file) == "-":
            token = sys.stdin.readline()
        else:
            token = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError, EOFError) as error:
        raise BadLogin(f"The token cannot be read: {error}.", hint="Give a readable file.") from error
    token = token.strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise BadLogin("That is no token.", hint="A token begins with fuc_ and is one word.")
    return token


def _keep(path: Path, token: str) -> None:
    """A file that only its owner reads; it appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(token + "\n")
    temporary.replace(path)


def _remember(file: Path, url: str) -> None:
    """Write the hub's address into the settings file."""
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    line = f'hub_url = "{url}"'
    text, num_found = _HUB_URL.subn(lambda _: line, text, count=1)
    text = text if num_found else f"{line}\n{text}"
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(file)
