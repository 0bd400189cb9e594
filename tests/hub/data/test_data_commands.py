"""`fucina data ...` against a hub that answers over HTTP, with documents that were really prepared."""

import json
from pathlib import Path

import pytest
import yaml
from django.db import connection
from typer.testing import CliRunner

from fucina.cli.main import app
from fucina.compute.record import Progress
from fucina.data.pipeline import prepare
from fucina.data.recipe import PrepareRecipe
from fucina.data.sources import resolve
from fucina.hub.data.models import DatasetVersion
from fucina.hub.people.actions import create_organisation, issue_token
from fucina.hub.people.append_only import create_triggers, drop_triggers
from fucina.hub.people.models import Person, Scope
from tests.hub.conftest import APPEND_ONLY, NOON, SETUP, work_off_tasks

pytestmark = pytest.mark.slow
SENTENCES = [
    "La legge regionale disciplina gli orti urbani e il loro uso da parte dei residenti del quartiere numero {}.",
    "Ogni residente puo chiedere la concessione di un orto, che dura cinque anni e si rinnova una volta sola ({}).",
    "Il consiglio approva il piano degli orti e ne controlla la cura, sentito il comitato di zona della via {}.",
    "Chi lascia incolto il proprio orto per piu di un anno lo perde, salvo che ne dica per tempo la ragione {}.",
]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Two versions: the second lacks a third of the documents and has one that names a person."""
    folder = tmp_path_factory.mktemp("prepared")
    made = []
    for name, numbers in (("first", range(30)), ("second", range(10, 30))):
        texts = [" ".join(s.format(7919 * n + 31 * i) for i, s in enumerate(SENTENCES)) for n in numbers]
        if name == "second":
            texts.append(" ".join(s.format("di Mario Rossi") for s in SENTENCES))
        source = folder / f"{name}.jsonl"
        source.write_text("".join(json.dumps({"id": f"{name}-{i}", "text": t}) + "\n" for i, t in enumerate(texts)))
        work = folder / name
        work.mkdir()
        recipe = PrepareRecipe(
            sources=resolve([(source.name, "CC-BY-4.0", "made for a test")], base=folder),
            vocabulary_size=400, num_canaries=4, quality=False, near_duplicate_threshold=0.99, validation_share=0.2,
        )  # fmt: skip
        progress = Progress(work / "progress.ndjson", stage="prepare")
        prepare(recipe, workdir=work, out=work / "out", scratch=work / "scratch", progress=progress)
        made.append(work / "out")
    return made


@pytest.fixture(scope="module")
def without_triggers(django_db_setup, django_db_blocker):
    for change in (drop_triggers, create_triggers):
        with django_db_blocker.unblock(), connection.schema_editor() as editor:
            for table in APPEND_ONLY:
                change(editor, table)
        if change is drop_triggers:
            yield


@pytest.fixture
def become(without_triggers, transactional_db, live_server, monkeypatch):
    """Says whose token the commands have."""
    monkeypatch.setenv("FUCINA_HUB_URL", live_server.url)
    secrets = {}
    for username, organisation in (("ada", "Officine Esempio"), ("dag", "Altrove AB")):
        person = Person.objects.create_user(username)
        create_organisation(name=organisation, country="IT", by=person, at=NOON)
        secrets[username] = issue_token(name="test", scope=Scope.PERSON, person=person, by=SETUP, at=NOON).secret
    return lambda username: monkeypatch.setenv("FUCINA_TOKEN", secrets[username])


def run(*words, code=0):
    result = CliRunner().invoke(app, ["data", *map(str, words)])
    assert result.exit_code == code, result.output
    return result


def read(*words):
    return json.loads(run(*words, "--format", "json").stdout)


def about(folder: Path, **changes) -> Path:
    words = {
        "organisation": "Officine Esempio",
        "name": "orti-urbani",
        "title": "Orti urbani",
        "description": "Norme di tre regioni sugli orti urbani, in italiano, per addestrare modelli linguistici.",
        "themes": ["ENVI"],
        "keywords": ["orti"],
        "listing": "factory",
        "access": "request",
        "terms": "Solo per ricerca.",
    }
    path = folder / "about.yaml"
    path.write_text(yaml.safe_dump(words | changes, allow_unicode=True))
    return path


def test_the_whole_life_of_a_dataset(prepared, become, tmp_path):
    become("ada")
    words = about(tmp_path)
    first = read("publish", prepared[0], words)
    ref = first["summary"]["ref"]
    assert all(mark["met"] for mark in first["marks"]), first["marks"]
    assert first["held"] == ["train.parquet", "validation.parquet", "decisions.parquet"]
    assert 0 < len(first["samples"]) <= 5
    assert read("publish", prepared[0], words)["version"]["version"] == 1
    assert read("publish", prepared[1], words)["version"]["version"] == 2
    assert "languages" in run("diff", f"{ref}@1", f"{ref}@2").output
    assert json.loads(run("card", f"{ref}@1", "--croissant").stdout)["name"] == "orti-urbani"

    become("dag")
    assert read("search", "orti")["datasets"][0]["ref"] == ref
    run("download", ref, "--to", tmp_path / "mine", code=3)
    asked = read("request", ref, "--purpose", "To train a small model on laws.", "--agree")
    become("ada")
    assert "Altrove" in run("requests").output
    run("grant", asked["ref"], "--reason", "For research.", "--days", 30)
    become("dag")
    for _ in range(2):
        run("download", f"{ref}@2", "--to", tmp_path / "mine")
    got = (tmp_path / "mine" / "train.parquet").read_bytes()
    assert got == (prepared[1] / "train.parquet").read_bytes()

    become("ada")
    erased = read("erase", ref, "--person", "Mario Rossi")
    assert work_off_tasks() == 1
    told = read("erasure", erased["ref"])
    assert (told["state"], told["withdrawn"], told["rebuilt"]) == ("done", [2], 3)
    assert "Erased on request" in run("show", f"{ref}@2").output
    assert (
        DatasetVersion.objects.get(version=3).num_documents == DatasetVersion.objects.get(version=2).num_documents - 1
    )
    run("withdraw", f"{ref}@3", "--reason", "Enough.")
    assert read("show", ref)["summary"]["version"] == 1


def test_only_what_is_told_can_be_published(prepared, become, tmp_path):
    become("ada")
    made = read("publish", prepared[0], about(tmp_path), "--keep")
    assert made["held"] == []
    assert [mark["criterion"] for mark in made["marks"] if not mark["met"]] == ["validated"]
    run("download", made["summary"]["ref"], code=2)


def test_what_is_not_there_and_what_is_wrong_has_its_exit_code(prepared, become, tmp_path):
    become("ada")
    run("show", "dat-nothing", code=4)
    run("show", "dat-x@y", code=2)
    run("publish", tmp_path, about(tmp_path), code=2)
    run("publish", prepared[0], tmp_path / "missing.yaml", code=2)
    run("publish", prepared[0], about(tmp_path, colour="red"), code=2)
    run("publish", prepared[0], about(tmp_path, name="Not A Name"), code=2)
    run("publish", prepared[0], about(tmp_path, organisation="Altrove AB"), code=4)
    run("erase", "dat-x", code=2)
    run("diff", "dat-x@1", "dat-y@2", code=2)
    run("search", "x", "--limit", "0", code=2)
    (tmp_path / "about.yaml").write_text(": [")
    run("publish", prepared[0], tmp_path / "about.yaml", code=2)


def test_two_folders_are_compared_with_their_drift(prepared):
    found = read("diff", *prepared)
    assert {drift["of"] for drift in found["drift"]} >= {"languages", "licences", "reasons"}
