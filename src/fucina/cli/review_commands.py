"""`fucina review ...`: the pool, the assignment, one's own reviews."""

from pathlib import Path
from typing import Annotated

import typer

from fucina.cli.output import Format, FormatOption, say, show, speaking, table

app = typer.Typer(help="Reviewers and their reviews.", no_args_is_help=True)

ReviewArgument = Annotated[str, typer.Argument(help="Reference of a review.")]


@app.command()
def pool(form: FormatOption = Format.TEXT) -> None:
    """List the pool of reviewers with their load (staff)."""
    from fucina.cli.runs import connect
    from fucina.config import load_settings

    with speaking(form), connect(load_settings()) as hub:
        found = hub.reviewers()
        if not show(found, form):
            rows = [
                (
                    r.username,
                    r.affiliation or "—",
                    ", ".join(f"{topic}:{level}" for topic, level in sorted(r.expertise.items())),
                    " ".join(r.languages),
                    f"{r.num_open}/{r.max_reviews}",
                    str(r.away_until or "—") if r.is_active else "left",
                )
                for r in found
            ]
            table("", ("reviewer", "works at", "expertise", "reads", "open", "away until"), rows, right=(4,))


@app.command()
def add(
    username: Annotated[str, typer.Argument(help="User name of somebody with an account.")],
    topic: Annotated[list[str], typer.Option("--topic", help="FIELD:LEVEL, such as energy:3; levels are 1 to 3.")],
    language: Annotated[list[str] | None, typer.Option("--language", help="Two letters; en when left out.")] = None,
    max_reviews: Annotated[int, typer.Option("--max", help="Reviews at the same time.")] = 5,
    affiliation: Annotated[str, typer.Option(help="Where they work.")] = "",
    away_until: Annotated[str, typer.Option(help="First day on which they review again, as 2026-12-01.")] = "",
    leave: Annotated[bool, typer.Option("--leave", help="Take them out of the pool.")] = False,
    form: FormatOption = Format.TEXT,
) -> None:
    """Take somebody into the pool, or change what is known of them (staff)."""
    from fucina.cli.reviews import expertise_of, parse_day
    from fucina.cli.runs import connect
    from fucina.client.wire_review import ReviewerRequest
    from fucina.config import load_settings

    with speaking(form):
        request = ReviewerRequest(
            username=username,
            expertise=expertise_of(topic),
            languages=tuple(language or ["en"]),
            max_reviews=max_reviews,
            affiliation=affiliation,
            away_until=parse_day(away_until),
            is_active=not leave,
        )
        with connect(load_settings()) as hub:
            made = hub.put_reviewer(request)
            if not show(made, form):
                say(f"{made.username}: {made.ref}, {'in the pool' if made.is_active else 'out of the pool'}.")


@app.command()
def tie(
    username: Annotated[str, typer.Argument(help="User name of the reviewer.")],
    organisation: Annotated[str, typer.Argument(help="Name or reference.")],
    collaboration: Annotated[
        bool, typer.Option("--collaboration", help="They worked together; else it is an interest.")
    ] = False,
    ended_on: Annotated[str, typer.Option(help="Of a collaboration, as 2025-06-30.")] = "",
    note: Annotated[str, typer.Option(help="What it is.")] = "",
    form: FormatOption = Format.TEXT,
) -> None:
    """Say that a reviewer is tied to an organisation; they will not review it."""
    from fucina.cli.reviews import parse_day
    from fucina.cli.runs import connect
    from fucina.client.wire_review import TieRequest
    from fucina.config import load_settings

    with speaking(form):
        kind = "collaboration" if collaboration else "declared"
        request = TieRequest.model_validate(
            {"organisation": organisation, "kind": kind, "ended_on": parse_day(ended_on), "note": note[:500]}
        )
        with connect(load_settings()) as hub:
            made = hub.declare_tie(username, request)
            if not show(made, form):
                say(f"{made.username} will not review {organisation}.")


@app.command()
def prepare(
    application: Annotated[str, typer.Argument(help="Application reference.")],
    topic: Annotated[list[str], typer.Option("--topic", help="What it is about.")],
    at: Annotated[
        list[str] | None, typer.Option("--at", help="SITE/PARTITION=HOURS; several are alternatives, best first.")
    ] = None,
    language: Annotated[str, typer.Option(help="That it is written in.")] = "en",
    form: FormatOption = Format.TEXT,
) -> None:
    """Say what an application is about and where it could run (staff)."""
    from fucina.cli.reviews import places_of
    from fucina.cli.runs import connect
    from fucina.client.wire_review import CaseRequest
    from fucina.config import load_settings

    with speaking(form):
        asks = tuple({place: hours} for place, hours in places_of(at or []))
        with connect(load_settings()) as hub:
            hub.prepare_case(application, CaseRequest(topics=tuple(topic), language=language, asks=asks))
            say(f"{application} is prepared.", form)


@app.command()
def assign(
    mode: Annotated[str, typer.Argument(help="Access mode, such as large-scale.")], form: FormatOption = Format.TEXT
) -> None:
    """Find the missing reviewers of every application in review (staff)."""
    from fucina.cli.runs import connect
    from fucina.config import load_settings

    with speaking(form), connect(load_settings()) as hub:
        found = hub.assign_reviewers(mode)
        if not show(found, form):
            say(f"{found.num_assigned} reviews assigned; {found.num_conflicts} pairs kept apart by a conflict.")
            rows = [(s.ref, str(s.missing), str(s.able), str(s.in_conflict)) for s in found.shortages]
            if rows:
                table("Too few reviewers", ("application", "missing", "able", "in conflict"), rows, right=(1, 2, 3))


@app.command(name="list")
def list_reviews(form: FormatOption = Format.TEXT) -> None:
    """List your reviews; staff see all but those of their own organisations."""
    from fucina.cli.runs import connect
    from fucina.config import load_settings

    with speaking(form), connect(load_settings()) as hub:
        found = hub.reviews()
        if not show(found, form):
            rows = [
                (
                    r.ref,
                    r.application,
                    r.project or "—",
                    r.organisation or "—",
                    r.reviewer,
                    r.state,
                    str(r.due_on or "—"),
                )
                for r in found
            ]
            table("", ("review", "application", "project", "organisation", "reviewer", "state", "due"), rows)


@app.command(name="show")
def show_review(ref: ReviewArgument, form: FormatOption = Format.TEXT) -> None:
    """Print one of your own reviews with its criteria, as YAML that `save` and `submit` read."""
    from fucina.cli.reviews import sheet_text
    from fucina.cli.runs import connect
    from fucina.config import load_settings

    with speaking(form), connect(load_settings()) as hub:
        sheet = hub.review(ref)
        if not show(sheet, form):
            typer.echo(sheet_text(sheet), nl=False)


@app.command()
def save(
    ref: ReviewArgument,
    file: Annotated[Path, typer.Argument(help="YAML as `fucina review show` prints it.")],
    form: FormatOption = Format.TEXT,
) -> None:
    """Keep a draft of your review."""
    from fucina.cli.reviews import read_sheet
    from fucina.cli.runs import connect
    from fucina.config import load_settings

    with speaking(form):
        request = read_sheet(file)
        with connect(load_settings()) as hub:
            made = hub.save_review(ref, request)
            if not show(made, form):
                say(f"{made.ref}: saved as version {made.version}; it is not submitted yet.")


@app.command()
def submit(
    ref: ReviewArgument,
    file: Annotated[Path, typer.Argument(help="YAML as `fucina review show` prints it.")],
    form: FormatOption = Format.TEXT,
) -> None:
    """Submit your review for good."""
    from fucina.cli.reviews import read_sheet
    from fucina.cli.runs import connect
    from fucina.config import load_settings

    with speaking(form):
        request = read_sheet(file)
        with connect(load_settings()) as hub:
            made = hub.submit_review(ref, request)
            if not show(made, form):
                say(f"{made.ref}: {made.state}. Thank you.")


@app.command()
def decline(
    ref: ReviewArgument,
    reason: Annotated[str, typer.Option(help="Why.")],
    conflict: Annotated[bool, typer.Option("--conflict", help="You have an interest in the organisation.")] = False,
    form: FormatOption = Format.TEXT,
) -> None:
    """Give a review back."""
    from fucina.cli.reviews import reason_request
    from fucina.cli.runs import connect
    from fucina.config import load_settings

    with speaking(form):
        request = reason_request(reason, is_conflict=conflict)
        with connect(load_settings()) as hub:
            made = hub.decline_review(ref, request)
            if not show(made, form):
                say(f"{made.ref}: {made.state}.")


@app.command()
def reopen(
    ref: ReviewArgument,
    reason: Annotated[str, typer.Option(help="Why.")],
    form: FormatOption = Format.TEXT,
) -> None:
    """Let a reviewer change what they submitted (staff)."""
    from fucina.cli.reviews import reason_request
    from fucina.cli.runs import connect
    from fucina.config import load_settings

    with speaking(form):
        request = reason_request(reason)
        with connect(load_settings()) as hub:
            made = hub.reopen_review(ref, request)
            if not show(made, form):
                say(f"{made.ref}: {made.state}; {made.reviewer} may change it.")


@app.command()
def late(form: FormatOption = Format.TEXT) -> None:
    """List applications that wait for longer than was promised (staff)."""
    from fucina.cli.runs import connect
    from fucina.config import load_settings

    with speaking(form), connect(load_settings()) as hub:
        found = hub.late()
        if not show(found, form):
            rows = [
                (r.application, r.organisation, r.state, str(r.due_on), str(r.working_days_late), r.seen_by or "—")
                for r in found
            ]
            table(
                "Late", ("application", "organisation", "state", "due", "working days", "taken up by"), rows, right=(4,)
            )
