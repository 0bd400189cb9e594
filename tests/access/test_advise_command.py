"""`fucina advise` as people and programs use it."""

import json

import pytest
from typer.testing import CliRunner

from fucina.cli.main import app

PROJECT = """
name: norme-chiare
organisation: Officine Esempio
purpose: Drafts plain-language summaries of regulations
data: {sources: [{path: it.jsonl, licence: CC-BY-4.0}]}
train: {size: 7B, tokens: 140B}
"""


def run(*arguments, typed=None):
    return CliRunner().invoke(app, ["advise", *(str(argument) for argument in arguments)], input=typed)


@pytest.fixture
def intake(tmp_path):
    path = tmp_path / "intake.yaml"
    path.write_text("{who: company, country: FR, goal: fine-tune, experience: practised, gpu_hours: 20000}")
    return path


def test_people_read_mode_machine_and_units(intake):
    done = run("--intake", intake)

    assert done.exit_code == 0, done.output
    for words in ("Fast Lane Access", "JUPITER Booster", "20,000", "5,000", "Karolina", "2,500"):
        assert words in done.output


def test_the_answer_speaks_italian(intake):
    done = run("--intake", intake, "--language", "it")

    assert "Fai domanda in Corsia rapida" in done.output
    assert "20.000" in done.output


def test_programs_read_json(intake):
    done = run("--intake", intake, "--format", "json")

    found = json.loads(done.output)
    assert found["verdict"] == "apply"
    assert found["application"]["access_mode"] == "fast-lane"


def test_a_project_file_answers_for_itself(tmp_path):
    path = tmp_path / "project.yaml"
    path.write_text(PROJECT)
    done = run("--project", path, "--who", "company", "--country", "it", "--format", "json")

    assert done.exit_code == 0, done.output
    found = json.loads(done.output)
    assert found["application"]["project"] == "norme-chiare"
    assert found["application"]["purpose"].startswith("Drafts plain")
    assert found["need"]["flops"] == pytest.approx(6 * 1.3 * 140e9 * 6.6e9, rel=0.1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("who: company", "country"),
        ("[1, 2]", "holds no answers"),
        ("who: [", "cannot be read"),
        ("{who: company, country: IT, goal: learn, staff: -3}", "staff"),
        ("{who: company, country: IT, goal: learn, founded_on: 2100-01-01}", "after today"),
    ],
)
def test_a_bad_file_is_refused_in_words(tmp_path, text, said):
    path = tmp_path / "intake.yaml"
    path.write_text(text)
    done = run("--intake", path)

    assert done.exit_code == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "no terminal to ask in"),
        (("--intake", "nowhere.yaml"), "cannot be read"),
        (("--intake", "a.yaml", "--project", "b.yaml"), "Both"),
        (("--project", "nowhere.yaml"), "does not say who"),
    ],
)
def test_without_answers_it_says_what_to_give(arguments, said):
    done = run(*arguments)

    assert done.exit_code == 2
    assert said in done.stderr


def test_in_a_terminal_it_asks(monkeypatch):
    monkeypatch.setattr("fucina.cli.advise_commands.is_terminal", lambda: True)
    answers = ["company", "IT", "pretrain", "some", "internal", "30B", "1000", "60", "9000000", "9000000"]
    done = run(typed="\n".join(answers) + "\n")

    assert done.exit_code == 0, done.output
    assert "Large Scale Access" in done.stdout
    assert "medium" in done.stdout
