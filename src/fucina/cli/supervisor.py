"""`fucina up`: hub, worker and agent as one process tree, in which a part that dies is started again."""

import ctypes
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from fucina.cli.output import Format, say
from fucina.client.hub import Hub
from fucina.config import Settings
from fucina.errors import BadInput, FactoryError, Unavailable, WrongState

READY_S = 60.0
GRACE_S = 30.0
"""For the agent to have running jobs write their checkpoints."""
LOOK_S = 0.2
PR_SET_PDEATHSIG = 1
LEAVING_S = 8.0
"""How long the hub of a factory that was killed may take to go."""


class AlreadyUp(WrongState):
    """A factory with this home runs."""

    code = "already_up"


class PortInUse(BadInput):
    """Somebody else listens there."""

    code = "port_in_use"


class CannotStart(FactoryError):
    """A part of the factory ends as soon as it starts."""

    code = "cannot_start"


@dataclass(slots=True, kw_only=True)
class Part:
    """One process of the factory."""

    name: str
    command: list[str]
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    restarts: list[float] = field(default_factory=list)


def hub_is_up(settings: Settings) -> bool:
    """Whether a hub answers where this process would look for one."""
    with Hub(settings.url, "") as hub:
        return hub.health()


def supervise(settings: Settings, form: Format) -> None:
    """Run the factory until SIGINT or SIGTERM.

    Raises AlreadyUp, PortInUse, CannotStart.
    """
    settings.home.mkdir(parents=True, exist_ok=True)
    ran_here = (settings.home / "up.lock").exists()
    lock = _lock(settings)
    try:
        # A hub whose factory was killed a moment ago still finishes what it has begun.
        _wait(lambda: not ran_here or _is_free(settings), LEAVING_S)
        _check_port(settings)
        _prepare_home(settings)
        factory = _Factory(settings)
        factory.start()
        try:
            factory.wait_until_ready()
            _greet(settings, form)
            factory.look_after()
        finally:
            factory.stop()
    finally:
        os.close(lock)


class _Factory:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        python = sys.executable
        django = [python, "-m", "django"]
        bind = f"{settings.hub_host}:{settings.hub_port}"
        self._parts = [
            Part(
                name="hub",
                command=[
                    python,
                    "-m",
                    "gunicorn",
                    "fucina.hub.wsgi:application",
                    "--bind",
                    bind,
                    "--workers",
                    str(settings.hub_workers),
                    "--threads",
                    "8",
                    "--graceful-timeout",
                    "5",
                    "--timeout",
                    "120",
                    "--no-control-socket",
                ],
            ),
            Part(name="worker", command=[*django, "db_worker", "--interval", "0.5"]),
            Part(name="agent", command=[python, "-m", "fucina.cli", "agent"]),
        ]
        self._stopping = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._stop_soon)

    def _stop_soon(self, _number: int, _frame: object) -> None:
        self._stopping = True

    def start(self) -> None:
        for part in self._parts:
            self._spawn(part)

    def _spawn(self, part: Part) -> None:
        log = self._settings.home / "log" / f"{part.name}.log"
        log.parent.mkdir(exist_ok=True)
        with log.open("ab") as file:
            part.process = subprocess.Popen(  # noqa: S603 - our own commands, lists, no shell
                part.command,
                env=_environment(self._settings),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                preexec_fn=_die_with_parent,
                start_new_session=True,
            )
        part.started_at = time.monotonic()

    def wait_until_ready(self) -> None:
        """Raises CannotStart."""
        until = time.monotonic() + READY_S
        while not self._stopping and not hub_is_up(self._settings):
            if time.monotonic() > until:
                raise CannotStart(
                    f"The hub did not answer within {READY_S:g} s.",
                    hint=f"Look at {self._settings.home / 'log' / 'hub.log'}.",
                )
            self._restart_dead()
            time.sleep(LOOK_S)

    def look_after(self) -> None:
        """Until told to stop. Raises CannotStart when a part keeps dying."""
        while not self._stopping:
            self._restart_dead()
            time.sleep(LOOK_S)

    def _restart_dead(self) -> None:
        for part in self._parts:
            if part.process is None or part.process.poll() is None or self._stopping:
                continue
            now = time.monotonic()
            part.restarts = [at for at in part.restarts if now - at < 60] + [now]
            if len(part.restarts) > 10:
                raise CannotStart(
                    f"The {part.name} ends as soon as it starts, with exit code {part.process.returncode}.",
                    hint=f"Look at {self._settings.home / 'log' / (part.name + '.log')}.",
                )
            if now - part.started_at >= 1.0 or len(part.restarts) == 1:
                self._spawn(part)

    def stop(self) -> None:
        """Agent first, so that the hub still hears what it has to say."""
        for part in reversed(self._parts):
            process = part.process
            if process is None or process.poll() is not None:
                continue
            process.terminate()
            try:
                process.wait(GRACE_S)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _environment(settings: Settings) -> dict[str, str]:
    """What every part of the factory is told."""
    return os.environ | {
        "FUCINA_HOME": str(settings.home),
        "FUCINA_HUB_HOST": settings.hub_host,
        "FUCINA_HUB_PORT": str(settings.hub_port),
        "DJANGO_SETTINGS_MODULE": "fucina.hub.settings",
        "PYTHONUNBUFFERED": "1",
    }


def _lock(settings: Settings) -> int:
    path = settings.home / "up.lock"
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock)
        raise AlreadyUp(
            f"A factory with home {settings.home} is up at {settings.url}.",
            hint="Use it, or end it with `fucina down`.",
        ) from error
    os.ftruncate(lock, 0)
    os.write(lock, json.dumps({"pid": os.getpid(), "url": settings.url}).encode())
    return lock


def _is_free(settings: Settings) -> bool:
    try:
        _check_port(settings)
    except PortInUse:
        return False
    return True


def _check_port(settings: Settings) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.hub_host, settings.hub_port))
        except OSError as error:
            raise PortInUse(
                f"Port {settings.hub_port} of {settings.hub_host} cannot be used: {error.strerror}.",
                hint="Set FUCINA_HUB_PORT to a free one.",
            ) from error


def _django(settings: Settings, *arguments: str) -> str:
    """Run one management command of the hub; returns what it printed. Raises CannotStart."""
    done = subprocess.run(  # noqa: S603 - our own commands, lists, no shell
        [sys.executable, "-m", "django", *arguments],
        env=_environment(settings),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no word"])[-1]
        raise CannotStart(
            f"The hub cannot be set up: {last}",
            hint="Install the package with the extra `hub`; look at the home folder.",
        )
    return done.stdout.strip()


def _prepare_home(settings: Settings) -> None:
    _django(settings, "prepare_home")


def sign_in_link(settings: Settings) -> str:
    """A link that signs the operator in once."""
    return settings.url + _django(settings, "sign_in_link").splitlines()[-1]


def _greet(settings: Settings, form: Format) -> None:
    if form is Format.JSON:
        sys.stdout.write(json.dumps({"url": settings.url, "home": str(settings.home), "pid": os.getpid()}) + "\n")
        sys.stdout.flush()
        return
    say(f"Fucina is up at {settings.url}")
    say(f"Sign in once with {sign_in_link(settings)}")
    say("Ctrl-C ends it; running stages save their state and go on at the next start.")


@contextmanager
def embedded(settings: Settings) -> Iterator[None]:
    """A factory for as long as the block lasts."""
    command = [sys.executable, "-m", "fucina.cli", "up", "--format", "json"]
    with _started(settings, command) as process:
        try:
            yield
        finally:
            process.terminate()
            process.wait()


@contextmanager
def _started(settings: Settings, command: list[str]) -> Iterator[subprocess.Popen[str]]:
    """A supervisor that has said that it is ready. Raises CannotStart with what it said instead."""
    with subprocess.Popen(  # noqa: S603 - our own commands, lists, no shell
        command,
        env=_environment(settings),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        line = process.stdout.readline() if process.stdout else ""
        if not line:
            told = process.stderr.read().strip() if process.stderr else ""
            raise CannotStart(
                f"The factory did not start: {_message(told)}", hint=f"Look into {settings.home / 'log'}."
            )
        yield process


def _message(told: str) -> str:
    try:
        return str(json.loads(told.splitlines()[-1])["message"])
    except (ValueError, KeyError, IndexError, TypeError):
        return told[-300:] or "it said nothing"


def start_detached(settings: Settings, form: Format) -> None:
    """Start a supervisor that goes on without us. Raises AlreadyUp, PortInUse, CannotStart."""
    settings.home.mkdir(parents=True, exist_ok=True)
    os.close(_lock(settings))
    _check_port(settings)
    log = settings.home / "log" / "up.log"
    log.parent.mkdir(exist_ok=True)
    with log.open("ab") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "fucina.cli", "up", "--format", "json"],
            env=_environment(settings),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    _wait(lambda: hub_is_up(settings) or process.poll() is not None, READY_S)
    if process.poll() is not None or not hub_is_up(settings):
        raise CannotStart(
            f"The factory did not start: {_message(log.read_text(encoding='utf-8'))}", hint=f"Look at {log}."
        )
    say(f"Fucina is up at {settings.url}, process {process.pid}; `fucina down` ends it.", form)
    if form is Format.JSON:
        sys.stdout.write(json.dumps({"url": settings.url, "home": str(settings.home), "pid": process.pid}) + "\n")


def stop_detached(settings: Settings, form: Format) -> None:
    """End the supervisor of this home and wait until it is gone. Raises Unavailable when there is none."""
    path = settings.home / "up.lock"
    pid = _holder(path)
    if pid is None:
        raise Unavailable(f"No factory with home {settings.home} is up.", hint="Start one with `fucina up`.")
    os.kill(pid, signal.SIGTERM)
    if not _wait(lambda: _holder(path) is None, GRACE_S * 3):
        raise CannotStart(f"Process {pid} does not end.", hint=f"End it by hand: kill -9 {pid}.")
    say("Fucina is down.", form)


def _holder(path: Path) -> int | None:
    """Process that holds the lock, if any."""
    try:
        lock = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return int(json.loads(os.read(lock, 4096))["pid"])
    else:
        return None
    finally:
        os.close(lock)


def _wait(ready: Callable[[], bool], seconds: float) -> bool:
    """Look again and again until it is so, or the time is over."""
    until = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > until:
            return False
        time.sleep(LOOK_S)
    return True
