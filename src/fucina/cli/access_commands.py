"""`fucina access ...`: modes and calls, drafts, and the way of an application."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fucina.cli import award_commands
from fucina.cli.output import Format, FormatOption, say, show, speaking, table

if TYPE_CHECKING:
    from fucina.client.wire_access import ApplicationDetail

app = typer.Typer(help="Access modes and calls, and the way of an application.", no_args_is_help=True)
modes_app = typer.Typer(help="Access modes and calls on offer.", no_args_is_help=True)
app.add_typer(modes_app, name="mode")
award_commands.add_to(app)


@modes_app.command(name="list")
def list_modes(form: FormatOption = Format.TEXT) -> None:
    """List access modes with whether they are open, and until when."""
    from fucina.cli.runs import connect
    from fucina.config import load_settings

    with speaking(form), connect(load_settings()) as hub:
        found = hub.modes()
        if not show(found, form):
            rows = [
                (
                    mode.id,
                    mode.name.get("en", mode.id),
                    str(mode.valid_from),
                    "open" if mode.is_open else "closed",
                    f"{mode.next_cut_off:%Y-%m-%d %H:%M}" if mode.next_cut_off else "—",
                    "—" if mode.working_days is None else str(mode.working_days),
                )
                for mode in found
            ]
            columns = ("mode", "name", "valid from", "state", "next cut-off", "working days")
            table("", columns, rows, right=(5,))


@modes_app.command(name="show")
def show_mode(
    mode: Annotated[str, typer.Argument(help="Mode, such as fast-lane.")], form: FormatOption = Format.TEXT
) -> None:
    """Print a mode as YAML, to be changed and added again."""
    from fucina.cli.runs import connect
    from fucina.config import load_settings

    with speaking(form), connect(load_settings()) as hub:
        found = hub.mode(mode)
        if not show(found, form):
            typer.echo(found.text, nl=False)


@modes_app.command(name="add")
def add_mode(
    file: Annotated[Path, typer.Argument(help="YAML file with one mode, or with several under modes:.")],
    form: FormatOption = Format.TEXT,
) -> None:
    """Put a mode or call on offer (staff); applications that run keep the version that they were made under."""
    from fucina.cli.access import read_text
    from fucina.cli.runs import connect
    from fucina.config import load_settings

    with speaking(form):
        text = read_text(file)
        with connect(load_settings()) as hub:
            saved = hub.save_modes(text)
            if not show(saved, form):
                for mode in saved.modes:
                    say(f"{mode.id} is on offer from {mode.valid_from}.")


Ref = Annotated[str, typer.Argument(help="Application reference.")]


def _say_detail(found: "ApplicationDetail") -> None:
    say(f"{found.ref}: {found.state}, version {found.version}, mode {found.access_mode}, {found.organisation}")
    for event in found.events:
        reason = f": {event.reason}" if event.reason else ""
        say(f"  {event.at:%Y-%m-%d %H:%M} {event.who} {event.move}, {event.before} → {event.after}{reason}")
    for person in found.co_applicants:
        say(f"  co-applicant {person.name} ({person.username}): {person.state}")
    for file in found.attachments:
        say(f"  attachment {file.name}, {file.num_bytes:,} bytes, {file.media_type}")
    for gap in found.missing:
        say(f"  [yellow]missing[/yellow] {gap.field}: {gap.code} {gap.wanted}".rstrip())
    if found.moves:
        say(f"  you may: {', '.join(found.moves)}")


@app.command()
def draft(
    mode: Annotated[str, typer.Argument(help="Access mode, such as fast-lane.")],
    organisation: Annotated[str, typer.Option(help="Name or reference of your organisation.")],
    form: FormatOption = Format.TEXT,
) -> None:
    """Begin an application; what earlier ones answered is taken over."""
    from fucina.cli.access import checked
    from fucina.cli.runs import connect
    from fucina.client.wire_access import DraftStart
    from fucina.config import load_settings

    with speaking(form):
        request = checked(DraftStart, {"organisation": organisation, "access_mode": mode})
        with connect(load_settings()) as hub:
            found = hub.start_draft(request)
            if not show(found, form):
                _say_detail(found)
                say(f"Next: fucina access questions {found.ref} > answers.yaml")


@app.command()
def questions(application: Ref) -> None:
    """Print a draft's fields, questions and answers as YAML, to be filled in and saved."""
    from fucina.cli.access import answers_text
    from fucina.cli.runs import connect
    from fucina.config import load_settings

    with speaking(Format.TEXT), connect(load_settings()) as hub:
        typer.echo(answers_text(hub.application_detail(application)), nl=False)


@app.command()
def save(
    application: Ref,
    file: Annotated[Path, typer.Argument(help="YAML as `fucina access questions` prints it.")],
    form: FormatOption = Format.TEXT,
) -> None:
    """Save a draft; what is missing is listed. Refused when somebody else has saved meanwhile."""
    from fucina.cli.access import read_answers
    from fucina.cli.runs import connect
    from fucina.config import load_settings

    with speaking(form):
        request = read_answers(file)
        with connect(load_settings()) as hub:
            found = hub.save_draft(application, request)
            if not show(found, form):
                _say_detail(found)


@app.command()
def submit(application: Ref, form: FormatOption = Format.TEXT) -> None:
    """Submit a draft when nothing is missing."""
    from fucina.cli.runs import connect
    from fucina.config import load_settings

    with speaking(form), connect(load_settings()) as hub:
        found = hub.submit_draft(application)
        if not show(found, form):
            say(f"{found.ref}: {found.state}.")


@app.command(name="show")
def show_application(application: Ref, form: FormatOption = Format.TEXT) -> None:
    """Print an application's timeline, files, co-applicants, and what you may do."""
    from fucina.cli.runs import connect
    from fucina.config import load_settings

    with speaking(form), connect(load_settings()) as hub:
        found = hub.application_detail(application)
        if not show(found, form):
            _say_detail(found)


@app.command()
def attach(
    application: Ref,
    file: Annotated[Path, typer.Argument(help="PDF, PNG, JPEG or plain text.")],
    form: FormatOption = Format.TEXT,
) -> None:
    """Add a file to a draft; its content is checked."""
    from fucina.cli.access import check_attachment
    from fucina.cli.runs import connect
    from fucina.config import load_settings

    with speaking(form):
        check_attachment(file)
        with connect(load_settings()) as hub:
            found = hub.attach(application, file)
            if not show(found, form):
                say(f"{found.name}: {found.num_bytes:,} bytes, {found.media_type}.")


@app.command()
def invite(
    application: Ref,
    username: Annotated[str, typer.Argument(help="User name of who shall apply as well.")],
    form: FormatOption = Format.TEXT,
) -> None:
    """Ask somebody to apply as well."""
    from fucina.cli.runs import connect
    from fucina.config import load_settings

    with speaking(form), connect(load_settings()) as hub:
        found = hub.invite(application, username)
        if not show(found, form):
            _say_detail(found)


@app.command()
def answer(
    application: Ref,
    accept: Annotated[bool, typer.Option("--accept/--decline")],
    form: FormatOption = Format.TEXT,
) -> None:
    """Say yes or no to an invitation to apply as well."""
    from fucina.cli.runs import connect
    from fucina.config import load_settings

    with speaking(form), connect(load_settings()) as hub:
        found = hub.answer_invitation(application, accept=accept)
        if not show(found, form):
            say(f"{found.ref}: {'you apply as well' if accept else 'you do not apply'}.")


@app.command()
def move(
    application: Ref,
    name: Annotated[str, typer.Argument(help="Such as checked, return, reply, appeal, withdraw.")],
    reason: Annotated[str, typer.Option(help="Why; the other side reads it.")] = "",
    form: FormatOption = Format.TEXT,
) -> None:
    """Make one move of an application; `fucina access show` names those that you may make."""
    from fucina.cli.access import checked
    from fucina.cli.runs import connect
    from fucina.client.wire_access import MoveRequest
    from fucina.config import load_settings

    with speaking(form):
        request = checked(MoveRequest, {"move": name, "reason": reason})
        with connect(load_settings()) as hub:
            found = hub.move_application(application, request)
            if not show(found, form):
                say(f"{found.ref}: {found.state}.")


@app.command()
def letter(
    application: Ref,
    pdf: Annotated[Path, typer.Option(help="File to write the letter to.")],
) -> None:
    """Fetch the letter of a decision as PDF, in the applicant's language."""
    from fucina.cli.reconciliation import check_target
    from fucina.cli.runs import connect
    from fucina.config import load_settings

    with speaking(Format.TEXT):
        check_target(pdf)
        with connect(load_settings()) as hub:
            hub.fetch_letter(application, pdf)
            say(f"{pdf} is written.")
