"""What the commands of reviewing and ranking read and print."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import yaml
from pydantic import ValidationError

from fucina.cli.output import say, table
from fucina.client.wire_review import RankingInfo, ReasonRequest, ReviewRequest, ReviewSheet
from fucina.errors import BadInput


class BadSheet(BadInput):
    """A review file or option that cannot be read."""

    code = "bad_sheet"


def expertise_of(topics: Sequence[str]) -> dict[str, int]:
    """`FIELD:LEVEL` as level by field. Raises BadSheet."""
    known = {}
    for text in topics:
        name, colon, level = text.rpartition(":")
        if not colon or not level.isdecimal():
            raise BadSheet(f"{text!r} is not FIELD:LEVEL.", hint="Write it as energy:3.")
        known[name] = int(level)
    return known


def parse_day(text: str) -> date | None:
    """A day, or None for nothing. Raises BadSheet."""
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise BadSheet(f"{text!r} is not a day.", hint="Write it as 2026-12-01.") from error


def places_of(texts: Sequence[str]) -> list[tuple[str, float]]:
    """`SITE/PARTITION=HOURS` as pairs. Raises BadSheet."""
    pairs = []
    for text in texts:
        place, equals, amount = text.rpartition("=")
        try:
            hours = float(amount)
        except ValueError:
            hours = -1.0
        if not equals or not 0 <= hours < 1e12:
            raise BadSheet(f"{text!r} is not SITE/PARTITION=HOURS.", hint="Write it as lumi/lumi-g=250000.")
        pairs.append((place, hours))
    return pairs


def reason_request(reason: str, *, is_conflict: bool = False) -> ReasonRequest:
    """A reason. Raises BadSheet."""
    try:
        return ReasonRequest(reason=reason, is_conflict=is_conflict)
    except ValidationError as error:
        raise BadSheet("The reason needs 3 to 4,000 characters.", hint="Say why in a sentence.") from error


def sheet_text(sheet: ReviewSheet) -> str:
    """A review as YAML to fill in, the criteria and the application as comments."""
    told = [
        f"# {sheet.ref} on {sheet.application}: {sheet.project or 'a blind review'}, {sheet.gpu_hours:,.0f} GPU-hours",
        *(f"# {line}" for line in sheet.purpose.splitlines()),
        *(f"# {c.id}: 0 to {c.max_score:g} by {sheet.step:g}, threshold {c.threshold:g}" for c in sheet.criteria),
    ]
    names = [criterion.id for criterion in sheet.criteria]
    body = {
        "version": sheet.version,
        "scores": {name: sheet.scores.get(name) for name in names},
        "reasons": {name: sheet.reasons.get(name, "") for name in names},
        "remark": sheet.remark,
    }
    return "\n".join(told) + "\n" + yaml.safe_dump(body, sort_keys=False, allow_unicode=True)


def read_sheet(path: Path) -> ReviewRequest:
    """A filled-in sheet; scores without a value are left out. Raises BadSheet."""
    try:
        body = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadSheet(
            f"{path} cannot be read: {error}", hint="Begin with what `fucina review show` prints."
        ) from error
    if not isinstance(body, dict):
        raise BadSheet(f"{path} holds no review.", hint="Begin with what `fucina review show` prints.")
    for part in ("scores", "reasons"):
        if isinstance(body.get(part), dict):
            body[part] = {name: value for name, value in body[part].items() if value is not None}
    try:
        return ReviewRequest.model_validate(body)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"]) or "the file"
        raise BadSheet(f"{path}, {where}: {first['msg']}.", hint="Compare it with `fucina review show`.") from error


def print_ranking(ranking: RankingInfo) -> None:
    """Partitions, then places with their reasons."""
    state = f"confirmed by {ranking.confirmed_by}" if ranking.confirmed_at else "a proposal; nothing is decided"
    say(f"{ranking.ref} of {ranking.mode}: {state}.")
    say(
        f"{ranking.points:,.1f} points; down the list {ranking.greedy_points:,.1f}; at most {ranking.bound:,.1f}. "
        f"Overbooking {ranking.overbooking:g}."
    )
    columns = ("partition", "there", "limit", "awarded", "over", "asked")
    uses = [
        (u.partition, *(f"{value:,.0f}" for value in (u.capacity, u.limit, u.awarded, u.over, u.asked)))
        for u in ranking.uses
    ]
    table("GPU-hours", columns, uses, right=range(1, 6))
    places = [
        (str(p.rank), p.application, p.project, p.organisation, f"{p.points:g}", p.outcome, p.reason)
        for p in ranking.places
    ]
    table(
        "Places", ("rank", "application", "project", "organisation", "points", "outcome", "why"), places, right=(0, 4)
    )
