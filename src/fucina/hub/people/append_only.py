"""Tables that only grow: refused in the model, and by a trigger for whoever goes round it."""

from collections.abc import Callable, Iterable
from typing import Any, NoReturn, TypeVar

from django.db import models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models.base import ModelBase

from fucina.errors import WrongState

M = TypeVar("M", bound=models.Model)


class AppendOnlyViolated(WrongState):
    """Someone tried to rewrite what happened."""

    code = "append_only"

    def __init__(self, table: str) -> None:
        super().__init__(
            f"{table} only grows; nothing in it is changed or deleted.", hint="Add an entry that corrects it."
        )


class AppendOnlyQuerySet(models.QuerySet[M]):
    """Reads and creates; no bulk change."""

    def update(self, **kwargs: Any) -> NoReturn:
        """Raises AppendOnlyViolated."""
        raise AppendOnlyViolated(self.model._meta.db_table)

    def delete(self) -> NoReturn:
        """Raises AppendOnlyViolated."""
        raise AppendOnlyViolated(self.model._meta.db_table)


class AppendOnly(models.Model):
    """A row that is written once."""

    class Meta:
        abstract = True

    def save(
        self,
        *,
        force_insert: bool | tuple[ModelBase, ...] = False,
        force_update: bool = False,
        using: str | None = None,
        update_fields: Iterable[str] | None = None,
    ) -> None:
        """Insert, never update. Raises AppendOnlyViolated."""
        if not self._state.adding:
            raise AppendOnlyViolated(self._meta.db_table)
        super().save(force_insert=True, using=using)

    def delete(self, using: str | None = None, keep_parents: bool = False) -> NoReturn:
        """Raises AppendOnlyViolated."""
        raise AppendOnlyViolated(self._meta.db_table)


def create_triggers(schema_editor: BaseDatabaseSchemaEditor, table: str) -> None:
    """Make the database itself refuse to change or delete a row of `table`."""
    for statement in _statements(schema_editor.connection.vendor, table):
        schema_editor.execute(statement)


def drop_triggers(schema_editor: BaseDatabaseSchemaEditor, table: str) -> None:
    """Undo `create_triggers`."""
    on_table = f" ON {table}" if schema_editor.connection.vendor == "postgresql" else ""
    for event in ("update", "delete"):
        schema_editor.execute(f"DROP TRIGGER IF EXISTS {table}_no_{event}{on_table}")


def _statements(vendor: str, table: str) -> list[str]:
    message = f"{table} only grows"
    if vendor == "sqlite":
        return [
            f"CREATE TRIGGER IF NOT EXISTS {table}_no_{event} BEFORE {event.upper()} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
            for event in ("update", "delete")
        ]
    return [
        f"CREATE OR REPLACE FUNCTION {table}_only_grows() RETURNS trigger AS "
        f"'BEGIN RAISE EXCEPTION ''{message}''; END' LANGUAGE plpgsql",
        *(
            f"CREATE OR REPLACE TRIGGER {table}_no_{event} BEFORE {event.upper()} ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION {table}_only_grows()"
            for event in ("update", "delete")
        ),
    ]


def forbid_changes(table: str) -> tuple[Callable[..., None], Callable[..., None]]:
    """The two halves of a migration step: `RunPython(*forbid_changes("people_auditrecord"))`."""

    def forwards(_apps: object, schema_editor: BaseDatabaseSchemaEditor) -> None:
        create_triggers(schema_editor, table)

    def backwards(_apps: object, schema_editor: BaseDatabaseSchemaEditor) -> None:
        drop_triggers(schema_editor, table)

    return forwards, backwards
