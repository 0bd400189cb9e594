"""`fucina ledger ...`. A group of commands has a module of its own, which imports no more than typer until one runs."""

from typing import Annotated

import typer

from fucina.cli.output import Format, FormatOption, show, speaking, table

app = typer.Typer(help="What was granted, held and used.", no_args_is_help=True)


@app.command(name="show")
def show_entries(
    project: Annotated[str, typer.Argument(help="Project reference.")], form: FormatOption = Format.TEXT
) -> None:
    """Print every entry of a project's ledger with the balance after it, in GPU-seconds."""
    from fucina.cli.runs import connect
    from fucina.config import load_settings

    with speaking(form), connect(load_settings()) as hub:
        found = hub.ledger(project)
        if not show(found, form):
            rows = [
                (f"{e.at:%Y-%m-%d %H:%M:%S}", e.kind, f"{e.gpu_s:+,}", f"{e.balance_gpu_s:,}", e.job, e.note)
                for e in found
            ]
            table("GPU-seconds", ("at (UTC)", "entry", "GPU-s", "balance", "job", "note"), rows, right=(2, 3))
