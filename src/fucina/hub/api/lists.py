"""Lists leave the API as they were built: checked once, written once."""

from collections.abc import Sequence
from functools import cache

from django.http import HttpResponse
from pydantic import BaseModel, TypeAdapter


@cache
def _writer(kind: type[BaseModel]) -> TypeAdapter[list[BaseModel]]:
    return TypeAdapter(list[kind])  # type: ignore[valid-type]


def list_answer(kind: type[BaseModel], items: Sequence[BaseModel]) -> HttpResponse:
    """A list of answers of one type, as JSON."""
    return HttpResponse(_writer(kind).dump_json(list(items)), content_type="application/json; charset=utf-8")
