"""The commands that make a home folder, in processes of their own as `fucina up` runs them."""

import os
import re
import sqlite3
import stat
import subprocess
import sys

import pytest
from django.core.management import call_command
from django.db import connection

HEAVY = ("torch", "transformers", "numba", "pyarrow", "numpy", "ray", "trl", "inspect_ai")


def command(home, *arguments, **more):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FUCINA_")}
    return subprocess.run(
        [
            sys.executable,
            "-W",
            "error",
            *(arguments if arguments[0] == "-c" else ("-m", "fucina.hub.manage", *arguments)),
        ],
        env=environment | {"FUCINA_HOME": str(home), "DJANGO_SETTINGS_MODULE": "fucina.hub.settings"} | more,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home that was prepared twice."""
    folder = tmp_path_factory.mktemp("factory") / "home"
    for _ in range(2):
        done = command(folder, "prepare_home")
        assert done.returncode == 0, done.stderr
    return folder


def rows(home, query):
    with sqlite3.connect(home / "hub.sqlite3") as database:
        found = database.execute(query).fetchall()
    database.close()
    return found


def test_only_the_owner_reads_the_secrets(home):
    secrets = sorted((home / "secrets").iterdir())
    assert [file.name for file in secrets] == ["agent.token", "django.key", "operator.token"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in [*secrets, home / "keys" / "factory.key"]} == {0o600}
    assert (home / "keys" / "factory.pub").read_text().startswith("-----BEGIN PUBLIC KEY-----")


def test_preparing_twice_makes_nothing_twice(home):
    assert rows(home, "SELECT count(*), min(is_superuser), min(is_staff) FROM people_person") == [(1, 1, 1)]
    assert rows(home, "SELECT count(*) FROM people_apitoken") == [(2,)]
    assert rows(home, "SELECT name FROM network_site") == [("local",)]
    assert rows(home, "SELECT count(*) FROM network_agent") == [(1,)]


def test_no_secret_is_in_the_database(home):
    data = (home / "hub.sqlite3").read_bytes()
    for file in (home / "secrets").iterdir():
        assert file.read_text().strip().encode() not in data


def test_a_token_that_is_lost_is_made_again(tmp_path):
    folder = tmp_path / "home"
    command(folder, "prepare_home")
    token = folder / "secrets" / "operator.token"
    token.write_text("fuc_of-another-factory\n")
    assert command(folder, "prepare_home").returncode == 0
    assert token.read_text() != "fuc_of-another-factory\n"


def test_the_link_is_for_the_operator_unless_someone_is_named(home):
    link = command(home, "sign_in_link")
    assert re.fullmatch(r"/enter/[\w-]{43}\n", link.stdout), link.stderr
    named = command(home, "sign_in_link", rows(home, "SELECT username FROM people_person")[0][0])
    assert named.stdout.startswith("/enter/")
    nobody = command(home, "sign_in_link", "nobody-here")
    assert nobody.returncode == 1
    assert "nobody-here" in nobody.stderr


def test_a_setting_that_does_not_exist_stops_the_command(home):
    done = command(home, "prepare_home", FUCINA_COLOUR="red")
    assert done.returncode != 0
    assert "colour" in done.stderr


def test_the_hub_never_loads_what_a_stage_needs(home):
    program = (
        "import sys, django; django.setup(); import fucina.hub.urls, fucina.hub.wsgi; "
        f"sys.stdout.write(' '.join(name for name in {HEAVY!r} if name in sys.modules))"
    )
    done = command(home, "-c", program)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_the_migrations_make_the_tables_of_the_models(db):
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


@pytest.mark.parametrize("table", ["people_auditrecord", "accounting_ledgerentry", "compute_jobevent"])
def test_what_only_grows_has_its_triggers(db, table):
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(
                "SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND tbl_name = %s AND name LIKE '%%_no_%%'",
                [table],
            )
        else:
            cursor.execute(
                "SELECT count(*) FROM pg_trigger WHERE tgname LIKE '%%_no_%%' AND tgrelid = %s::regclass",
                [table],
            )
        assert cursor.fetchone() == (2,)


def test_the_settings_pass_djangos_own_checks(home):
    done = command(home, "check", "--fail-level", "WARNING")
    assert done.returncode == 0, done.stderr
