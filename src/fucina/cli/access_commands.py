"""`fucina access ...`: modes and calls, drafts, and the way of an application."""

from pathlib import Path
from typing import Annotated

import typer

from fucina.cli.output import Format, FormatOption, say, show, speaking, table

app = typer.Typer(help="Access modes and calls, and the way of an application.", no_args_is_help=True)
modes_app = typer.Typer(help="Access modes and calls on offer.", no_args_is_help=True)
app.add_typer(modes_app, name="mode")


@modes_app.command(name="list")
def list_modes(form: FormatOption = Format.TEXT) -> None:
    """List access modes with whether they are open, and until when."""
    from fucina.cli.runs import connect
    from fucina.config import load_settings

    with speaking(form), connect(load_settings()) as hub:
        found = hub.modes()
        if not show(found, form):
            rows = [
                (
                    mode.id,
                    mode.name.get("en", mode.id),
                    str(mode.valid_from),
                    "open" if mode.is_open else "closed",
                    f"{mode.next_cut_off:%Y-%m-%d %H:%M}" if mode.next_cut_off else "—",
                    "—" if mode.working_days is None else str(mode.working_days),
                )
                for mode in found
            ]
            columns = ("mode", "name", "valid from", "state", "next cut-off", "working days")
            table("", columns, rows, right=(5,))


@modes_app.command(name="show")
def show_mode(
    mode: Annotated[str, typer.Argument(help="Mode, such as fast-lane.")], form: FormatOption = Format.TEXT
) -> None:
    """Print a mode as YAML, to be changed and added again."""
    from fucina.cli.runs import connect
    from fucina.config import load_settings

    with speaking(form), connect(load_settings()) as hub:
        found = hub.mode(mode)
        if not show(found, form):
            typer.echo(found.text, nl=False)


@modes_app.command(name="add")
def add_mode(
    file: Annotated[Path, typer.Argument(help="YAML file with one mode, or with several under modes:.")],
    form: FormatOption = Format.TEXT,
) -> None:
    """Put a mode or call on offer (staff); applications that run keep the version that they were made under."""
    from fucina.cli.access import read_text
    from fucina.cli.runs import connect
    from fucina.config import load_settings

    with speaking(form):
        text = read_text(file)
        with connect(load_settings()) as hub:
            saved = hub.save_modes(text)
            if not show(saved, form):
                for mode in saved.modes:
                    say(f"{mode.id} is on offer from {mode.valid_from}.")
