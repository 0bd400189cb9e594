"""The commands as a person types them, right and wrong."""

import json

import pytest

from tests.line.factory import PROJECT, Factory, tiny_project

pytestmark = [pytest.mark.line, pytest.mark.slow]


@pytest.fixture(scope="module")
def factory(tmp_path_factory):
    made = Factory(tmp_path_factory.mktemp("home"))
    made.up()
    yield made
    made.down()


def counts(factory: Factory) -> tuple[int, ...]:
    with factory.hub() as hub:
        return (
            len(hub.organisations()),
            len(hub.applications()),
            len(hub.projects()),
            len(hub.runs()),
            len(hub.releases()),
        )


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("train:", "trian:", "line 8, trian: unknown key"),
        ("tokens: 400k", "tokens: [1]", "line 8, train.tokens"),
        ("corpus/*.jsonl", "corpus/*.txt", "corpus/*.txt"),
        ("corpus/*.jsonl", "corpus/de.jsonl", "corpus/de.jsonl"),
        ("corpus/*.jsonl", "../../etc/passwd", "outside"),
        ("memorised_share", "beauty", "there is no gate 'beauty'"),
        ("languages: [it, en]", "languages: [fi]", "document"),
        ("gpu_hours: 0.5", "gpu_hours: 0.0001", "GPU-hours"),
    ],
)
def test_a_bad_project_is_one_message_and_nothing_is_created(factory, tmp_path, old, new, said):
    before = counts(factory)
    project = tiny_project(tmp_path / "p", text=PROJECT.replace(old, new), num_documents=3)
    done = factory.cli("run", str(project))
    assert done.returncode == 2, done.stdout + done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert counts(factory) == before


def test_a_run_over_its_budget_is_refused_with_both_numbers(factory, tmp_path):
    project = tiny_project(tmp_path / "p", text=PROJECT.replace("piccola", "cara"), num_documents=3)
    assert factory.cli("apply", str(project), "--hours", "0.25").returncode == 0
    before = counts(factory)
    done = factory.cli("run", str(project))
    assert done.returncode == 5
    assert "0.50 GPU-hours" in done.stderr and "0.25" in done.stderr
    assert counts(factory) == before


def test_a_run_to_its_release_speaks_json(factory, tmp_path):
    project = tiny_project(tmp_path / "p")
    release = tmp_path / "release"
    done = factory.cli("run", str(project), "--release", str(release), "--format", "json", "--key", "once-and-only")
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    assert outcome["run"]["state"] == "succeeded"
    assert {gate["metric"] for gate in outcome["evaluation"]["gates"]} == {"pii_leak_rate", "memorised_share"}

    again = factory.cli("run", str(project), "--no-wait", "--format", "json", "--key", "once-and-only")
    assert json.loads(again.stdout)["ref"] == outcome["run"]["ref"], "the same key twice is the same run"

    assert factory.cli("verify", str(release)).returncode == 0
    for path in sorted(p for p in release.rglob("*") if p.is_file()):
        with path.open("ab") as file:
            file.write(b"x")
        refused = factory.cli("verify", str(release), "--format", "json")
        assert refused.returncode == 1, path
        assert path.relative_to(release).as_posix() in {f["path"] for f in json.loads(refused.stdout)["findings"]}
        path.write_bytes(path.read_bytes()[:-1])
    assert factory.cli("verify", str(release)).returncode == 0
    assert factory.cli("run", str(project), "--release", str(release)).returncode == 2

    shown = factory.cli("show", outcome["run"]["ref"])
    assert shown.returncode == 0 and "release" in shown.stdout
    logs = factory.cli("logs", "last", "--stage", "train")
    assert logs.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("show", "run_nosuch"), 4),
        (("logs", "run_nosuch"), 4),
        (("cancel", "run_nosuch"), 4),
        (("ledger", "show", "prj_nosuch"), 4),
        (("stage", "polish", "."), 2),
        (("stage", "train", "/no/such"), 2),
        (("verify", "/no/such"), 2),
        (("run", "/no/such"), 2),
        (("run",), 2),
        (("frobnicate",), 2),
        (("runs", "--limit", "0"), 2),
        (("runs", "--format", "xml"), 2),
        (("decide", "app_nosuch", "--grant", "--reason", "because"), 4),
        (("apply", "/no/such"), 2),
        (("up",), 5),
    ],
)
def test_wrong_input_has_its_exit_code_and_no_traceback(factory, arguments, code):
    done = factory.cli(*arguments)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.strip()


def test_an_embedded_factory_lasts_as_long_as_the_run(tmp_path):
    factory = Factory(tmp_path / "home")
    text = PROJECT.replace("400k", "5k")
    done = factory.cli("run", str(tiny_project(tmp_path / "p", text=text)), "--release", str(tmp_path / "release"))
    assert done.returncode == 0, done.stderr
    assert "one is started for this run" in done.stdout
    assert factory.cli("verify", str(tmp_path / "release")).returncode == 0
    assert factory.cli("runs").returncode == 6
