"""Slurm's commands on a login node: one SSH connection, kept, behind a synchronous face."""

import asyncio
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as NoAnswerInTime
from pathlib import Path

import asyncssh

from fucina.compute.slurm.transport import TIMEOUT_S, Completed, LostAnswer, Unreachable, as_user, quote_argv
from fucina.network.spec import BadSiteFile, SshAccess

MAX_SESSIONS = 5
"""An sshd gives one connection ten sessions and frees them late."""
NUM_TRIES = 8
"""Of opening a session that the server has no room for."""
FIRST_PAUSE_S = 0.05
CONNECT_TIMEOUT_S = 20.0
KEEP_ALIVE_S = 15.0
NUM_KEEP_ALIVES = 3
"""Unanswered ones that end a connection."""


class SshTransport:
    """A login node. Implements `Transport`."""

    def __init__(
        self,
        *,
        access: SshAccess,
        environment: Mapping[str, str],
        bin_folder: Path | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        for path in (access.key, access.known_hosts):
            if not path.is_file():
                raise BadSiteFile(f"{path} does not exist.", hint="`key` and `known_hosts` of section `ssh` are files.")
        self._access = access
        first = [f"PATH={bin_folder}:/usr/local/bin:/usr/bin:/bin"] if bin_folder else []
        self._prefix = ["env", *(f"{name}={value}" for name, value in environment.items()), *first]
        self._timeout_s = timeout_s
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="ssh", daemon=True)
        self._thread.start()
        self._connection: asyncssh.SSHClientConnection | None = None
        self._jump: asyncssh.SSHClientConnection | None = None
        self._connecting = asyncio.Lock()
        self._sessions = asyncio.Semaphore(MAX_SESSIONS)

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", user: str = "") -> Completed:
        """Run one command, as `user` when signed in as root. Raises Unreachable, LostAnswer, NotAnArgument."""
        line = quote_argv([*self._prefix, *as_user(user, argv)])
        future = asyncio.run_coroutine_threadsafe(self._run(line, stdin, argv[0]), self._loop)
        try:
            return future.result()
        except CancelledError as error:
            raise LostAnswer(f"{argv[0]} on {self._access.host} was given up.", hint="The agent is closing.") from error

    def close(self) -> None:
        """End the connection and its thread."""
        if self._loop.is_closed():
            return
        asyncio.run_coroutine_threadsafe(self._disconnect(), self._loop).result(CONNECT_TIMEOUT_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CONNECT_TIMEOUT_S)
        self._loop.close()

    async def _run(self, line: str, stdin: bytes, name: str) -> Completed:
        async with self._sessions:
            process = await self._open(line)
            try:
                async with asyncio.timeout(self._timeout_s):
                    if not stdin:
                        process.stdin.write_eof()
                    out, err = await process.communicate(stdin)
                    await process.wait_closed()
            except TimeoutError as error:
                process.close()
                raise LostAnswer(
                    f"{name} on {self._access.host} did not answer within {self._timeout_s:.0f} s.",
                    hint="Look at the login node and at slurmctld.",
                ) from error
            except (OSError, asyncssh.Error) as error:
                raise LostAnswer(
                    f"The connection to {self._access.host} broke while {name} ran: {error}", hint="Try again."
                ) from error
            if process.exit_status is None:
                raise LostAnswer(f"The connection to {self._access.host} broke while {name} ran.", hint="Try again.")
            return Completed(rc=process.exit_status, out=out or b"", err=(err or b"").decode(errors="replace"))

    async def _open(self, line: str) -> asyncssh.SSHClientProcess[bytes]:
        """Start a command; a server without room for another session, or a connection that is gone, is tried again."""
        pause_s = FIRST_PAUSE_S
        for _ in range(NUM_TRIES):
            connection = await self._connect()
            try:
                async with asyncio.timeout(CONNECT_TIMEOUT_S):
                    return await connection.create_process(line, encoding=None)
            except asyncssh.ChannelOpenError as error:
                trouble: Exception = error
                if connection.is_closed():
                    self._connection = None
            except TimeoutError as error:
                # Whether the server has started it is not known.
                connection.abort()
                self._connection = None
                raise LostAnswer(f"{self._access.host} did not open a session.", hint="Try again.") from error
            except (OSError, asyncssh.Error) as error:
                self._connection = None
                raise LostAnswer(f"The connection to {self._access.host} broke: {error}", hint="Try again.") from error
            await asyncio.sleep(pause_s)
            pause_s *= 2
        raise Unreachable(f"{self._access.host} opens no session: {trouble}", hint="Look at MaxSessions of its sshd.")

    async def _connect(self) -> asyncssh.SSHClientConnection:
        async with self._connecting:
            if self._connection is not None and not self._connection.is_closed():
                return self._connection
            await self._disconnect()
            access = self._access
            try:
                if access.jump_host:
                    user, host, port = _parts(access.jump_host, access.user)
                    self._jump = await self._sign_in(host, port, user, None)
                self._connection = await self._sign_in(access.host, access.port, access.user, self._jump)
            except asyncssh.HostKeyNotVerifiable as error:
                raise Unreachable(
                    f"The host key of {access.host}:{access.port} is not in {access.known_hosts}: {error}",
                    hint="Ask the site for its host keys and compare before you add one.",
                ) from error
            except asyncssh.PermissionDenied as error:
                raise Unreachable(
                    f"{access.host} does not let {access.user} in: {error}",
                    hint=f"Is {access.key} the right key, and is its public half at the site?",
                ) from error
            except (OSError, asyncssh.Error, NoAnswerInTime) as error:
                raise Unreachable(
                    f"{access.host}:{access.port} cannot be reached: {error or type(error).__name__}",
                    hint="Check host, port and jump host in the site file, and the network.",
                ) from error
            return self._connection

    async def _sign_in(
        self, host: str, port: int, user: str, tunnel: asyncssh.SSHClientConnection | None
    ) -> asyncssh.SSHClientConnection:
        """Nothing but the site file decides: no user's own configuration, agent or other keys."""
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            return await asyncssh.connect(
                host,
                port=port,
                username=user,
                tunnel=tunnel,
                known_hosts=str(self._access.known_hosts),
                client_keys=[str(self._access.key)],
                config=[],
                agent_path=None,
                preferred_auth=["publickey"],
                keepalive_interval=KEEP_ALIVE_S,
                keepalive_count_max=NUM_KEEP_ALIVES,
                connect_timeout=CONNECT_TIMEOUT_S,
            )

    async def _disconnect(self) -> None:
        for connection in (self._connection, self._jump):
            if connection is not None:
                connection.abort()
                await connection.wait_closed()
        self._connection = self._jump = None


def _parts(text: str, default_user: str) -> tuple[str, str, int]:
    """User, host and port of `user@host:port`. Raises BadSiteFile."""
    user, _, address = text.rpartition("@")
    host, colon, port = address.rpartition(":")
    if colon and not port.isdigit():
        raise BadSiteFile(f"{text!r} is no jump host.", hint="Write user@host:port.")
    return user or default_user, host if colon else address, int(port) if colon else 22
