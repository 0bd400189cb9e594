"""Simulates what people ask, one scenario after another, each in a process of its own: the hub itself never loads the
simulator."""

import json
import logging
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from django.db import DatabaseError, close_old_connections

from fucina.client.wire_planning import ScenarioKind
from fucina.errors import ErrorBody
from fucina.hub.people.actions import Rule
from fucina.hub.planning import actions
from fucina.hub.planning.models import Scenario

logger = logging.getLogger(__name__)

RULE = Rule("planning")
LOOK_S = 2.0
"""Between two looks for a scenario, and at the progress of one."""
SILENT_S = 60.0
"""After which a worker that does not tell of its scenario is taken for lost."""
MAX_WALL_S = 3600.0
MAX_MEMORY_BYTES = 8 * 2**30
PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "PYTHONPATH", "NUMBA_CACHE_DIR")
"""All that a simulation sees of the hub's environment: no secret is among it."""

Clock = Callable[[], datetime]


def simulate_waiting(over: threading.Event, *, clock: Clock) -> None:
    """Work until it is over; a database that does not answer is tried again."""
    while not over.wait(LOOK_S):
        try:
            while not over.is_set() and simulate_next(over, clock=clock) is not None:
                pass
        except (DatabaseError, OSError):
            logger.exception("could not simulate")
        finally:
            close_old_connections()


def simulate_next(over: threading.Event, *, clock: Clock) -> Scenario | None:
    """Simulate the scenario that waits longest; None when there is none, or when the worker ended before it."""
    now = clock()
    scenario = actions.take_next(silent_since=now - timedelta(seconds=SILENT_S), at=now)
    if scenario is None:
        return None
    folder = Path(tempfile.mkdtemp(prefix="fucina-scenario-"))
    try:
        return _simulate(scenario, folder, over, clock)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def command_of(scenario: Scenario, folder: Path) -> list[str]:
    """The command that answers a scenario, whose files are written into the folder."""
    words = [sys.executable, "-m", "fucina.cli", "plan", scenario.kind, "--format", "json"]
    for name, value in scenario.options.items():
        words.append(f"--{name}={value}")
    if scenario.question and scenario.kind != ScenarioKind.TRAIN:
        (folder / "question.yaml").write_text(scenario.question, encoding="utf-8")
        words.append(str(folder / "question.yaml"))
    if scenario.trace_name:
        shutil.copyfile(actions.trace_file(scenario.ref), folder / "trace.txt")
    if scenario.kind in {ScenarioKind.CLUSTER, ScenarioKind.NETWORK}:
        words.append(f"--progress={folder / 'progress'}")
    return words


def _simulate(scenario: Scenario, folder: Path, over: threading.Event, clock: Clock) -> Scenario | None:
    began = clock()
    environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ} | {"OMP_NUM_THREADS": "1"}
    with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
        process = subprocess.Popen(  # noqa: S603 - a list of words, none of which is a path that a person gave
            command_of(scenario, folder),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            cwd=folder,
            env=environment,
        )
        too_long = False
        try:
            resource.prlimit(process.pid, resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
            goes_on = True
            while goes_on and not _ended(process):
                too_long = (clock() - began).total_seconds() > MAX_WALL_S
                goes_on = not over.is_set() and not too_long and _tell(scenario, folder, clock)
        finally:
            _end(process)
    if over.is_set() and process.returncode:
        return None  # the next worker takes it up again, once this one has been silent for a while
    if too_long:
        problem = ErrorBody(
            code="scenario_too_long",
            message=f"The simulation took longer than {MAX_WALL_S:,.0f} s and was ended.",
            hint="Ask for fewer days, jobs or repetitions.",
        )
        return actions.end_scenario(scenario=scenario, result=None, problem=problem, by=RULE, at=clock())
    result, error = answer_of(folder, process.returncode)
    return actions.end_scenario(scenario=scenario, result=result, problem=error, by=RULE, at=clock())


def _ended(process: "subprocess.Popen[bytes]") -> bool:
    try:
        process.wait(timeout=LOOK_S)
    except subprocess.TimeoutExpired:
        return False
    return True


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End a process that still runs, and wait for it."""
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _tell(scenario: Scenario, folder: Path, clock: Clock) -> bool:
    """Pass the progress on; returns whether it should go on."""
    try:
        done, total = (int(word) for word in (folder / "progress").read_text().split())
    except (OSError, ValueError):  # not begun
        done, total = 0, 0
    return actions.tell_progress(scenario=scenario, done=max(0, done), total=max(0, total), at=clock())


def answer_of(folder: Path, code: int) -> tuple[dict[str, object] | None, ErrorBody | None]:
    """What the command printed: its answer, or its error."""
    if code == 0:
        try:
            return json.loads((folder / "out").read_text(encoding="utf-8")), None
        except ValueError:
            logger.exception("a simulation printed no JSON")
    text = (folder / "err").read_text(encoding="utf-8", errors="replace")
    for line in reversed(text.splitlines()):
        try:
            said = ErrorBody.model_validate_json(line)
        except ValueError:
            continue
        return None, said.model_copy(update={"message": said.message.replace(f"{folder}/", "")})
    logger.error("a simulation ended with %s: %s", code, text[-2000:])
    return None, ErrorBody(
        code="simulation_failed",
        message=f"The simulation ended with exit code {code}.",
        hint="It may have needed too much memory: ask for fewer days or jobs, or tell the operator.",
    )
