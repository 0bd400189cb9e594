"""Pieces of what a job printed, read with the rights of the job's own user."""

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from fucina.compute.slurm.placing import OutsideProject, inside
from fucina.compute.slurm.transport import Transport
from fucina.errors import Unavailable


class LogReader(Protocol):
    """Reads a file of the site."""

    def read(self, path: str, *, offset: int, max_bytes: int, user: str) -> bytes:
        """A piece of a regular file, empty at its end or where there is none. Raises OutsideProject, Unavailable."""


class SharedLogs:
    """The site's file system is mounted here. Implements `LogReader`.

    A job of another user could put a link to somebody's file where its log was: such a file is read as that user.
    """

    def __init__(self, *, roots: Sequence[Path], transport: Transport, own_user: str) -> None:
        self._roots = [Path(os.path.realpath(root)) for root in roots]
        self._remote = RemoteLogs(roots=roots, transport=transport)
        self._own_user = own_user

    def read(self, path: str, *, offset: int, max_bytes: int, user: str) -> bytes:
        """A piece of a regular file, empty at its end or where there is none. Raises OutsideProject, Unavailable."""
        try:
            about = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return b""
        if about.st_size <= offset and stat.S_ISREG(about.st_mode):
            return b""
        if user and user != self._own_user:
            return self._remote.read(path, offset=offset, max_bytes=max_bytes, user=user)
        inside(os.path.realpath(path), self._roots)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise OutsideProject(f"{path} cannot be read: {error.strerror}", hint="A log is a plain file.") from error
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OutsideProject(f"{path} is no plain file.", hint="A log is a plain file.")
            file.seek(offset)
            return file.read(max_bytes)


class RemoteLogs:
    """The file is read where Slurm's commands are. Implements `LogReader`."""

    def __init__(self, *, roots: Sequence[Path], transport: Transport) -> None:
        self._roots = list(roots)
        self._transport = transport

    def read(self, path: str, *, offset: int, max_bytes: int, user: str) -> bytes:
        """A piece of a regular file, empty at its end or where there is none. Raises OutsideProject, Unavailable."""
        plain = inside(path, self._roots)
        argv = ["dd", f"if={plain}", "bs=65536", "iflag=skip_bytes,count_bytes,nofollow,nonblock"]
        done = self._transport.run([*argv, f"skip={offset}", f"count={max_bytes}", "status=none"], user=user)
        if done.rc == 0:
            return done.out
        if "No such file" in done.err:
            return b""
        if "Too many levels of symbolic links" in done.err:
            raise OutsideProject(f"{plain} is a link.", hint="A log is a plain file.")
        raise Unavailable(f"{plain} cannot be read: {done.err.strip()[:200]}", hint="Look at the file's rights.")
