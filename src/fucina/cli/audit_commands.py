"""`fucina audit ...`."""

from typing import Annotated

import typer

from fucina.cli.output import EXIT_FAILED, Format, FormatOption, say, show, speaking

app = typer.Typer(help="The audit trail.", no_args_is_help=True)


@app.callback()
def audit() -> None:
    """The audit trail."""


@app.command()
def verify(
    expect: Annotated[str, typer.Option(help="NUMBER:DIGEST that an earlier verification printed as its head.")] = "",
    form: FormatOption = Format.TEXT,
) -> None:
    """Find records that were changed, removed or put elsewhere (staff); exit status 1 when there are any."""
    from fucina.cli.runs import connect
    from fucina.config import load_settings

    with speaking(form), connect(load_settings()) as hub:
        found = hub.verify_audit(expect)
        if not show(found, form):
            for finding in found.findings:
                say(f"[red]✗[/red] {finding}")
            if found.is_whole:
                say(f"[green]✓[/green] {found.num_sealed} records are as they were written.")
            if found.num_waiting:
                say(f"  {found.num_waiting} are not sealed yet.")
            say(f"  head {found.head}")
        if not found.is_whole:
            raise typer.Exit(EXIT_FAILED)
