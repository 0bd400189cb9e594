"""What a server says about its pages before it is asked for one: robots.txt (RFC 9309) and TDMRep (W3C)."""

import json
import re
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlsplit

from protego import Protego

from fucina.data.html import value_reserves

USER_AGENT = "fucina"

ROBOTS = "robots.txt"
RESERVED = "opted-out"

_MAX_RULES = 1000


class Answer(Protocol):
    """An HTTP answer to a small question."""

    @property
    def status_code(self) -> int: ...
    @property
    def text(self) -> str: ...


class Ask(Protocol):
    """Asks for one small file; None when there is no server."""

    def __call__(self, url: str) -> Answer | None: ...


@dataclass(slots=True)
class Permissions:
    """What each server allows, asked once."""

    ask: Ask
    _rules: dict[str, Protego | None] = field(default_factory=dict)
    _reserved: dict[str, tuple[re.Pattern[str], ...]] = field(default_factory=dict)

    def refusal(self, url: str) -> str:
        """Why an address may not be fetched; empty when it may."""
        parts = urlsplit(url)
        server = f"{parts.scheme}://{parts.netloc}"
        if server not in self._rules:
            self._rules[server] = self._robots(server)
            self._reserved[server] = self._reservations(server)
        rules = self._rules[server]
        if rules is None or not rules.can_fetch(url, USER_AGENT):
            return ROBOTS
        path = parts.path or "/"
        return RESERVED if any(pattern.match(path) for pattern in self._reserved[server]) else ""

    def _robots(self, server: str) -> Protego | None:
        """The rules; None forbids everything, as RFC 9309 asks while a server fails."""
        answer = self.ask(f"{server}/robots.txt")
        if answer is None or answer.status_code >= 500 or answer.status_code == 429:
            return None
        return Protego.parse(answer.text if answer.status_code < 300 else "")

    def _reservations(self, server: str) -> tuple[re.Pattern[str], ...]:
        answer = self.ask(f"{server}/.well-known/tdmrep.json")
        if answer is None or answer.status_code != 200:
            return ()
        try:
            rules = json.loads(answer.text)
        except (ValueError, RecursionError):
            return ()
        patterns = []
        for rule in rules[:_MAX_RULES] if isinstance(rules, list) else ():
            if isinstance(rule, dict) and value_reserves("tdm-reservation", str(rule.get("tdm-reservation", ""))):
                location = str(rule.get("location", "/"))[:500]
                wild, end = re.escape(location).replace(r"\*", ".*"), ""
                if wild.endswith(r"\$"):
                    wild, end = wild.removesuffix(r"\$"), r"\Z"
                patterns.append(re.compile(wild + end))
        return tuple(patterns)
