"""The batch script, run by a real bash; Slurm's own commands are played by small programs on its path."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fucina.compute.slurm.script import BadEnvironment, NoContainer, Surroundings, in_container, render
from fucina.compute.slurm.transport import NotAnArgument, quote_argv
from fucina.compute.spec import JobSpec
from fucina.network.spec import ContainerRuntime

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
SHOW = "import json,sys,os; print(json.dumps([sys.argv[1:], os.environ.get('X')]))"


def spec(folder: Path, *command: str, **changes: object) -> JobSpec:
    values = {"key": "k", "name": "n", "walltime_s": 60, "working_directory": str(folder)} | changes
    return JobSpec(command=command, **values)


@pytest.fixture
def programs(tmp_path):
    """A folder for the path: `squeue` says RUNNING or what is in `state`, `scontrol` writes down what it is told."""
    folder = tmp_path / "bin"
    folder.mkdir()
    made = {"squeue": f"cat {tmp_path}/state", "scontrol": f'echo "$@" >> {tmp_path}/told'}
    for name, line in made.items():
        (folder / name).write_text(f"#!/bin/sh\n{line}\n")
        (folder / name).chmod(0o755)
    (tmp_path / "state").write_text("RUNNING\n")
    return folder


def bash(script: str, programs: Path, **environment: str) -> subprocess.Popen:
    env = {"PATH": f"{programs}:/usr/bin:/bin", "SLURM_JOB_ID": "17", "HOME": "/", **environment}
    heard = "import os, signal; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execvp('bash', ['bash'])"
    argv = [sys.executable, "-c", heard]  # whoever runs the tests may have told them not to hear SIGINT
    return subprocess.Popen(argv, stdin=_file(script, programs), stdout=subprocess.PIPE, text=True, env=env)


def _file(script: str, programs: Path) -> int:
    path = programs / "script"
    path.write_text(script)
    return os.open(path, os.O_RDONLY)


@settings(max_examples=60, deadline=None)
@given(words=st.lists(TEXT, max_size=4), value=TEXT, requeue=st.booleans())
def test_any_words_and_any_value_pass_through_the_script(tmp_path_factory, words, value, requeue):
    folder = tmp_path_factory.mktemp("w")
    made = spec(folder, sys.executable, "-c", SHOW, *words, environment={"X": value}, requeue=requeue)
    script = render(made, Surroundings())
    done = subprocess.run(["bash"], input=script.encode(), capture_output=True, env={"PATH": "/usr/bin:/bin"})
    assert json.loads(done.stdout) == [words, value], done.stderr


@settings(max_examples=60, deadline=None)
@given(words=st.lists(TEXT, min_size=1, max_size=5))
def test_a_quoted_list_is_the_same_list_behind_a_shell(words):
    line = quote_argv([sys.executable, "-c", "import json,sys; print(json.dumps(sys.argv[1:]))", *words])
    done = subprocess.run(["sh", "-c", line], capture_output=True, check=True)
    assert json.loads(done.stdout) == words


@pytest.mark.parametrize("code", [0, 1, 7, 127, 130, 200])
def test_the_commands_status_is_the_scripts(tmp_path, programs, code):
    ran = bash(render(spec(tmp_path, "sh", "-c", f"exit {code}"), Surroundings()), programs)
    ran.communicate()
    assert ran.returncode == (-2 if code == 130 else code)


def test_a_command_killed_by_a_signal_leaves_as_killed(tmp_path, programs):
    ran = bash(render(spec(tmp_path, "sh", "-c", "kill -KILL $$"), Surroundings()), programs)
    ran.communicate()
    assert ran.returncode == -signal.SIGKILL


def waiting() -> tuple[str, str, str]:
    """A command that says it is there, and saves and asks to go on when it is told to stop."""
    code = (
        "import os,signal,sys,time\n"
        "def save(*_): os.write(1, b'saved\\n'); sys.exit(75)\n"
        "signal.signal(signal.SIGTERM, save); os.write(1, b'there\\n'); time.sleep(100)"
    )
    return (sys.executable, "-c", code)


def test_a_warning_makes_it_save_and_go_back_into_the_queue(tmp_path, programs):
    ran = bash(render(spec(tmp_path, *waiting()), Surroundings()), programs)
    assert ran.stdout.readline() == "there\n"
    ran.send_signal(signal.SIGUSR1)
    out, _ = ran.communicate()
    assert "saved" in out and "walltime near: 1" in out
    assert (tmp_path / "told").read_text() == "requeue 17\n"
    assert ran.returncode == 75


def test_a_cancelled_job_is_not_put_back(tmp_path, programs):
    ran = bash(render(spec(tmp_path, *waiting()), Surroundings()), programs)
    assert ran.stdout.readline() == "there\n"
    ran.send_signal(signal.SIGTERM)
    out, _ = ran.communicate()
    assert "saved" in out
    assert not (tmp_path / "told").exists()


def test_a_job_that_slurm_is_ending_is_not_put_back(tmp_path, programs):
    (tmp_path / "state").write_text("COMPLETING\n")
    ran = bash(render(spec(tmp_path, "sh", "-c", "exit 75"), Surroundings()), programs)
    ran.communicate()
    assert ran.returncode == 75
    assert not (tmp_path / "told").exists()


def test_there_is_an_end_to_starting_again(tmp_path, programs):
    script = render(spec(tmp_path, "sh", "-c", "exit 75"), Surroundings(max_restarts=3))
    for restarts, told in (("3", False), ("2", True)):
        bash(script, programs, SLURM_RESTART_COUNT=restarts).communicate()
        assert (tmp_path / "told").exists() is told


def test_without_requeue_the_command_takes_the_scripts_place(tmp_path, programs):
    script = render(spec(tmp_path, "sh", "-c", "exit 75", requeue=False), Surroundings())
    ran = bash(script, programs)
    ran.communicate()
    assert ran.returncode == 75
    assert not (tmp_path / "told").exists()


def test_a_script_can_warn_itself(tmp_path, programs):
    ran = bash(render(spec(tmp_path, *waiting()), Surroundings(), alarm_s=1), programs)
    out, _ = ran.communicate()
    assert "saved" in out
    assert (tmp_path / "told").read_text() == "requeue 17\n"


def test_the_sites_surroundings_come_first(tmp_path, programs):
    around = Surroundings(programs="/opt/fucina bin", prelude=("export X=site",), modules=())
    script = render(spec(tmp_path, "sh", "-c", 'echo "$PATH|$X|$Y"', environment={"Y": "job"}), around)
    out, _ = bash(script, programs).communicate()
    path, x, y = out.strip().split("|")
    assert path.startswith("/opt/fucina bin:") and (x, y) == ("site", "job")


def test_modules_are_loaded(tmp_path):
    script = render(spec(tmp_path, "true"), Surroundings(modules=("CUDA/12.4", "odd name")))
    assert "module load CUDA/12.4\nmodule load 'odd name'\n" in script


@pytest.mark.parametrize("name", ["A B", "1X", "", "X=Y", "X\nY", "X;id", "é"])
def test_a_variable_that_no_shell_can_set_is_refused(tmp_path, name):
    with pytest.raises(BadEnvironment):
        render(spec(tmp_path, "true", environment={name: "x"}), Surroundings())


@pytest.mark.parametrize("changes", [{"environment": {"X": "a\0b"}}, {"working_directory": "/a\0b"}])
def test_a_nul_byte_is_refused(tmp_path, changes):
    with pytest.raises(NotAnArgument):
        render(spec(tmp_path, "true", **changes), Surroundings())


@pytest.mark.parametrize(
    ("vendor", "num_gpus", "flag"), [("nvidia", 1, ["--nv"]), ("AMD", 2, ["--rocm"]), ("nvidia", 0, [])]
)
def test_apptainer_sees_the_devices(vendor, num_gpus, flag):
    made = spec(Path("/p/x"), "fucina", "stage", num_gpus=num_gpus)
    around = Surroundings(container=ContainerRuntime.APPTAINER, image="/i/f.sif", vendor=vendor)
    start = ["apptainer", "exec", *flag, "--bind", "/p/x", "--pwd", "/p/x", "/i/f.sif"]
    assert in_container(made.command, spec=made, around=around) == [*start, "fucina", "stage"]


def test_pyxis_is_a_step():
    made = spec(Path("/p/x"), "true", image="docker://x/y:1")
    argv = in_container(made.command, spec=made, around=Surroundings(container=ContainerRuntime.PYXIS))
    assert argv[0] == "srun" and "--container-image=docker://x/y:1" in argv and argv[-1] == "true"


def test_an_image_at_a_site_without_containers_is_refused(tmp_path):
    with pytest.raises(NoContainer):
        render(spec(tmp_path, "true", image="x.sif"), Surroundings())
