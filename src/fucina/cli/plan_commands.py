"""`fucina plan ...`: what a training run will take, where, and how sure we are."""

import typer

app = typer.Typer(help="What a run, a site or a network will take, before anybody pays.", no_args_is_help=True)


@app.callback()
def plan() -> None:
    """What a run, a site or a network will take, before anybody pays."""
