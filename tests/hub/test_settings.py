"""Settings of the hub."""

import pytest

from fucina.config import BadSettings
from fucina.hub.settings import DATABASES, FACTORY, _database


def test_tests_run_in_a_home_of_their_own():
    assert "fucina-test-" in str(FACTORY.home)


@pytest.mark.skipif("postgresql" in DATABASES["default"]["ENGINE"], reason="runs on PostgreSQL")
def test_sqlite_waits_for_other_writers_and_locks_at_the_start_of_a_transaction(db):
    options = _database("")["OPTIONS"]
    assert options["transaction_mode"] == "IMMEDIATE"
    assert options["timeout"] == 30
    assert "journal_mode=WAL" in options["init_command"]


def test_a_postgres_address_is_taken_apart():
    found = _database("postgres://us%40er:p%3Aw@db.example:5433/fuc%2Fina")
    assert (found["USER"], found["PASSWORD"], found["HOST"], found["PORT"], found["NAME"]) == (
        "us@er",
        "p:w",
        "db.example",
        "5433",
        "fuc/ina",
    )


@pytest.mark.parametrize("url", ["mysql://a/b", "postgres://host", "hub.sqlite3", "postgres:///"])
def test_another_database_is_refused_without_repeating_its_password(url):
    with pytest.raises(BadSettings, match="database_url"):
        _database(url)
