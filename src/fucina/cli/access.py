"""Organisation, application and grant, from a project file."""

from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from fucina.access.attachment_kinds import check_name, check_size, kind_of
from fucina.cli.output import Format, say, show
from fucina.client.hub import Hub
from fucina.client.wire import ApplicationInfo, ApplicationRequest, DecisionRequest, OrganisationRequest, ProjectInfo
from fucina.client.wire_access import ApplicationDetail, DraftSave
from fucina.errors import BadInput, WrongState
from fucina.line.spec import ProjectSpec

R = TypeVar("R", bound=BaseModel)


class BadDecision(BadInput):
    """A decision that cannot be sent."""

    code = "bad_decision"


class NoGrant(WrongState):
    """The project has no accelerator time."""

    code = "no_grant"


class BadAnswers(BadInput):
    """Answers that cannot be sent."""

    code = "bad_answers"


class UnreadableFile(BadInput):
    """A file that is not there or is no text."""

    code = "unreadable_file"


def read_text(path: Path) -> str:
    """The text of a file. Raises UnreadableFile."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UnreadableFile(f"{path} cannot be read: {reason}.", hint="Give a text file in UTF-8.") from error


def checked(kind: type[R], fields: object) -> R:
    """A request from what was typed. Raises BadAnswers, naming the first thing that is wrong."""
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise BadAnswers(f"{where}: {first['msg']}.", hint="Compare it with `fucina access questions REF`.") from error


def answers_text(found: ApplicationDetail) -> str:
    """A draft as YAML: each question stands above its answer."""
    fields = {"version": found.version, "project": found.project, "purpose": found.purpose, "sector": found.sector}
    lines = [yaml.safe_dump({**fields, "gpu_hours": found.gpu_hours or None}, allow_unicode=True, sort_keys=False)]
    lines.append("answers:\n" if found.questions else "answers: {}\n")
    for question in found.questions:
        wants = f" One of: {', '.join(question.choices)}." if question.choices else ""
        lines.append(f"  # {question.text.get('en', question.id)} ({question.kind}).{wants}\n")
        value = found.answers.get(question.id, "")
        text = yaml.safe_dump({question.id: value}, allow_unicode=True, width=100)
        lines += [f"  {line}\n" for line in text.splitlines()]
    return "".join(lines)


def read_answers(path: Path) -> DraftSave:
    """The file that `answers_text` began. Raises UnreadableFile, BadAnswers."""
    try:
        content = yaml.safe_load(read_text(path))
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise BadAnswers(f"{path} is no YAML: {str(error)[:300]}", hint="Mind indentation and colons.") from error
    if not isinstance(content, dict):
        raise BadAnswers(f"{path} has no fields.", hint="Begin with `fucina access questions REF`.")
    plain = {name: value for name, value in content.items() if value is not None}
    if isinstance(plain.get("answers"), dict):
        plain["answers"] = {name: value for name, value in plain["answers"].items() if value not in (None, "")}
    return checked(DraftSave, plain)


def check_attachment(path: Path) -> None:
    """Raises what the hub would, before anything is sent; UnreadableFile."""
    try:
        size = path.stat().st_size
        check_size(size)
        kind_of(path.read_bytes(), name=check_name(path.name))
    except OSError as error:
        raise UnreadableFile(f"{path} cannot be read: {error.strerror}.", hint="Give a file.") from error


def ensure_organisation(hub: Hub, name: str, form: Format) -> str:
    """Reference of the organisation of that name, founded if the person has none of that name."""
    for known in hub.organisations():
        if known.name.casefold() == name.casefold():
            return known.ref
    made = hub.add_organisation(OrganisationRequest(name=name))
    say(f"[green]✓[/green] organisation  {made.name} ({made.ref})", form)
    return made.ref


def apply_for(hub: Hub, spec: ProjectSpec, *, mode: str, hours: float | None, form: Format) -> ApplicationInfo:
    """Apply for the project's hours and say what the check and the decision were."""
    made = _apply(hub, spec, mode=mode, hours=hours, form=form)
    if not show(made, form):
        say(f"[green]✓[/green] application   {made.ref} for {made.gpu_hours:g} GPU-hours, mode {made.access_mode}")
        for finding in made.findings:
            say(f"    {'✓' if finding.passed else '✗'} {finding.message}")
        granted = f", {made.granted_gpu_hours:g} GPU-hours" if made.granted_gpu_hours else ""
        say(
            f"[green]✓[/green] decision      {made.state}{granted}. {made.reason}"
            if made.decided_at
            else f"  It is {made.state}."
        )
    return made


def ensure_project(hub: Hub, spec: ProjectSpec, form: Format) -> ProjectInfo:
    """The project with its grant; on a factory of one's own the application is made and decided by rule.

    Raises NoGrant when the application still waits for a person.
    """
    known = _find(hub, spec)
    if known is None:
        made = _apply(hub, spec, mode="local", hours=None, form=form)
        known = _find(hub, spec)
        if known is None:
            raise NoGrant(
                f"Application {made.ref} is {made.state}: {made.reason or 'not decided yet'}.",
                hint="Run again once it is granted.",
            )
        say(
            f"[green]✓[/green] grant         {made.granted_gpu_hours:g} GPU-hours by {made.ref}: {made.reason}",
            form,
        )
    return known


def decision(*, granted: bool, hours: float | None, reason: str, split: list[str]) -> DecisionRequest:
    """A decision with its split, each part written `SITE/PARTITION=HOURS`. Raises BadDecision."""
    try:
        shares = [{"place": part.partition("=")[0], "gpu_hours": part.partition("=")[2]} for part in split]
        return DecisionRequest.model_validate(
            {"granted": granted, "gpu_hours": hours, "reason": reason, "split": shares}
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise BadDecision(
            f"{field}: {first['msg']}; it is {first['input']!r:.80}.",
            hint="Write parts as --split SITE/PARTITION=HOURS.",
        ) from error


def _find(hub: Hub, spec: ProjectSpec) -> ProjectInfo | None:
    for project in hub.projects():
        if project.name == spec.name and project.organisation.casefold() == spec.organisation.casefold():
            return project
    return None


def _apply(hub: Hub, spec: ProjectSpec, *, mode: str, hours: float | None, form: Format) -> ApplicationInfo:
    return hub.apply(
        ApplicationRequest(
            organisation=ensure_organisation(hub, spec.organisation, form),
            project=spec.name,
            purpose=spec.purpose,
            sector=spec.sector,
            access_mode=mode,
            gpu_hours=hours or spec.compute.gpu_hours,
        )
    )
