"""`{% state %}` and friends: one way each to show a state, a number, an instant and a bar."""

from collections.abc import Callable, Hashable
from datetime import UTC, datetime
from functools import cache, lru_cache, wraps
from typing import TypeVar

from django import template
from django.urls import get_script_prefix, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import get_language

from fucina.hub.portal import figures
from fucina.hub.portal.states import LEDGER_KINDS, ROLES, SHAPES, STAGES, UNITS, look

register = template.Library()

V = TypeVar("V", bound=Hashable)


def by_language(words: Callable[[V], str]) -> Callable[[V], str]:
    """The same words for the same value in one language, found once: tables repeat few numbers many times."""

    @lru_cache(maxsize=8192)
    def found(value: V, kind: type, language: str) -> str:
        return words(value)

    @wraps(words)
    def inner(value: V) -> str:
        return found(value, type(value), get_language() or "")

    return inner


register.filter("figure", by_language(figures.figure))
register.filter("percent", figures.percent)
register.filter("hours", by_language(figures.hours))
register.filter("count", figures.short_count)
register.filter("language_name", figures.language_name)
register.filter("size", figures.size)
register.filter("duration", figures.duration)


_SHAPE = (
    '<svg class="shape" viewBox="0 0 16 16" aria-hidden="true" focusable="false">'
    '<path fill-rule="evenodd" d="{}"/></svg>'
)


@register.simple_tag
def state(value: str) -> SafeString:
    """A state as word, shape and colour."""
    return _state(str(value), get_language() or "")


@cache
def _state(value: str, language: str) -> SafeString:
    shown = look(value)
    return format_html(
        '<span class="state state-{}">{}{}</span>',
        shown.colour,
        format_html(_SHAPE, SHAPES[shown.shape]),
        shown.word,
    )


@register.simple_tag
def shape(value: str) -> SafeString:
    """The shape of a state alone, where its word stands beside it anyway."""
    return _shape(str(value))


@cache
def _shape(value: str) -> SafeString:
    shown = look(value)
    return format_html('<span class="state-{}">{}</span>', shown.colour, format_html(_SHAPE, SHAPES[shown.shape]))


@register.simple_tag
def stage_dots(stages: tuple[tuple[str, str], ...]) -> SafeString:
    """Stages as a row of shapes; what they mean is said where shapes are not seen."""
    return _dots(stages, get_language() or "")


@lru_cache(maxsize=1024)
def _dots(stages: tuple[tuple[str, str], ...], language: str) -> SafeString:
    told = '<li>{}<span class="visually-hidden">{}: {}</span></li>'
    dots = format_html_join("", told, ((_shape(value), stage_name(stage), look(value).word) for stage, value in stages))
    return format_html('<ol class="dots">{}</ol>', dots)


@register.simple_tag
def instant(at: datetime | None) -> str:
    """An instant in UTC; the browser adds local time beside it."""
    if at is None:
        return figures.DASH
    return _instant(at.astimezone(UTC), get_language() or "")


@lru_cache(maxsize=8192)
def _instant(utc: datetime, language: str) -> SafeString:
    text = date_format(utc, "j M Y, H:i")
    return format_html('<time class="instant" datetime="{}">{} UTC</time>', figures.instant(utc), text)


@register.filter
def run_path(ref: str) -> str:
    """Address of a run's page."""
    return _path("portal:run", get_script_prefix(), ref)


@lru_cache(maxsize=8192)
def _path(name: str, prefix: str, ref: str) -> str:
    return reverse(name, args=[ref])


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
@by_language
def signed_hours(gpu_s: int) -> str:
    """GPU-hours with their sign."""
    text = figures.hours(abs(gpu_s))
    return f"+{text}" if gpu_s > 0 else f"−{text}" if gpu_s < 0 else text


@register.filter
@by_language
def signed(value: int) -> str:
    """A whole number with its sign."""
    text = figures.figure(abs(value))
    return f"+{text}" if value > 0 else f"−{text}" if value < 0 else text


@register.filter
def state_word(value: str) -> str | Promise:
    """The word of a state alone, for titles and hidden texts."""
    return look(value).word
