"""Who may come in: people by session or token, agents by token, each only through their own door."""

import json
from typing import Any, NoReturn

from django.http import HttpRequest
from django.utils import timezone
from ninja.parser import Parser
from ninja.security.http import HttpAuthBase
from ninja.utils import check_csrf

from fucina.errors import NotAllowed, NotSignedIn
from fucina.hub.network.models import Agent
from fucina.hub.people.actions import find_token
from fucina.hub.people.models import ApiToken, Person, Scope


class WrongTokenKind(NotAllowed):
    """A person's token at the agents' door, or the other way round."""

    code = "wrong_token_kind"


class CsrfFailed(NotAllowed):
    """A browser's request without its CSRF token."""

    code = "csrf_failed"


class PersonRequest(HttpRequest):
    """A request that came through the people's door."""

    auth: Person


class AgentRequest(HttpRequest):
    """A request that came through the agents' door."""

    auth: Agent


def _token(request: HttpRequest) -> ApiToken | None:
    """The token that the request names. Raises NotSignedIn when it opens nothing."""
    header = request.headers.get("Authorization", "")
    if not header:
        return None
    scheme, _, secret = header.partition(" ")
    token = find_token(secret.strip(), at=timezone.now()) if scheme.lower() == "bearer" else None
    if token is None:
        raise NotSignedIn(
            "The token is unknown, has expired or was revoked.", hint="Send `Authorization: Bearer fuc_...`."
        )
    return token


class _BearerDoor(HttpAuthBase):
    openapi_scheme: str = "bearer"


class PersonDoor(_BearerDoor):
    """A person's token, or the session of a browser with its CSRF token."""

    def __call__(self, request: HttpRequest) -> Person:
        """The person. Raises NotSignedIn, WrongTokenKind, CsrfFailed."""
        token = _token(request)
        if token is not None:
            if token.person is None or token.scope != Scope.PERSON:
                raise WrongTokenKind("This is an agent's token; the route is for people.", hint="Use a person's token.")
            return token.person
        if not isinstance(request.user, Person):
            raise NotSignedIn("No valid session or token.", hint="Sign in, or send `Authorization: Bearer fuc_...`.")
        if check_csrf(request) is not None:
            raise CsrfFailed("The request lacks the CSRF token of its session.", hint="Send it as X-CSRFToken.")
        return request.user


class AgentDoor(_BearerDoor):
    """An agent's token."""

    def __call__(self, request: HttpRequest) -> Agent:
        """The agent. Raises NotSignedIn, WrongTokenKind."""
        token = _token(request)
        if token is None:
            raise NotSignedIn("No token.", hint="Send `Authorization: Bearer fuc_...` with the agent's token.")
        agent = Agent.objects.select_related("site").filter(token=token).first()
        if token.scope != Scope.AGENT or agent is None:
            raise WrongTokenKind(
                "This is a person's token; the route is for agents.", hint="Use the site's agent token."
            )
        return agent


class StrictParser(Parser):
    """JSON without what JSON does not have: NaN, Infinity, and characters that no table can keep."""

    def parse_body(self, request: HttpRequest) -> Any:
        """The body as data. Raises ValueError."""
        text = request.body.decode("utf-8")
        data = json.loads(text, parse_constant=_refuse)
        if "\\u0000" in text or "\\ud" in text.lower():
            _check_text(data)
        return data


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _check_text(data: object) -> None:
    if isinstance(data, str):
        if "\0" in data:
            raise ValueError("a text has a NUL character")
        data.encode("utf-8")
    elif isinstance(data, dict):
        for name, value in data.items():
            _check_text(name)
            _check_text(value)
    elif isinstance(data, list):
        for value in data:
            _check_text(value)
