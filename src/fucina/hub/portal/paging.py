"""One page of a long list."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest

PAGE_ROWS = 25

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """Where one is in a list and where one can go; 0 is nowhere."""

    number: int = 1
    last: int = 1
    previous: int = 0
    next: int = 0

    @property
    def is_needed(self) -> bool:
        """Whether there is more than one page."""
        return self.last > 1


def turn_to(request: HttpRequest, rows: "Sequence[T] | QuerySet[Any, T]") -> tuple[Sequence[T], Turn]:
    """The rows of the page that `?page=` names; what is no number is the first, what is too far the last."""
    page = Paginator(rows, PAGE_ROWS).get_page(request.GET.get("page"))
    turn = Turn(
        number=page.number,
        last=page.paginator.num_pages,
        previous=page.previous_page_number() if page.has_previous() else 0,
        next=page.next_page_number() if page.has_next() else 0,
    )
    return list(page.object_list), turn
