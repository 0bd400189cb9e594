"""Running sums of the ledger, kept by the database itself so that no way of writing an entry can forget them."""

from django.db.backends.base.schema import BaseDatabaseSchemaEditor

_ADD = (
    "INSERT INTO accounting_ledgertotal (allocation_id, kind, gpu_s) VALUES (NEW.allocation_id, NEW.kind, NEW.gpu_s) "
    "ON CONFLICT (allocation_id, kind) DO UPDATE SET gpu_s = accounting_ledgertotal.gpu_s + excluded.gpu_s;"
)
_FILL = (
    "INSERT INTO accounting_ledgertotal (allocation_id, kind, gpu_s) "
    "SELECT allocation_id, kind, SUM(gpu_s) FROM accounting_ledgerentry GROUP BY allocation_id, kind"
)


def keep_totals(_apps: object, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Count what there is, and have the database add every new entry.

    To be done again by any migration that makes SQLite build the table of entries anew, which drops its triggers.
    """
    schema_editor.execute("DELETE FROM accounting_ledgertotal")
    schema_editor.execute(_FILL)
    if schema_editor.connection.vendor == "sqlite":
        schema_editor.execute("DROP TRIGGER IF EXISTS accounting_ledgerentry_totals")
        schema_editor.execute(
            f"CREATE TRIGGER accounting_ledgerentry_totals AFTER INSERT ON accounting_ledgerentry BEGIN {_ADD} END"
        )
        return
    schema_editor.execute(
        "CREATE OR REPLACE FUNCTION accounting_ledgerentry_totals() RETURNS trigger AS "
        f"$$BEGIN {_ADD} RETURN NULL; END$$ LANGUAGE plpgsql"
    )
    schema_editor.execute(
        "CREATE OR REPLACE TRIGGER accounting_ledgerentry_totals AFTER INSERT ON accounting_ledgerentry "
        "FOR EACH ROW EXECUTE FUNCTION accounting_ledgerentry_totals()"
    )


def drop_totals(_apps: object, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Undo `keep_totals`."""
    on_table = " ON accounting_ledgerentry" if schema_editor.connection.vendor == "postgresql" else ""
    schema_editor.execute(f"DROP TRIGGER IF EXISTS accounting_ledgerentry_totals{on_table}")
