"""Talks to a hub: one method a route, wire types in and out, errors of the hub raised as the same errors here."""

import fcntl
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

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

_KINDS: dict[int, type[FactoryError]] = {
    400: BadInput,
    401: NotSignedIn,
    403: NotAllowed,
    404: NotVisible,
    409: WrongState,
    413: BadInput,
    422: BadInput,
    503: Unavailable,
}
_CHUNK_BYTES = 1 << 20

T = TypeVar("T", bound=BaseModel)


class HubError(FactoryError):
    """The hub answered with something it should not."""

    code = "hub_error"


class HubUnreachable(Unavailable):
    """No hub answers at that address."""

    code = "hub_unreachable"


class Door:
    """A connection to one hub with one token; the base of the person's and the agent's client."""

    def __init__(self, url: str, token: str, *, timeout_s: float = 30.0) -> None:
        self.url = url
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(base_url=f"{url}/api/v1", headers=headers, timeout=timeout_s, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connection."""
        self._http.close()

    def call(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """One request. Raises the error that the hub names, HubUnreachable, HubError."""
        try:
            response = self._http.request(method, path, **arguments)
        except httpx.HTTPError as error:
            raise HubUnreachable(
                f"No hub answers at {self.url} ({type(error).__name__}).",
                hint="Start one with `fucina up`, or set FUCINA_HUB_URL.",
            ) from error
        if response.is_success:
            return response
        raise self._error(response)

    def get(self, kind: type[T], path: str, **params: object) -> T:
        """One answer of a known type."""
        return self._parse(kind, self.call("GET", path, params={k: v for k, v in params.items() if v is not None}))

    def list(self, kind: type[T], path: str, **params: object) -> list[T]:
        """A list of answers of a known type."""
        response = self.call("GET", path, params={k: v for k, v in params.items() if v is not None})
        return [kind.model_validate(item) for item in response.json()]

    def post(self, kind: type[T], path: str, body: BaseModel | None = None) -> T:
        """Send a request body, take an answer."""
        content = body.model_dump_json() if body else "{}"
        return self._parse(kind, self.call("POST", path, content=content, headers={"Content-Type": "application/json"}))

    def send(self, path: str, body: BaseModel) -> None:
        """Send a request body; the answer says nothing."""
        self.call("POST", path, content=body.model_dump_json(), headers={"Content-Type": "application/json"})

    def put_file(self, path: str, file: Path, *, sha256: str) -> None:
        """Stream a file to the hub with its digest."""
        headers = {
            "Content-Type": "application/octet-stream",
            "X-Sha256": sha256,
            "Content-Length": str(file.stat().st_size),
        }
        with file.open("rb") as source:
            self.call("PUT", path, content=_pieces(source), headers=headers, timeout=600.0)

    def fetch(self, path: str, target: Path) -> None:
        """Stream a file from the hub to `target`, which appears only when whole; a transfer that broke off goes on."""
        partial = target.with_name(f".{target.name}.part")
        with partial.open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            have = file.tell()
            try:
                self._receive(path, file, have=have)
            except httpx.HTTPError as error:
                raise HubUnreachable(
                    f"The transfer from {self.url} broke off after {file.tell():,} bytes ({type(error).__name__}).",
                    hint="Try again; it goes on where it was.",
                ) from error
            except FactoryError:
                partial.unlink(missing_ok=True)
                raise
            partial.replace(target)

    def _receive(self, path: str, file: BinaryIO, *, have: int) -> None:
        """Append what is missing; a hub that sends the whole file again is believed."""
        headers = {"Range": f"bytes={have}-"} if have else {}
        with self._http.stream("GET", path, headers=headers, timeout=600.0) as response:
            if response.status_code == 416:  # all of it is here
                return
            if not response.is_success:
                response.read()
                raise self._error(response)
            if have and response.status_code != 206:
                file.truncate(0)
            for piece in response.iter_bytes(_CHUNK_BYTES):
                file.write(piece)

    @staticmethod
    def _parse(kind: type[T], response: httpx.Response) -> T:
        try:
            return kind.model_validate_json(response.content)
        except ValidationError as error:
            raise HubError(
                f"The hub's answer is not a {kind.__name__}.",
                hint="Hub and client may be of different versions; update the older.",
            ) from error

    @staticmethod
    def _error(response: httpx.Response) -> FactoryError:
        try:
            body = ErrorBody.model_validate_json(response.content)
        except ValidationError:
            return HubError(f"The hub answered {response.status_code}.", hint="Look at the hub's log.")
        kind = _KINDS.get(response.status_code, HubError)
        error = kind(body.message, hint=body.hint)
        error.code = body.code
        return error


def _pieces(file: Any) -> Iterator[bytes]:
    while piece := file.read(_CHUNK_BYTES):
        yield piece
