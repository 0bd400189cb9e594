"""`fucina environment ...`: the software of the stages, carried to where nothing can be installed."""

from pathlib import Path
from typing import Annotated

import typer

from fucina.cli.output import Format, FormatOption, err, say, show, speaking

app = typer.Typer(help="Carry the software of the stages to a site without internet.", no_args_is_help=True)


@app.command()
def pack(
    archive: Annotated[Path, typer.Argument(help="Archive to write, .tar.zst.")],
    extras: Annotated[str, typer.Option(help="Extras that the stages need, by commas.")] = "data,train,eval",
    form: FormatOption = Format.TEXT,
) -> None:
    """Pack this environment into one relocatable archive."""
    from rich.progress import Progress

    from fucina.compute.environment import pack as write

    with speaking(form), Progress(console=err, transient=True) as bar:
        task = bar.add_task("files", total=None)
        made = write(
            archive,
            extras=[name.strip() for name in extras.split(",") if name.strip()],
            told=lambda done, total: bar.update(task, completed=done, total=total),
        )
        if not show(made, form):
            size = archive.stat().st_size / 1e6
            say(f"{archive}: {len(made.distributions)} distributions, {size:,.0f} MB, for Python {made.python}.")


@app.command()
def unpack(
    archive: Annotated[Path, typer.Argument(help="Archive that `pack` wrote.")],
    folder: Annotated[Path, typer.Argument(help="New folder, on a file system that compute nodes see.")],
    form: FormatOption = Format.TEXT,
) -> None:
    """Lay a packed environment into a folder and try it."""
    from fucina.compute.environment import unpack as lay

    with speaking(form):
        say(f"{lay(archive, folder)} runs; name {folder / 'bin'} as `programs` in the site file.", form)


@app.command()
def definition(
    archive: Annotated[str, typer.Argument(help="The packed archive, as the build finds it.")] = "fucina.tar.zst",
) -> None:
    """Print an Apptainer definition around a packed environment."""
    from fucina.compute.environment import definition as text

    typer.echo(text(archive), nl=False)
