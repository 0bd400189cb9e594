"""How an argument list reaches the machine where Slurm's commands are, and how its answer comes back."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from fucina.errors import BadInput, Unavailable

TIMEOUT_S = 60.0
"""Longest wait for one command: slurmctld itself gives up earlier."""


class Unreachable(Unavailable):
    """The command was not started; nothing happened."""

    code = "slurm_unreachable"


class LostAnswer(Unavailable):
    """The command was started and its answer never came; it may have done its work."""

    code = "slurm_answer_lost"


class NotAnArgument(BadInput):
    """A text that no process can be given."""

    code = "not_an_argument"


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """A command that ended."""

    rc: int
    out: bytes = b""
    err: str = ""

    @property
    def text(self) -> str:
        """What it printed; bytes that are no UTF-8 are replaced."""
        return self.out.decode("utf-8", errors="replace")


class Transport(Protocol):
    """Runs argument lists where Slurm is."""

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", user: str = "") -> Completed:
        """Run one command as `user`, or as whom the transport signs in. Raises Unreachable, LostAnswer."""

    def close(self) -> None:
        """Let go of connections."""


def quote(text: str) -> str:
    """One word of a POSIX shell: the only place where this package quotes. Raises NotAnArgument."""
    if "\0" in text:
        raise NotAnArgument(f"{text[:40]!r} has a NUL byte.", hint="Remove it from the command or the environment.")
    return shlex.quote(text)


def quote_argv(argv: Sequence[str]) -> str:
    """A shell line that means exactly this argument list. Raises NotAnArgument."""
    return " ".join(quote(word) for word in argv)


def as_user(user: str, argv: Sequence[str]) -> list[str]:
    """The same command as another Unix user with that user's groups; only root may run it."""
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "--", *argv] if user else list(argv)
