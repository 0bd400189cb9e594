"""`fucina ranking ...`: proposals of awards under a capacity."""

from typing import Annotated

import typer

from fucina.cli.output import Format, FormatOption, say, show, speaking, table

app = typer.Typer(help="Awards under what is free.", no_args_is_help=True)

RankingArgument = Annotated[str, typer.Argument(help="Reference of a ranking.")]


@app.command()
def make(
    mode: Annotated[str, typer.Argument(help="Access mode, such as large-scale.")],
    capacity: Annotated[list[str], typer.Option("--capacity", help="SITE/PARTITION=HOURS that may be awarded.")],
    overbooking: Annotated[float, typer.Option(help="1.1 awards a tenth more than is there.")] = 1.0,
    smallest_share: Annotated[
        float | None, typer.Option(help="Least share of a wish that is awarded; all or nothing when left out.")
    ] = None,
    form: FormatOption = Format.TEXT,
) -> None:
    """Rank what waits for the panel; nothing is decided, and other capacities may be tried (staff)."""
    from fucina.cli.reviews import places_of, print_ranking
    from fucina.cli.runs import connect
    from fucina.client.wire_review import RankingRequest
    from fucina.config import load_settings

    with speaking(form):
        request = RankingRequest(
            mode=mode, capacity=dict(places_of(capacity)), overbooking=overbooking, smallest_share=smallest_share
        )
        with connect(load_settings()) as hub:
            made = hub.make_ranking(request)
            if not show(made, form):
                print_ranking(made)


@app.command(name="list")
def list_rankings(form: FormatOption = Format.TEXT) -> None:
    """List rankings, newest first (staff)."""
    from fucina.cli.runs import connect
    from fucina.config import load_settings

    with speaking(form), connect(load_settings()) as hub:
        found = hub.rankings()
        if not show(found, form):
            rows = [
                (r.ref, r.mode, f"{r.points:g}", f"{r.overbooking:g}", r.made_by, r.confirmed_by or "—") for r in found
            ]
            table("", ("ranking", "mode", "points", "overbooking", "made by", "confirmed by"), rows, right=(2, 3))


@app.command(name="show")
def show_ranking(ref: RankingArgument, form: FormatOption = Format.TEXT) -> None:
    """Print a ranking with the reason of every place (staff)."""
    from fucina.cli.reviews import print_ranking
    from fucina.cli.runs import connect
    from fucina.config import load_settings

    with speaking(form), connect(load_settings()) as hub:
        found = hub.ranking(ref)
        if not show(found, form):
            print_ranking(found)


@app.command()
def confirm(ref: RankingArgument, form: FormatOption = Format.TEXT) -> None:
    """Decide on everybody as the ranking proposes (staff; never with one's own organisation in it)."""
    from fucina.cli.runs import connect
    from fucina.config import load_settings

    with speaking(form), connect(load_settings()) as hub:
        done = hub.confirm_ranking(ref)
        if not show(done, form):
            awarded = sum(bool(place.gpu_hours) for place in done.places)
            say(f"{done.ref}: {awarded} of {len(done.places)} applications have time; all have their decision.")
