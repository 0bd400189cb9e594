"""`fucina registry`: the factory's log of releases, and taking a release back."""

from pathlib import Path
from typing import Annotated

import typer

from fucina.cli.output import Format, FormatOption, say, show, speaking

app = typer.Typer(help="The factory's log of releases: get it, check it, withdraw a release.", no_args_is_help=True)


@app.command()
def log(
    file: Annotated[Path, typer.Argument(help="Where to write it.")],
    form: FormatOption = Format.TEXT,
) -> None:
    """Get the whole log under a new checkpoint; everybody may have it."""
    from fucina.cli.registry import keep
    from fucina.cli.runs import connect
    from fucina.config import load_settings

    with speaking(form), connect(load_settings()) as hub:
        keep(hub.release_log(), file, form)


@app.command()
def proof(
    release: Annotated[str, typer.Argument(help="A release's reference.")],
    file: Annotated[Path, typer.Argument(help="Where to write it.")],
    form: FormatOption = Format.TEXT,
) -> None:
    """Get the proof that one release is in the log."""
    from fucina.cli.registry import keep
    from fucina.cli.runs import connect
    from fucina.config import load_settings

    with speaking(form), connect(load_settings()) as hub:
        keep(hub.release_proof(release), file, form)


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="A log or a proof.")],
    known: Annotated[Path | None, typer.Option(help="A log or proof kept from earlier: the log may only grow.")] = None,
    key: Annotated[
        Path | None, typer.Option("--key", help="The factory's public key; this machine's when left out.")
    ] = None,
    form: FormatOption = Format.TEXT,
) -> None:
    """Check a log offline: its signature, that nothing is missing or changed, and that it only grew."""
    from fucina.cli.registry import checked
    from fucina.config import load_settings

    with speaking(form):
        found = checked(file, known=known, public_key=key or load_settings().public_key)
        if not show(found, form):
            say(found.words)


@app.command()
def withdraw(
    release: Annotated[str, typer.Argument(help="A release's reference.")],
    reason: Annotated[str, typer.Option(help="What is wrong with it, for those who use it.")],
    form: FormatOption = Format.TEXT,
) -> None:
    """Say for ever, to everybody who verifies, that a release must not be used any more."""
    from fucina.cli.runs import connect
    from fucina.client.wire import ReleaseWithdrawal
    from fucina.config import load_settings

    with speaking(form), connect(load_settings()) as hub:
        info = hub.withdraw(release, ReleaseWithdrawal(reason=reason))
        if not show(info, form):
            say(f"[green]✓[/green] {info.model} v{info.version} is withdrawn: {info.withdrawn_why}")
            say("Who verifies it with `fucina verify --log` and a log from now on is told so.")
