"""`fucina data fetch`: the only command of the data room that uses a network."""

from pathlib import Path
from typing import Annotated

import typer

from fucina.cli.output import Format, FormatOption, say, show, speaking


def fetch(
    addresses: Annotated[Path, typer.Argument(help="A text file: an address a line, its SHA-256 behind it if known.")],
    folder: Annotated[Path, typer.Argument(help="Where the files and fetched.jsonl go.")],
    form: FormatOption = Format.TEXT,
    s3_endpoint: Annotated[str, typer.Option(help="Address of an S3-compatible storage other than Amazon's.")] = "",
    s3_region: Annotated[str, typer.Option(help="Region of the buckets.")] = "",
    s3_anonymous: Annotated[bool, typer.Option("--s3-anonymous", help="Ask without credentials.")] = False,
    max_gib: Annotated[float, typer.Option(min=0.001, help="Largest file to take, GiB.")] = 4.0,
) -> None:
    """Fetch documents for a project; robots.txt and reservations from text and data mining are respected."""
    from fucina.data.fetch import Fetched, Limits, fetch_all, read_list
    from fucina.data.storage import open_s3

    def report(fetched: Fetched) -> None:
        say(f"{fetched.file or fetched.refused:40s} {fetched.url}", form)

    with speaking(form):
        summary = fetch_all(
            read_list(addresses),
            folder=folder,
            limits=Limits(max_bytes=int(max_gib * 2**30)),
            s3=lambda: open_s3(endpoint=s3_endpoint, region=s3_region, anonymous=s3_anonymous),
            report=report,
        )
        if not show(summary, form):
            refused = ", ".join(f"{reason} {count}" for reason, count in summary.refused.items())
            say(f"{summary.kept} files kept in {folder}; refused: {refused or 'none'}.")
    if not summary.kept:
        raise typer.Exit(1)
