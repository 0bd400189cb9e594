"""`fucina advise`: whether you are eligible, for what, where, at what cost and by when; no hub is needed."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fucina.cli.output import Format, FormatOption, say, show, speaking, table
from fucina.errors import BadInput

if TYPE_CHECKING:
    from fucina.access.adviser import Advice
    from fucina.access.intake import Intake

SIGNS = {"yes": "✓", "ask": "?", "no": "✗"}


class NothingAsked(BadInput):
    """No answers and nobody to ask."""

    code = "nothing_asked"


class Language(StrEnum):
    """Of the answer."""

    EN = "en"
    IT = "it"


def advise(
    project: Annotated[Path | None, typer.Option(help="A project.yaml; size, tokens and purpose come from it.")] = None,
    intake: Annotated[Path | None, typer.Option(help="A YAML file with the answers.")] = None,
    who: Annotated[
        str | None, typer.Option(help="company, university, research-institute, public-body or person.")
    ] = None,
    country: Annotated[str | None, typer.Option(help="Of the organisation, in two letters.")] = None,
    language: Annotated[Language, typer.Option(help="Of the answer.")] = Language.EN,
    form: FormatOption = Format.TEXT,
) -> None:
    """Say whether you are eligible, for what, where, at what cost and by when; asks in a terminal."""
    from datetime import UTC, datetime

    from fucina.access.adviser import advise as find_advice

    with speaking(form):
        answers = _answers(project, intake, who=who, country=country, language=language)
        advice = find_advice(answers, now=datetime.now(UTC))
        if not show(advice, form):
            _tell(advice, answers.language)


def is_terminal() -> bool:
    """Whether somebody can be asked."""
    return sys.stdin.isatty()


def _answers(
    project: Path | None, intake: Path | None, *, who: str | None, country: str | None, language: Language
) -> "Intake":
    """Answers from a file, a project, or the person at the terminal. Raises NothingAsked, BadIntake."""
    from fucina.access.intake import from_project, load_intake, read_intake
    from fucina.line.project_file import load_project

    if project is not None and intake is not None:
        raise NothingAsked("Both --project and --intake were given.", hint="Give one of the two.")
    given = {"who": who, "country": country}
    if intake is not None:
        known = load_intake(intake).model_dump(exclude_unset=True)
        more = {name: value for name, value in given.items() if value is not None}
        return read_intake(known | more | ({"language": str(language)} if language is not Language.EN else {}))
    if project is None and not is_terminal():
        raise NothingAsked(
            "There are no answers, and no terminal to ask in.", hint="Give --intake FILE, or --project FILE with --who."
        )
    for name, question in (("who", "Who are you? company, university, research-institute, public-body, person"),
                           ("country", "In which country? Two letters")):  # fmt: skip
        if given[name] is None and not is_terminal():
            raise NothingAsked(f"A project file does not say {name}.", hint=f"Give --{name}.")
        given[name] = given[name] or typer.prompt(question, err=True)
    if project is not None:
        return from_project(load_project(project), **given, language=str(language))
    return read_intake(given | _questions(str(given["who"])) | {"language": str(language)})


def _questions(who: str) -> dict[str, Any]:
    """What else to ask, each with a way to say that one does not know."""
    from datetime import date

    from fucina.access.intake import Experience, Goal, Sensitivity

    def choice(question: str, options: type[StrEnum], usual: str) -> str:
        return typer.prompt(f"{question} {', '.join(options)}", default=usual, err=True)

    def maybe(question: str) -> str:
        return typer.prompt(f"{question} (empty: I do not know)", default="", show_default=False, err=True)

    answers: dict[str, Any] = {
        "goal": choice("What do you want to do?", Goal, Goal.UNSURE),
        "experience": choice("Have you used a supercomputer?", Experience, Experience.NONE),
        "sensitivity": choice("What are the data?", Sensitivity, Sensitivity.INTERNAL),
    }
    if answers["goal"] in (Goal.USE, Goal.FINE_TUNE, Goal.CONTINUE, Goal.PRETRAIN):
        answers["parameters"] = maybe("How large is the model? Such as 8B") or None
        answers["text_gb"] = maybe("How many gigabytes of text?") or None
    if who == "company":
        people = maybe("How many people work in the company, in annual work units?")
        if people:
            turnover = maybe("Turnover of the last closed year, EUR") or "0"
            balance = maybe("Balance sheet total of that year, EUR") or "0"
            year = date.today().year - 1  # noqa: DTZ011 - the year of the accounts, not an instant
            period = {"year": year, "people": people, "turnover_eur": turnover, "balance_eur": balance}
            answers["periods"] = [period]
    return answers


def _tell(advice: "Advice", language: str) -> None:
    """The answer for people."""
    from fucina.access.words import number

    say(f"[bold]{_plain(advice.summary)}[/bold]")
    if advice.size is not None:
        say(f"\n{_plain(advice.size.name)}, {_plain(advice.size.source)}")
        for reason in advice.size.reasons:
            say(f"  {_plain(reason)}")
    for reason in advice.need.reasons:
        say(f"  {_plain(reason)}")
    if advice.first:
        say("")
    for help_ in advice.first:
        say(f"→ {_plain(help_.text)}")
    rows = [
        (
            SIGNS[route.standing],
            route.name,
            str(route.decision_on or "—"),
            next((f.message for f in route.findings if f.standing == route.standing != "yes"), route.cost),
        )
        for route in advice.routes
    ]
    say("")
    table("Access modes", ("", "mode", "decided by", "why"), rows)
    machines = [
        (
            "✓" if place.fits else "✗",
            place.name,
            "—" if place.gpu_hours is None else number(place.gpu_hours, language),
            "—" if place.node_hours is None else number(place.node_hours, language),
            "; ".join((*place.against, *place.open)),
        )
        for place in advice.places
    ]
    if machines:
        say("")
        table("Machines", ("", "partition", "GPU-hours", "node-hours", "to know"), machines, right=(2, 3))


def _plain(text: str) -> str:
    """Text from elsewhere, so that brackets in it are no markup."""
    return text.replace("[", "\\[")
