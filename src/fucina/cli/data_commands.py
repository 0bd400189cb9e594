"""`fucina data ...`: prepare a folder of documents and read what came of it."""

from pathlib import Path
from typing import Annotated

import typer

from fucina.cli import catalogue_commands, fetch_commands, store_commands
from fucina.cli.output import Format, FormatOption, out, say, show, speaking, table

app = typer.Typer(help="Documents in, data for training out.", no_args_is_help=True)
app.command()(fetch_commands.fetch)
catalogue_commands.add_to(app)
app.command()(store_commands.put)
app.command()(store_commands.get)

FolderArgument = Annotated[Path, typer.Argument(help="A folder that `fucina data prepare` wrote.")]


@app.command()
def prepare(
    recipe_file: Annotated[Path, typer.Argument(metavar="RECIPE.yaml", help="What to read and how to clean it.")],
    folder: Annotated[Path | None, typer.Option("--out", help="Where to; beside the recipe when left out.")] = None,
    threads: Annotated[int, typer.Option(min=0, max=1024, help="0 for one a core.")] = 0,
    slurm: Annotated[int, typer.Option(min=0, max=1000, help="Tasks of a Slurm array for each step; 0 for none.")] = 0,
    ray: Annotated[str, typer.Option(help="Address of a Ray cluster that sees this folder; `local` starts one.")] = "",
    form: FormatOption = Format.TEXT,
) -> None:
    """Read, clean, deduplicate, redact and pack; started again after an interruption it goes on where it was."""
    import shutil

    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    from fucina.cli.data_progress import BarProgress, choose_executor, fetch_list
    from fucina.cli.output import err
    from fucina.data.inspect import funnel
    from fucina.data.pipeline import prepare as run
    from fucina.data.recipe_file import load_recipe

    with speaking(form):
        recipe = load_recipe(recipe_file, fetch=fetch_list)
        # Workers of a cluster have a working directory of their own.
        target = (folder or recipe_file.with_suffix(".prepared")).resolve()
        scratch = target / ".scratch"
        scratch.mkdir(parents=True, exist_ok=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Bars(*columns, console=err, transient=True) as bars:
            progress = BarProgress(scratch / "progress.ndjson", bars=bars)
            executor = choose_executor(recipe, target, threads=threads, ray=ray, slurm=slurm)
            run(recipe, workdir=target, out=target, scratch=scratch, progress=progress, executor=executor)
        shutil.rmtree(scratch)
        found = funnel(target)
        if not show(found, form):
            _print_funnel(target)


@app.command(hidden=True)
def work(
    folder: Annotated[Path, typer.Option("--out", help="Where the driver writes to.")],
    step: Annotated[str, typer.Option()],
    shares: Annotated[int, typer.Option(min=1)],
    share: Annotated[int, typer.Option(min=0, envvar="SLURM_ARRAY_TASK_ID")],
) -> None:
    """Do one share of one step of a running `prepare`: what a task of its Slurm array runs."""
    from fucina.cli.data_progress import do_share

    with speaking(Format.TEXT):
        do_share(folder, step=step, share=share, num_shares=shares)


@app.command()
def inspect(
    folder: FolderArgument,
    explain: Annotated[str, typer.Option(metavar="DOC_ID", help="Tell every decision on one document.")] = "",
    form: FormatOption = Format.TEXT,
) -> None:
    """Show the funnel: what was dropped at which step and why."""
    from fucina.data.inspect import explain as tell
    from fucina.data.inspect import funnel

    with speaking(form):
        if explain:
            found = tell(folder, explain)
            if not show(found, form):
                for each in found:
                    _print_explanation(each.model_dump())
        elif not show(funnel(folder), form):
            _print_funnel(folder)


@app.command()
def card(
    version: Annotated[
        str, typer.Argument(metavar="FOLDER|DATASET", help="A prepared folder, or a dataset of the hub: dat-...@3.")
    ],
    croissant: Annotated[bool, typer.Option("--croissant", help="Print Croissant 1.1 metadata (of the hub).")] = False,
    form: FormatOption = Format.TEXT,
) -> None:
    """Show the card of a version: sources, languages, licences, splits; of one at the hub also its badge."""
    with speaking(form):
        if Path(version).is_dir() or not version.startswith("dat-"):
            _print_card(Path(version), form)
        else:
            catalogue_commands.print_card(version, croissant=croissant, form=form)


def _print_card(folder: Path, form: Format) -> None:
    from fucina.data.inspect import card_of

    found = card_of(folder)
    if show(found, form):
        return
    say(f"{found.num_documents:,} documents of {found.num_records:,} records, {found.num_broken:,} broken.")
    for title, tallies in (("language", found.languages), ("licence", found.licences)):
        rows = [
            (name, f"{tally.num_documents:,}", f"{tally.num_characters:,}", f"{tally.num_tokens:,}")
            for name, tally in tallies.items()
        ]
        table("", (title, "documents", "characters", "tokens"), rows, right=(1, 2, 3))
    rows = [
        (name, f"{tally.num_documents:,}", f"{tally.num_characters:,}", f"{tally.num_tokens:,}")
        for name, tally in (("train", found.train), ("validation", found.validation))
    ]
    table("", ("split", "documents", "characters", "tokens"), rows, right=(1, 2, 3))
    table("", ("redacted", "values"), [(kind, f"{n:,}") for kind, n in found.redactions.items()], right=(1,))


@app.command()
def diff(
    before: Annotated[str, typer.Argument(metavar="V1", help="The earlier version: a folder, or dat-...@1.")],
    after: Annotated[str, typer.Argument(metavar="V2", help="The later version: a folder, or dat-...@2.")],
    form: FormatOption = Format.TEXT,
) -> None:
    """Show what changed between two versions, and how far their make-up lies apart."""
    with speaking(form):
        if Path(before).is_dir() or not before.startswith("dat-"):
            _print_diff(Path(before), Path(after), form)
        else:
            catalogue_commands.print_diff(before, after, form=form)


def _print_diff(before: Path, after: Path, form: Format) -> None:
    from fucina.cli.catalogue import show_drift
    from fucina.data.inspect import diff as compare

    found = compare(before, after)
    if show(found, form):
        return
    rows = [(c.name, f"{c.before:,}", f"{c.after:,}", f"{c.after - c.before:+,}") for c in found.numbers]
    table("", ("", "before", "after", "change"), rows, right=(1, 2, 3))
    show_drift(found.drift)
    say(f"Documents kept now and not before: {found.num_added:,}; before and not now: {found.num_removed:,}.")
    for word, names in (("New", found.sources_added), ("Gone", found.sources_removed)):
        if names:
            say(f"{word} sources: {', '.join(names)}.")


@app.command()
def datasheet(
    folder: FolderArgument,
    before: Annotated[Path | None, typer.Option(help="An earlier version's folder, to tell the drift from it.")] = None,
    target: Annotated[Path | None, typer.Option("--out", help="Where to; the folder itself when left out.")] = None,
    form: FormatOption = Format.TEXT,
) -> None:
    """Write the datasheet, as JSON and as one page with charts."""
    from fucina.data.datasheet import make_datasheet
    from fucina.data.datasheet_page import page

    with speaking(form):
        found = make_datasheet(folder, before=before)
        place = target or folder
        place.mkdir(parents=True, exist_ok=True)
        (place / "datasheet.json").write_text(found.model_dump_json(indent=1) + "\n", encoding="utf-8")
        (place / "datasheet.html").write_text(page(found, title=folder.resolve().name), encoding="utf-8")
        if not show(found, form):
            say(f"Wrote {place / 'datasheet.json'} and {place / 'datasheet.html'}.")
            if found.comparison:
                rows = [(d.name, f"{d.distance:.1%}", d.most) for d in found.comparison.drifts]
                table("", ("property", "documents that moved", "most"), rows, right=(1,))


def _print_funnel(folder: Path) -> None:
    from fucina.data.inspect import funnel

    found = funnel(folder)
    rows = [(r.step, r.reason, f"{r.num_documents:,}", f"{r.num_characters:,}") for r in found.rows]
    table(f"{found.num_records:,} records", ("step", "reason", "documents", "characters"), rows, right=(2, 3))


def _print_explanation(each: dict[str, object]) -> None:
    state = f"kept for {each['split']}" if each["kept"] else f"dropped at {each['step']}: {each['reason']}"
    say(f"{each['id']} (record {each['row']} of {each['source']}): {state}.", Format.TEXT)
    for name in ("language", "characters", "scores", "filters", "alike", "spans"):
        if each[name]:
            out.print(f"  {name}: {each[name]}", soft_wrap=True, markup=False)
