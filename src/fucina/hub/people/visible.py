"""One way to look something up: what a person may not see does not exist for that person."""

from typing import TypeVar

from django.db import models

from fucina.errors import NotVisible

M = TypeVar("M", bound=models.Model)


def get_visible(rows: models.QuerySet[M], ref: str) -> M:
    """The row with that reference among `rows`, which are those that the person may see.

    Raises NotVisible, in the same words for what is hidden and for what does not exist.
    """
    row = rows.filter(ref=ref).first() if "\x00" not in ref else None
    if row is None:
        kind = rows.model._meta.verbose_name
        raise NotVisible(
            f"There is no {kind} {ref!r} that you may see.", hint="Check the reference, and who you are signed in as."
        )
    return row
