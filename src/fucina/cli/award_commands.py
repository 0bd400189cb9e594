"""`fucina access accept`, `change`, `claw-back`, `report` and the like: a grant while it lasts."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fucina.cli.output import Format, FormatOption, say, show, speaking, table

if TYPE_CHECKING:
    from fucina.client.wire_access import GrantInfo

Ref = Annotated[str, typer.Argument(help="Application reference.")]


def add_to(app: typer.Typer) -> None:
    """Put the commands into a group."""
    app.command(name="grant")(grant)
    app.command()(accept)
    app.command()(change)
    app.command()(changes)
    app.command(name="decide-change")(decide_change)
    app.command(name="claw-back")(claw_back)
    app.command()(report)


def _say(found: "GrantInfo") -> None:
    say(
        f"{found.ref}: {found.used_gpu_hours:g} of {found.granted_gpu_hours:g} GPU-hours used, "
        f"{found.free_gpu_hours:g} free"
    )
    say(f"  ends {found.ends_at:%Y-%m-%d}" if found.ends_at else "  has no end")
    if found.needs_acceptance:
        say("  [yellow]not accepted yet[/yellow]; the terms are:")
        for term in found.terms:
            say(f"    {term}")
    if found.is_under_used:
        say("  [yellow]little used[/yellow] for the time that is over; free time may be taken back")
    if found.reported_at:
        say(f"  reported {found.reported_at:%Y-%m-%d}")


def grant(application: Ref, form: FormatOption = Format.TEXT) -> None:
    """Print the grant of an application: use, end, terms, report."""
    from fucina.cli.runs import connect
    from fucina.config import load_settings

    with speaking(form), connect(load_settings()) as hub:
        found = hub.grant(application)
        if not show(found, form):
            _say(found)


def accept(application: Ref, form: FormatOption = Format.TEXT) -> None:
    """Accept an award with its terms; before that its time cannot be used."""
    from fucina.cli.runs import connect
    from fucina.config import load_settings

    with speaking(form), connect(load_settings()) as hub:
        found = hub.accept_award(application)
        if not show(found, form):
            _say(found)


def change(
    application: Ref,
    kind: Annotated[str, typer.Argument(help="extension, supplement or transfer.")],
    reason: Annotated[str, typer.Option(help="Why.")],
    hours: Annotated[float | None, typer.Option(help="GPU-hours of a supplement or a transfer.")] = None,
    until: Annotated[datetime | None, typer.Option(help="New end of an extension, UTC.", formats=["%Y-%m-%d"])] = None,
    source: Annotated[str, typer.Option("--from", help="SITE/PARTITION that a transfer takes from.")] = "",
    target: Annotated[str, typer.Option("--to", help="SITE/PARTITION that it goes to.")] = "",
    form: FormatOption = Format.TEXT,
) -> None:
    """Ask for more time, more GPU-hours, or another partition."""
    from datetime import UTC

    from fucina.cli.access import checked
    from fucina.cli.runs import connect
    from fucina.client.wire_access import ChangeRequest
    from fucina.config import load_settings

    with speaking(form):
        fields = {"kind": kind, "reason": reason, "gpu_hours": hours, "source": source, "target": target}
        request = checked(ChangeRequest, {**fields, "ends_at": until.replace(tzinfo=UTC) if until else None})
        with connect(load_settings()) as hub:
            found = hub.ask_change(application, request)
            if not show(found, form):
                say(f"{found.ref}: {found.kind} {found.state}.")


def changes(form: FormatOption = Format.TEXT) -> None:
    """List requests for changes of grants."""
    from fucina.cli.runs import connect
    from fucina.config import load_settings

    with speaking(form), connect(load_settings()) as hub:
        found = hub.changes()
        if not show(found, form):
            rows = [(c.ref, c.application, c.kind, f"{c.gpu_hours:g}", c.state, c.reason) for c in found]
            table("", ("change", "application", "kind", "GPU-hours", "state", "reason"), rows, right=(3,))


def decide_change(
    ref: Annotated[str, typer.Argument(help="Reference of the change.")],
    agree: Annotated[bool, typer.Option("--agree/--refuse")],
    answer: Annotated[str, typer.Option(help="Why; the applicant reads it.")],
    form: FormatOption = Format.TEXT,
) -> None:
    """Agree to a change of a grant, or refuse it (staff; never of one's own organisation)."""
    from fucina.cli.access import checked
    from fucina.cli.runs import connect
    from fucina.client.wire_access import ChangeDecision
    from fucina.config import load_settings

    with speaking(form):
        request = checked(ChangeDecision, {"agreed": agree, "answer": answer})
        with connect(load_settings()) as hub:
            found = hub.decide_change(ref, request)
            if not show(found, form):
                say(f"{found.ref}: {found.state}.")


def claw_back(
    application: Ref,
    hours: Annotated[float, typer.Option(help="Free GPU-hours to take back.")],
    reason: Annotated[str, typer.Option(help="Why; the applicant reads it.")],
    form: FormatOption = Format.TEXT,
) -> None:
    """Take back free time of a grant that is little used (staff; never of one's own organisation)."""
    from fucina.cli.access import checked
    from fucina.cli.runs import connect
    from fucina.client.wire_access import ClawBackRequest
    from fucina.config import load_settings

    with speaking(form):
        request = checked(ClawBackRequest, {"gpu_hours": hours, "reason": reason})
        with connect(load_settings()) as hub:
            found = hub.claw_back(application, request)
            if not show(found, form):
                _say(found)


def report(
    application: Ref,
    results: Annotated[Path, typer.Argument(help="Text file with the results in words.")],
    form: FormatOption = Format.TEXT,
) -> None:
    """Hand in the final report; what was recorded of the grant is in it already."""
    from fucina.cli.access import checked, read_text
    from fucina.cli.runs import connect
    from fucina.client.wire_access import ReportRequest
    from fucina.config import load_settings

    with speaking(form):
        request = checked(ReportRequest, {"results": read_text(results)})
        with connect(load_settings()) as hub:
            found = hub.hand_in_report(application, request)
            if not show(found, form):
                _say(found)
