"""Everything that is written about scenarios."""

from datetime import datetime
from pathlib import Path

import yaml
from django.db import transaction

from fucina.client.wire_planning import (
    MAX_RESULT,
    MAX_TRACE,
    ScenarioKind,
    ScenarioRequest,
    ScenarioState,
)
from fucina.errors import BadInput, ErrorBody, WrongState
from fucina.hub.data.storage import hub_folder
from fucina.hub.people.actions import Actor, record
from fucina.hub.people.models import Person
from fucina.hub.planning.models import Scenario

MAX_SCENARIOS = 200
"""Of one person."""
MAX_WAITING = 5
"""Of one person; the rest of the people want theirs simulated too."""
OPTIONS = {
    ScenarioKind.CLUSTER: ("class", "p95-wait", "pool"),
    ScenarioKind.NETWORK: ("down", "days", "route"),
    ScenarioKind.TRAIN: ("model", "tokens", "system", "recipe", "gpus", "days", "precision"),
    ScenarioKind.GIGAFACTORY: (),
}
"""What may be given to each command; nothing that names a file."""
NEEDED = {ScenarioKind.TRAIN: ("model", "tokens", "system")}


class BadQuestion(BadInput):
    """A what-if question that the hub does not take."""

    code = "bad_question"


class TooManyScenarios(WrongState):
    """A person has as many as one may."""

    code = "too_many_scenarios"


class ScenarioIsOver(WrongState):
    """Nothing can be ended any more."""

    code = "scenario_is_over"


class ScenarioLives(WrongState):
    """It waits or runs, and cannot be deleted."""

    code = "scenario_lives"


def trace_file(ref: str) -> Path:
    """Where the trace of a scenario lies."""
    return hub_folder() / "scenarios" / f"{ref}.trace"


@transaction.atomic
def save_scenario(*, request: ScenarioRequest, trace_name: str = "", by: Person, at: datetime) -> Scenario:
    """Keep a question to be simulated, or one with its answer. Raises BadQuestion, TooManyScenarios."""
    Person.objects.select_for_update(no_key=True).get(pk=by.pk)
    question, options = _checked(request)
    mine = Scenario.objects.filter(person=by)
    if mine.count() >= MAX_SCENARIOS:
        raise TooManyScenarios(f"You have {MAX_SCENARIOS} scenarios already.", hint="Delete some that you do not need.")
    waiting = mine.filter(state__in=(ScenarioState.QUEUED, ScenarioState.RUNNING)).count()
    if request.result is None and waiting >= MAX_WAITING:
        raise TooManyScenarios(
            f"{waiting} of your scenarios wait or run already.", hint="Let one of them end, or cancel it."
        )
    done = request.result is not None
    row = Scenario.objects.create(
        person=by,
        name=" ".join(request.name.split()),
        kind=request.kind,
        question=question,
        options=options,
        trace_name=(trace_name or "trace") if request.trace else "",
        state=ScenarioState.SUCCEEDED if done else ScenarioState.QUEUED,
        result=request.result,
        created_at=at,
        ended_at=at if done else None,
    )
    if request.trace:
        target = trace_file(row.ref)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(request.trace, encoding="utf-8")
    record(by, "planning.save_scenario", row, at=at, data={"kind": str(request.kind), "answered": done})
    return row


def _checked(request: ScenarioRequest) -> tuple[str, dict[str, str]]:
    """The question without anything that names a file of the hub, and the options that the command knows."""
    if not " ".join(request.name.split()).isprintable() or not request.name.strip():
        raise BadQuestion("The name is empty or has characters that cannot be shown.", hint="Give a plain name.")
    allowed = OPTIONS[request.kind]
    options = {name: value.strip() for name, value in request.options.items() if value.strip()}
    for name, value in options.items():
        if name not in allowed:
            raise BadQuestion(
                f"`fucina plan {request.kind}` has no option {name!r} here.",
                hint=f"There are: {', '.join(allowed) or 'none'}.",
            )
        is_path = request.result is None and any(mark in value for mark in "/\\")
        if len(value) > 100 or not value.isprintable() or value.startswith("-") or is_path:
            raise BadQuestion(f"{name}: {value[:40]!r} cannot be given here.", hint="Give a plain word or number.")
    if missing := [name for name in NEEDED.get(request.kind, ()) if name not in options and request.result is None]:
        raise BadQuestion(f"`fucina plan {request.kind}` needs {', '.join(missing)}.", hint="Give these options.")
    if request.result is not None and len(str(request.result)) > MAX_RESULT:
        raise BadQuestion("The result is too large.", hint=f"At most {MAX_RESULT:,} characters.")
    if len(request.trace) > MAX_TRACE:
        raise BadQuestion("The trace is too large.", hint=f"At most {MAX_TRACE:,} characters.")
    return _question(request), options


def _question(request: ScenarioRequest) -> str:
    if not request.question.strip():
        if request.trace:
            raise BadQuestion("A trace needs a scenario with pools.", hint="Give the scenario as YAML.")
        return ""
    try:
        parsed = yaml.safe_load(request.question)
    except (yaml.YAMLError, RecursionError) as error:
        raise BadQuestion(f"The question is no YAML: {error}", hint="Check the line that it names.") from error
    if not isinstance(parsed, dict):
        raise BadQuestion("The question is no YAML mapping.", hint="Start from an example of `fucina plan`.")
    if request.result is not None:
        return request.question
    if parsed.get("trace") and not request.trace:
        raise BadQuestion("The scenario names a trace, which did not come with it.", hint="Send the trace beside it.")
    if request.trace:
        parsed["trace"] = "trace.txt"
        parsed.pop("classes", None)
    return yaml.safe_dump(parsed, sort_keys=False, allow_unicode=True)


@transaction.atomic
def cancel_scenario(*, scenario: Scenario, by: Actor, at: datetime) -> Scenario:
    """End what waits at once, and ask the worker to end what runs. Raises ScenarioIsOver."""
    row = Scenario.objects.select_for_update(no_key=True).get(pk=scenario.pk)
    if row.is_over:
        raise ScenarioIsOver(f"{row.ref} is over: {row.state}.", hint="There is nothing left to cancel.")
    row.cancel_asked = True
    if row.state == ScenarioState.QUEUED:
        row.state, row.ended_at = ScenarioState.CANCELLED, at
    row.save(update_fields=["cancel_asked", "state", "ended_at"])
    record(by, "planning.cancel_scenario", row, at=at)
    return row


@transaction.atomic
def delete_scenario(*, scenario: Scenario, by: Actor, at: datetime) -> None:
    """Delete a scenario with its trace. Raises ScenarioLives."""
    row = Scenario.objects.select_for_update(no_key=True).get(pk=scenario.pk)
    if not row.is_over:
        raise ScenarioLives(f"{row.ref} is {row.state}.", hint="Cancel it first.")
    record(by, "planning.delete_scenario", row, at=at, data={"name": row.name})
    ref = row.ref
    row.delete()
    transaction.on_commit(lambda: trace_file(ref).unlink(missing_ok=True))


@transaction.atomic
def take_next(*, silent_since: datetime, at: datetime) -> Scenario | None:
    """The scenario that waits longest, now running; one whose worker was lost comes again."""
    Scenario.objects.filter(state=ScenarioState.RUNNING, heard_at__lt=silent_since).update(state=ScenarioState.QUEUED)
    waiting = Scenario.objects.filter(state=ScenarioState.QUEUED).order_by("created_at", "pk")
    row = waiting.select_for_update(skip_locked=True, no_key=True).first()
    if row is None:
        return None
    row.state, row.started_at, row.heard_at = ScenarioState.RUNNING, at, at
    row.done = row.total = 0
    row.save(update_fields=["state", "started_at", "heard_at", "done", "total"])
    return row


def tell_progress(*, scenario: Scenario, done: int, total: int, at: datetime) -> bool:
    """Say how far it is; returns whether it should go on."""
    rows = Scenario.objects.filter(pk=scenario.pk, state=ScenarioState.RUNNING, started_at=scenario.started_at)
    return bool(rows.filter(cancel_asked=False).update(done=done, total=total, heard_at=at))


@transaction.atomic
def end_scenario(
    *, scenario: Scenario, result: dict[str, object] | None, problem: ErrorBody | None, by: Actor, at: datetime
) -> Scenario | None:
    """Keep the answer, or why there is none; nothing if somebody else has taken it over."""
    rows = Scenario.objects.select_for_update(no_key=True)
    row = rows.filter(pk=scenario.pk, state=ScenarioState.RUNNING, started_at=scenario.started_at).first()
    if row is None:
        return None
    if result is not None:
        row.state = ScenarioState.SUCCEEDED
        row.done = row.total
    else:
        row.state = ScenarioState.CANCELLED if row.cancel_asked else ScenarioState.FAILED
        problem = None if row.cancel_asked else problem
    row.result = result
    row.problem = problem.model_dump(mode="json") if problem else None
    row.ended_at = at
    row.save(update_fields=["state", "result", "problem", "ended_at", "done"])
    record(by, "planning.end_scenario", row, at=at, data={"state": str(row.state)})
    return row
