"""Working directories on a site whose files are not mounted here: sent before a job, fetched after it.

Files travel in pieces over the transport of Slurm's commands, several at once. What a break leaves is gone on with,
every file is compared by its SHA-256 on both sides, and a content that the site has already is not sent again.
"""

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import NamedTuple, Protocol

from fucina.compute.slurm.placing import OutsideProject
from fucina.compute.slurm.transport import Completed, Transport
from fucina.errors import Unavailable

PIECE_BYTES = 8 << 20
NUM_AT_ONCE = 4
NUM_WORDS = 200
"""Paths in one command, so that its line stays short."""
COPY_BELOW_BYTES = 1 << 20
"""Smaller files are copied from the store, so that a job may change them; larger ones are linked."""
STORE = ".contents"
EXIT_AGAIN = 75
"""A command that wants to be called again (EX_TEMPFAIL)."""


class CopyFailed(Unavailable):
    """A file did not arrive as it left."""

    code = "copy_failed"


class Remote(NamedTuple):
    """A file of the site."""

    path: str
    num_bytes: int


class Carrier(Protocol):
    """Another way for large files: a storage that both sides reach."""

    min_bytes: int
    """Smaller files are sent over the transport."""

    def put(self, path: Path, sha256: str) -> int:
        """Lay a content down there, from where an earlier try broke off; returns how many bytes were sent."""

    def get_argv(self, sha256: str, target: str) -> list[str]:
        """The site's command that fetches it to that path; it leaves with `EXIT_AGAIN` while a part is missing."""


class Mirror:
    """The tree below `here` and its image below `there`."""

    def __init__(
        self, transport: Transport, *, here: Path, there: PurePosixPath, carrier: Carrier | None = None
    ) -> None:
        self._transport = transport
        self._carrier = carrier
        self._here = here
        self._there = there

    def close(self) -> None:
        """Let go of the connection."""
        self._transport.close()

    def image(self, path: Path) -> PurePosixPath:
        """Where a path of this machine lies at the site. Raises OutsideProject."""
        if not path.is_relative_to(self._here) or ".." in path.parts:
            raise OutsideProject(f"{path} is not below {self._here}.", hint="Place jobs below the agent's folder.")
        return self._there / path.relative_to(self._here).as_posix()

    def original(self, image: str) -> Path:
        """The path of this machine whose image that is. Raises OutsideProject."""
        path = PurePosixPath(image)
        if not path.is_relative_to(self._there) or ".." in path.parts:
            raise OutsideProject(f"{path} is not below {self._there}.", hint="Look at `scratch` in the site file.")
        return self._here / path.relative_to(self._there)

    def moved(self, text: str) -> str:
        """A text that is a path below `here` as its image; any other text as it is."""
        path = Path(text)
        inside = path.is_absolute() and ".." not in path.parts and path.is_relative_to(self._here)
        return str(self.image(path)) if inside else text

    def push(self, folder: Path, *, told: Callable[[int, int], object] | None = None) -> int:
        """Make the site's copy of a folder complete; returns how many bytes were sent. Raises CopyFailed, Unavailable.

        `told` hears how many of how many files are there.
        """
        files = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()]
        contents = {path: _digest(path) for path in files}
        folders = {str(self.image(path.parent)) for path in files} | {str(self.image(folder)), str(self._store)}
        self._each(["mkdir", "-p", "--"], sorted(folders))
        missing = self._missing(set(contents.values()))
        first_of = {sha256: path for path, sha256 in reversed(contents.items())}
        with ThreadPoolExecutor(NUM_AT_ONCE) as pool:
            sent = sum(pool.map(lambda sha256: self._send(first_of[sha256], sha256), sorted(missing)))
            for number, _ in enumerate(pool.map(lambda item: self._lay(*item), contents.items()), start=1):
                if told:
                    told(number, len(files))
        return sent

    def pull(self, folder: Path, *, wanted: Callable[[str], bool]) -> int:
        """Bring the files of a folder whose relative path is wanted; returns how many bytes came.

        Raises CopyFailed, Unavailable.
        """
        files = [file for file in self._listed(folder) if wanted(file.path)]
        with ThreadPoolExecutor(NUM_AT_ONCE) as pool:
            return sum(pool.map(lambda file: self._bring(folder, file), files))

    def pull_tail(self, path: Path) -> int:
        """Append what has been added to a growing file since the last time; returns how many bytes."""
        have = path.stat().st_size if path.exists() else 0
        piece = self._read(str(self.image(path)), offset=have, must_exist=False)
        if piece:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("ab") as file:
                file.write(piece)
        return len(piece)

    @property
    def _store(self) -> PurePosixPath:
        return self._there / STORE

    def _missing(self, sha256s: set[str]) -> set[str]:
        """Contents that the site's store lacks."""
        found: set[str] = set()
        for names in _batches(sorted(sha256s)):
            # `stat` names those that exist and fails for the others.
            done = self._transport.run(["stat", "--format=%n", "--", *(str(self._store / name) for name in names)])
            found |= {PurePosixPath(line).name for line in done.text.splitlines()}
        return sha256s - found

    def _send(self, path: Path, sha256: str) -> int:
        """One content into the store, from where an earlier try broke off."""
        part = f"{self._store / sha256}.part"
        size = path.stat().st_size
        if self._carrier is not None and size >= self._carrier.min_bytes:
            sent = self._carry(self._carrier, path, sha256, part)
        else:
            sent = self._pour(path, size, part)
        self._check(part, sha256, what=str(path))
        self._run(["mv", "-f", "--", part, str(self._store / sha256)])
        return sent

    def _carry(self, carrier: Carrier, path: Path, sha256: str, part: str) -> int:
        """Over the storage; the site's side works for less than a command may take, and is called until it is done."""
        sent = carrier.put(path, sha256)
        argv = carrier.get_argv(sha256, part)
        while (done := self._transport.run(argv)).rc == EXIT_AGAIN:
            pass
        if done.rc:
            raise CopyFailed(
                f"{path.name} lies in the storage and the site cannot fetch it: {done.err.strip()[:300]}",
                hint="Does its login node reach the storage, with credentials? Is `programs` of the site file right?",
            )
        return sent

    def _pour(self, path: Path, size: int, part: str) -> int:
        """Over the transport, in pieces."""
        done = self._transport.run(["stat", "--format=%s", "--", part])
        have = int(done.text) if done.rc == 0 and done.text.strip().isdigit() else 0
        have = have if have <= size else 0
        sent = 0
        with path.open("rb") as file:
            file.seek(have)
            while piece := file.read(PIECE_BYTES):
                options = ["bs=1M", "oflag=seek_bytes", f"seek={have + sent}", "conv=notrunc", "status=none"]
                self._run(["dd", f"of={part}", *options], stdin=piece)
                sent += len(piece)
        self._run(["truncate", f"--size={size}", "--", part])
        return sent

    def _lay(self, path: Path, sha256: str) -> None:
        """A stored content at its place."""
        source, target = str(self._store / sha256), str(self.image(path))
        small = path.stat().st_size < COPY_BELOW_BYTES
        self._run(["cp", "-f", "--", source, target] if small else ["ln", "-f", "--", source, target])

    def _listed(self, folder: Path) -> list[Remote]:
        """Plain files of a folder at the site."""
        image = str(self.image(folder))
        done = self._run(["find", image, "-type", "f", "-printf", "%s %P\\0"])
        files = []
        for entry in done.text.split("\0")[:-1]:
            size, _, path = entry.partition(" ")
            if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
                raise OutsideProject(f"{path} leads out of {image}.", hint="Look at what the job left there.")
            files.append(Remote(path, int(size)))
        return files

    def _bring(self, folder: Path, file: Remote) -> int:
        target, source = folder / file.path, str(self.image(folder) / file.path)
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{target.name}.part")
        have = part.stat().st_size if part.exists() else 0
        brought = 0
        with part.open("r+b" if have else "wb") as out:
            out.seek(have)
            while have + brought < file.num_bytes:
                piece = self._read(source, offset=have + brought)
                if not piece:
                    break
                brought += out.write(piece)
            out.truncate()
            out.flush()
            os.fsync(out.fileno())
        try:
            self._check(source, _digest(part), what=source)
        except CopyFailed:
            part.unlink()
            raise
        part.replace(target)
        return brought

    def _read(self, path: str, *, offset: int, must_exist: bool = True) -> bytes:
        options = ["bs=1M", "iflag=skip_bytes,count_bytes,nofollow", f"skip={offset}", f"count={PIECE_BYTES}"]
        argv = ["dd", f"if={path}", *options, "status=none"]
        done = self._run(argv) if must_exist else self._transport.run(argv)
        return done.out if done.rc == 0 else b""

    def _check(self, path: str, sha256: str, *, what: str) -> None:
        """Raises CopyFailed when the site's file is not the one of this digest; then what was sent is removed."""
        done = self._run(["sha256sum", "--", path])
        found = done.text.split(" ", 1)[0].removeprefix("\\")
        if found != sha256:
            if path.endswith(".part"):
                self._transport.run(["rm", "-f", "--", path])
            raise CopyFailed(
                f"{what} has SHA-256 {sha256[:12]}… here and {found[:12]}… at the site.",
                hint="It is copied again at the next try; if it happens again, look at the site's disk.",
            )

    def _each(self, command: Sequence[str], words: Sequence[str]) -> None:
        for batch in _batches(words):
            self._run([*command, *batch])

    def _run(self, argv: Sequence[str], *, stdin: bytes = b"") -> Completed:
        done = self._transport.run(argv, stdin=stdin)
        if done.rc:
            raise CopyFailed(
                f"{argv[0]} at the site failed: {done.err.strip()[:200]}", hint="Look at quota and rights."
            )
        return done


def _batches(words: Sequence[str]) -> Iterable[Sequence[str]]:
    return (words[first : first + NUM_WORDS] for first in range(0, len(words), NUM_WORDS))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
