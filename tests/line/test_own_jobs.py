"""People's own jobs through a real factory: submit, watch, fetch; wrong input has its words and exit code."""

import json
import stat

import pytest

from fucina.client.hub import Hub
from tests.line.factory import Factory, tiny_project

pytestmark = [pytest.mark.line, pytest.mark.slow]

SCRIPT = """\
import pathlib, sys
pathlib.Path("out").mkdir()
pathlib.Path("out/answer.txt").write_text(sys.argv[1])
pathlib.Path("out/secret").symlink_to("/etc/hostname")
print("written")
"""


@pytest.fixture(scope="module")
def factory(tmp_path_factory):
    factory = Factory(tmp_path_factory.mktemp("home"))
    factory.up()
    project = tiny_project(tmp_path_factory.mktemp("project"))
    done = factory.cli("apply", str(project))
    if done.returncode == 4:
        done = factory.cli("organisation", "Officine Esempio")
        assert done.returncode == 0, done.stderr
        done = factory.cli("apply", str(project))
    assert done.returncode == 0, done.stderr
    yield factory
    factory.down()


def as_json(done):
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_job_from_submit_to_its_files(factory, tmp_path):
    script = tmp_path / "answer.py"
    script.write_text(SCRIPT)
    command = ("submit", "--gpus", "1", "--time", "5m", "--file", str(script), "--format", "json", "--", "python")
    job = as_json(factory.cli(*command, "answer.py", "forty-two"))["ref"]
    assert factory.cli("wait", job).returncode == 0
    assert factory.cli("logs", job).stdout == "written\n"
    assert [file["path"] for file in as_json(factory.cli("ls", job, "--format", "json"))] == ["answer.txt"]
    assert factory.cli("download", job, "answer.txt", cwd=tmp_path).returncode == 0
    assert (tmp_path / "answer.txt").read_text() == "forty-two"
    assert factory.cli("download", job, "answer.txt", cwd=tmp_path).returncode == 2
    shown = as_json(factory.cli("show", job, "--format", "json"))
    assert (shown["state"], shown["exit_code"]) == ("succeeded", 0)
    assert shown["gpu_s"] >= 1
    assert shown["placement"]["place"] == "local/cpu"
    assert "does not wait" in factory.cli("why", job).stdout
    assert job in factory.cli("jobs").stdout
    (project,) = as_json(factory.cli("projects", "--format", "json"))
    assert (project["used_gpu_s"], project["held_gpu_s"]) == (shown["gpu_s"], 0)


def test_a_job_that_fails_says_so(factory):
    job = as_json(factory.cli("submit", "--format", "json", "--", "python", "-c", "raise SystemExit(3)"))["ref"]
    assert factory.cli("wait", job).returncode == 1
    assert as_json(factory.cli("show", job, "--format", "json"))["exit_code"] == 3


def test_a_job_is_cancelled(factory):
    job = as_json(factory.cli("submit", "--format", "json", "--", "python", "-c", "import time; time.sleep(600)"))[
        "ref"
    ]
    assert factory.cli("cancel", job).returncode == 0
    assert factory.cli("wait", job).returncode == 1
    assert as_json(factory.cli("show", job, "--format", "json"))["state"] == "cancelled"


def test_files_go_up_and_come_down(factory, tmp_path):
    (tmp_path / "data.txt").write_text("one\n")
    assert factory.cli("upload", str(tmp_path / "data.txt"), "in/data.txt").returncode == 0
    assert "in/data.txt" in factory.cli("ls").stdout
    project = as_json(factory.cli("projects", "--format", "json"))[0]["name"]
    target = tmp_path / "back.txt"
    assert factory.cli("download", project, "in/data.txt", "--to", str(target)).returncode == 0
    assert target.read_text() == "one\n"


def test_systems_are_listed(factory):
    (site,) = as_json(factory.cli("systems", "--format", "json"))
    assert (site["site"], site["trouble"], site["partitions"][0]["num_gpus"]) == ("local", "", 1)
    assert "local/cpu" in factory.cli("systems").stdout


def test_a_dry_run_says_everything_and_queues_nothing(factory):
    before = factory.cli("jobs", "--format", "json").stdout
    done = factory.cli(
        "submit", "--dry-run", "--gpus", "9", "--time", "2d", "--image", "x.sif", "--file", "/no/such", "--", "true"
    )
    assert done.returncode == 1
    for words in ("/no/such is no file", "9 are asked for", "longest walltime", "runs no images"):
        assert words in done.stdout.replace("\n", " "), words
    assert factory.cli("submit", "--dry-run", "--gpus", "1", "--time", "5m", "--", "true").returncode == 0
    assert factory.cli("jobs", "--format", "json").stdout == before


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("submit", "--time", "soon", "--", "true"), 2),
        (("submit", "--array", "a-b", "--", "true"), 2),
        (("submit", "--prefer", "luck", "--", "true"), 2),
        (("submit", "--project", "nosuch", "--", "true"), 4),
        (("submit", "--gpus", "1", "--time", "23h", "--", "true"), 5),
        (("submit", "--partition", "nosuch", "--", "true"), 5),
        (("submit",), 2),
        (("show", "job-nosuch"), 4),
        (("logs", "job-nosuch"), 4),
        (("wait", "job-nosuch"), 4),
        (("cancel", "job-nosuch"), 4),
        (("why", "job-nosuch"), 4),
        (("ls", "job-nosuch"), 4),
        (("jobs", "--state", "asleep"), 2),
        (("upload", "/no/such"), 2),
        (("upload", "/etc/hostname", "../x"), 2),
        (("upload", "/etc/hostname", "x//y"), 2),
        (("download", "prj-nosuch", "../x"), 2),
        (("download", "nosuch", "x"), 4),
        (("login", "--url", "ftp://x"), 2),
        (("login", "--token-file", "/no/such"), 2),
        (("decide", "app-nosuch", "--grant", "--reason", "because", "--split", "local"), 2),
    ],
)
def test_wrong_input_has_its_exit_code_and_no_traceback(factory, arguments, code):
    done = factory.cli(*arguments)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.strip()


def test_login_keeps_only_a_token_that_opens_something(factory, tmp_path):
    url = f"http://127.0.0.1:{factory.environment['FUCINA_HUB_PORT']}"
    other = Factory(tmp_path / "elsewhere")
    bad = tmp_path / "bad"
    bad.write_text("fuc_nonsense\n")
    assert other.cli("login", "--url", url, "--token-file", str(bad)).returncode == 3
    assert not list((tmp_path / "elsewhere").rglob("*.token"))
    token = factory.home / "secrets" / "operator.token"
    assert other.cli("login", "--url", url, "--token-file", str(token)).returncode == 0
    (kept,) = (tmp_path / "elsewhere" / "secrets").iterdir()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert other.cli("whoami").returncode == 0
    with Hub(url, kept.read_text().strip()) as hub:
        assert hub.me().username
