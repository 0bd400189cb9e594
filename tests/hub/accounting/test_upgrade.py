"""An older database is brought up to date with its books unchanged."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from django.db.migrations.executor import MigrationExecutor

from fucina.hub.accounting.models import Allocation, LedgerEntry, UsageRecord
from fucina.hub.people.append_only import create_triggers, drop_triggers
from tests.hub.conftest import APPEND_ONLY, NOON

BEFORE = [("accounting", "0002_append_only"), ("access", "0001_initial"), ("network", "0001_initial")]


@pytest.fixture(scope="module")
def without_triggers(django_db_setup, django_db_blocker):
    """Tables that only grow can be emptied after the test, which really commits."""
    yield
    with django_db_blocker.unblock(), connection.schema_editor() as editor:
        for table in APPEND_ONLY:
            create_triggers(editor, table)
    connection.close()


def test_records_and_accounts_get_what_the_new_tables_want(without_triggers, transactional_db):
    executor = MigrationExecutor(connection)
    executor.migrate(BEFORE)
    apps = executor.loader.project_state(BEFORE).apps

    def make(room, table, **fields):
        return apps.get_model(room, table).objects.create(**fields)

    organisation = make("people", "Organisation", name="Officine", created_at=NOON)
    person = make("people", "Person", username="ada")
    mode = make("access", "AccessMode", name="local", valid_from=NOON.date(), wire={})
    application = make(
        "access", "Application", organisation=organisation, project="p", access_mode=mode, gpu_s=9, state="granted",
        submitted_by=person, submitted_at=NOON,
    )  # fmt: skip
    grant = make(
        "access", "Grant", application=application, organisation=organisation, project="p", gpu_s=9, granted_at=NOON
    )
    site = make("network", "Site", name="local", title="x", executor="local", wire={}, registered_at=NOON)
    partition = make("network", "Partition", site=site, name="cpu", position=0)
    allocation = make("accounting", "Allocation", grant=grant, site=site, partition=partition, created_at=NOON)
    make("accounting", "LedgerEntry", allocation=allocation, kind="grant", gpu_s=9, at=NOON)
    for job, started_at in (("one", (NOON - timedelta(seconds=5)).isoformat()), ("two", None)):
        wire = {"ended_at": NOON.isoformat(), "started_at": started_at}
        make("accounting", "UsageRecord", job=job, allocation=allocation, gpu_s=5, recorded_at=NOON, wire=wire)

    call_command("migrate", verbosity=0)

    assert Allocation.objects.get().slurm_account == allocation.ref
    times = list(UsageRecord.objects.order_by("job").values_list("began_at", "ended_at", "revision"))
    assert times == [(NOON - timedelta(seconds=5), NOON, 0), (NOON, NOON, 0)]
    for table in (LedgerEntry, UsageRecord):
        with pytest.raises(DatabaseError, match="only grows"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM {table._meta.db_table}")  # noqa: S608
    with connection.schema_editor() as editor:
        for table in APPEND_ONLY:
            drop_triggers(editor, table)
