"""`{% state %}` and friends: one way each to show a state, a number, an instant and a bar."""

from datetime import UTC, datetime

from django import template
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise

from fucina.hub.portal import figures
from fucina.hub.portal.states import LEDGER_KINDS, ROLES, SHAPES, STAGES, UNITS, look

register = template.Library()

register.filter("figure", figures.figure)
register.filter("percent", figures.percent)
register.filter("hours", figures.hours)
register.filter("count", figures.short_count)
register.filter("language_name", figures.language_name)
register.filter("size", figures.size)
register.filter("duration", figures.duration)


@register.inclusion_tag("portal/parts/state.html")
def state(value: str) -> dict[str, object]:
    """A state as word, shape and colour."""
    shown = look(value)
    return {"word": shown.word, "path": SHAPES[shown.shape], "colour": shown.colour}


@register.inclusion_tag("portal/parts/shape.html")
def shape(value: str) -> dict[str, object]:
    """The shape of a state alone, where its word stands beside it anyway."""
    shown = look(value)
    return {"path": SHAPES[shown.shape], "colour": shown.colour}


@register.inclusion_tag("portal/parts/instant.html")
def instant(at: datetime | None) -> dict[str, object]:
    """An instant in UTC; the browser adds local time beside it."""
    if at is None:
        return {"attribute": "", "text": figures.DASH}
    utc = at.astimezone(UTC)
    return {"attribute": figures.instant(utc), "text": f"{date_format(utc, 'j M Y, H:i')} UTC"}


@register.simple_tag
def ago(at: datetime) -> str:
    """How long ago, in words."""
    return figures.ago(at, now=timezone.now())


@register.inclusion_tag("portal/parts/balance_bar.html")
def balance_bar(granted: int, used: int, held: int) -> dict[str, object]:
    """Used, held and free share of a grant as one bar of 1000 units."""
    whole = max(granted, used + held, 1)
    used_units = round(used / whole * 1000)
    held_units = round((used + held) / whole * 1000) - used_units
    return {"used": used_units, "held": held_units, "held_from": used_units, "over": used + held > granted}


@register.filter
def stage_name(stage: str) -> str | Promise:
    """A stage as people call it."""
    return STAGES[str(stage)][0] if str(stage) in STAGES else str(stage)


@register.filter
def stage_purpose(stage: str) -> str | Promise:
    """What a stage is for."""
    return STAGES[str(stage)][1] if str(stage) in STAGES else ""


@register.filter
def ledger_kind(kind: str) -> str | Promise:
    """A kind of ledger entry as people call it."""
    return LEDGER_KINDS.get(str(kind), str(kind))


@register.filter
def unit(name: str) -> str | Promise:
    """What a stage counts, as people call it."""
    return UNITS.get(str(name), str(name))


@register.filter
def role(name: str) -> str | Promise:
    """What a member may do, in a word."""
    return ROLES.get(str(name), str(name))


@register.filter
def signed_hours(gpu_s: int) -> str:
    """GPU-hours with their sign."""
    text = figures.hours(abs(gpu_s))
    return f"+{text}" if gpu_s > 0 else f"−{text}" if gpu_s < 0 else text


@register.filter
def signed(value: int) -> str:
    """A whole number with its sign."""
    text = figures.figure(abs(value))
    return f"+{text}" if value > 0 else f"−{text}" if value < 0 else text


@register.filter
def state_word(value: str) -> str | Promise:
    """The word of a state alone, for titles and hidden texts."""
    return look(value).word
