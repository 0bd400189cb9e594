"""How commands speak: tables for people, JSON for programs, one exit code per kind of trouble."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import Annotated

import typer
from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

from fucina.errors import BadInput, FactoryError, NotAllowed, NotSignedIn, NotVisible, Unavailable, WrongState

EXIT_FAILED = 1
EXIT_CODES: tuple[tuple[type[FactoryError], int, str], ...] = (
    (BadInput, 2, "what was given cannot be used; nothing was created"),
    (NotSignedIn, 3, "not signed in"),
    (NotAllowed, 3, "not allowed"),
    (NotVisible, 4, "not found"),
    (WrongState, 5, "the state does not allow it, or a budget is spent"),
    (Unavailable, 6, "the hub or another service does not answer"),
)
"""Exit code per kind of error. 0 is success, 1 a failed run or a release that does not verify, 130 an interruption."""

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


class Format(StrEnum):
    """How to print."""

    TEXT = "text"
    JSON = "json"


FormatOption = Annotated[Format, typer.Option("--format", help="text for people, json for programs.")]


def exit_code(error: FactoryError) -> int:
    """The documented exit code of an error."""
    return next((code for kind, code, _ in EXIT_CODES if isinstance(error, kind)), EXIT_FAILED)


@contextmanager
def speaking(form: Format) -> Iterator[None]:
    """Turn an error into its message, hint and exit code; never a traceback."""
    try:
        yield
    except FactoryError as error:
        say_error(error, form)
        raise typer.Exit(exit_code(error)) from error
    except KeyboardInterrupt as error:
        err.print("Interrupted.")
        raise typer.Exit(130) from error
    except BrokenPipeError as error:
        raise typer.Exit(0) from error


def say_error(error: FactoryError, form: Format) -> None:
    """Message and hint on stderr, or the one JSON shape."""
    if form is Format.JSON:
        sys.stderr.write(error.body().model_dump_json() + "\n")
        return
    err.print(f"[red]✗[/red] {_plain(error.message)}", soft_wrap=True)
    if error.hint:
        err.print(f"  {_plain(error.hint)}", style="dim", soft_wrap=True)


def say(text: str, form: Format = Format.TEXT) -> None:
    """A line for people; silent where programs read."""
    if form is Format.TEXT:
        out.print(text, soft_wrap=True)


def show(value: BaseModel | Sequence[BaseModel], form: Format) -> bool:
    """Print as JSON if that is wanted; returns whether it was."""
    if form is not Format.JSON:
        return False
    plain = (
        value.model_dump(mode="json")
        if isinstance(value, BaseModel)
        else [item.model_dump(mode="json") for item in value]
    )
    sys.stdout.write(json.dumps(plain, indent=1, ensure_ascii=False) + "\n")
    return True


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> None:
    """A table; the columns numbered in `right` hold numbers."""
    grid = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for position, column in enumerate(columns):
        grid.add_column(column, justify="right" if position in right else "left", overflow="fold")
    for row in rows:
        grid.add_row(*(_plain(cell) for cell in row))
    out.print(grid)


def _plain(text: str) -> str:
    """Text from elsewhere, so that brackets in it are no markup."""
    return text.replace("[", "\\[")
