"""`fucina data put` and `get`: contents by digest in S3-compatible storage."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from fucina.cli.output import Format, FormatOption, say, show, speaking

EXIT_AGAIN = 75

StoreOption = Annotated[str, typer.Option("--store", help="BUCKET/FOLDER, as `bucket` and `folder` of a site file.")]
EndpointOption = Annotated[str, typer.Option("--s3-endpoint", help="Address of a storage other than Amazon's.")]
RegionOption = Annotated[str, typer.Option("--s3-region", help="Region of the bucket.")]


def put(
    files: Annotated[list[Path], typer.Argument(help="Files to store.")],
    store: StoreOption,
    s3_endpoint: EndpointOption = "",
    s3_region: RegionOption = "",
    form: FormatOption = Format.TEXT,
) -> None:
    """Store files by digest, where a site's agent finds them; started again after a break it goes on where it was."""
    from fucina.cli.stores import open_store, put_files

    with speaking(form):
        stored = put_files(open_store(store, endpoint=s3_endpoint, region=s3_region), files)
        if not show(stored, form):
            for one in stored:
                say(f"{one.sha256}  {one.path}  {one.num_bytes:,} bytes, {one.num_sent:,} sent")


def get(
    sha256: Annotated[str, typer.Argument(help="SHA-256 of the content.")],
    target: Annotated[Path, typer.Argument(help="File to write; it appears when it is whole.")],
    store: StoreOption,
    s3_endpoint: EndpointOption = "",
    s3_region: RegionOption = "",
    limit_s: Annotated[
        float | None, typer.Option("--limit", min=0.0, help="Seconds after which to leave with status 75 if not done.")
    ] = None,
    form: FormatOption = Format.TEXT,
) -> None:
    """Fetch a content by its digest and compare it; started again after a break it goes on where it was."""
    from fucina.cli.stores import open_store
    from fucina.data.store import NotYet

    with speaking(form):
        try:
            came = open_store(store, endpoint=s3_endpoint, region=s3_region).get(sha256, target, limit_s=limit_s)
        except NotYet as error:
            sys.stderr.write(f"{error.message} {error.hint}\n")
            raise typer.Exit(EXIT_AGAIN) from error
        say(f"{target}: {came:,} bytes fetched.", form)
