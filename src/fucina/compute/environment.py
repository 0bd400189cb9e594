"""The software that stages need, as one relocatable archive: compute nodes have no internet to install it from.

The archive holds the installed distributions that an extra of this package needs, this package itself, and a
`bin/fucina` that finds them wherever it lies. It needs the Python minor version and kind of machine that packed it.
"""

import io
import json
import os
import platform
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

import zstandard
from packaging.requirements import Requirement
from pydantic import BaseModel, ConfigDict, ValidationError

import fucina
from fucina.errors import BadInput

DESCRIPTION = "environment.json"
_NAME = "fucina"
_LIBRARIES = "site-packages"
_LAUNCHER = """\
#!/bin/sh
# Runs this environment wherever it lies, with the Python that FUCINA_PYTHON names or the first on the path.
here=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd) || exit 1
PYTHONPATH="$here/site-packages" PYTHONNOUSERSITE=1 exec "${FUCINA_PYTHON:-python3}" -m fucina.cli "$@"
"""


class CannotPack(BadInput):
    """Something that the environment needs is not installed here."""

    code = "cannot_pack"


class BadEnvironment(BadInput):
    """An archive that is not a whole environment, or one for another machine."""

    code = "bad_environment"


class Description(BaseModel):
    """`environment.json`: what an archive holds and where it runs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str
    python: str
    """Minor version, such as 3.11."""
    machine: str
    distributions: dict[str, str]
    """Version by name."""


class Member(NamedTuple):
    """A file of the archive."""

    name: str
    path: Path
    is_executable: bool


def needed(extras: Iterable[str]) -> dict[str, Distribution]:
    """Every installed distribution that this package needs with these extras. Raises CannotPack."""
    found: dict[str, Distribution] = {}
    waiting = [Requirement(f"{_NAME}[{','.join(sorted(extras))}]")]
    done: set[str] = set()
    while waiting:
        requirement = waiting.pop()
        if str(requirement) in done:
            continue
        done.add(str(requirement))
        try:
            here = distribution(requirement.name)
        except PackageNotFoundError as error:
            raise CannotPack(
                f"{requirement.name} is needed and not installed here.",
                hint=f"Install the package with the extras {', '.join(sorted(extras))} first.",
            ) from error
        found[_normal(here.metadata["Name"])] = here
        for text in here.requires or []:
            further = Requirement(text)
            if further.marker is None or any(
                further.marker.evaluate({"extra": extra}) for extra in (requirement.extras or {""}) | {""}
            ):
                waiting.append(further)
    return found


def pack(target: Path, *, extras: Iterable[str], told: Callable[[int, int], object] | None = None) -> Description:
    """Write the environment of this process to `target` (.tar.zst); the same environment gives the same bytes.

    `told` hears how many of how many files are written. Raises CannotPack.
    """
    distributions = needed(extras)
    members = sorted({member.name: member for member in _members(distributions)}.values())
    description = Description(
        version=fucina.__version__,
        python=_python(),
        machine=_machine(),
        distributions={name: here.version for name, here in sorted(distributions.items())},
    )
    partial = target.with_name(f".{target.name}.part")
    try:
        with (
            partial.open("wb") as file,
            zstandard.ZstdCompressor(level=3, threads=-1).stream_writer(file) as packed,
            tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as archive,
        ):
            _add(archive, DESCRIPTION, io.BytesIO(description.model_dump_json(indent=1).encode()))
            _add(archive, "bin/fucina", io.BytesIO(_LAUNCHER.encode()), is_executable=True)
            for number, member in enumerate(members, start=1):
                with member.path.open("rb") as content:
                    _add(archive, member.name, content, is_executable=member.is_executable)
                if told:
                    told(number, len(members))
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return description


def unpack(archive: Path, folder: Path) -> Path:
    """Lay the environment into `folder`, which must not exist, and try it; returns its `fucina` command.

    Raises BadEnvironment; then `folder` does not exist.
    """
    if folder.exists():
        raise BadEnvironment(f"{folder} exists.", hint="Name a new folder.")
    partial = folder.with_name(f".{folder.name}.{os.getpid()}")
    partial.mkdir(parents=True)
    try:
        _extract(archive, partial)
        description = _read(partial, archive)
        if (description.python, description.machine) != (_python(), _machine()):
            raise BadEnvironment(
                f"{archive.name} is for Python {description.python} on {description.machine}; "
                f"here is Python {_python()} on {_machine()}.",
                hint="Pack it on a machine like this one, or load that Python first.",
            )
        done = subprocess.run(  # noqa: S603 - a list, no shell
            [partial / "bin" / "fucina", "version"],
            env=os.environ | {"FUCINA_PYTHON": str(_bare_python())},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise BadEnvironment(f"{archive.name} does not run here: {last}", hint="Pack it again.")
        partial.replace(folder)
    except BaseException:
        _remove(partial)
        raise
    return folder / "bin" / "fucina"


def definition(archive: str) -> str:
    """An Apptainer definition that builds an image around a packed environment."""
    return f"""\
Bootstrap: docker
From: python:{_python()}-slim

%files
    {archive} /opt/fucina.tar.zst

%post
    apt-get update && apt-get install -y --no-install-recommends zstd libgomp1
    mkdir -p /opt/fucina && tar --zstd -xf /opt/fucina.tar.zst -C /opt/fucina && rm /opt/fucina.tar.zst
    ln -s /opt/fucina/bin/fucina /usr/local/bin/fucina && fucina version

%runscript
    exec fucina "$@"
"""


def _members(distributions: dict[str, Distribution]) -> Iterator[Member]:
    """Files of libraries, without their commands and compiled copies, and of this package where it really lies."""
    for name, here in distributions.items():
        if name == _NAME:
            continue
        for file in here.files or []:
            path = Path(str(here.locate_file(file)))
            inside = not file.is_absolute() and ".." not in file.parts
            if inside and "__pycache__" not in file.parts and path.is_file():
                yield Member(f"{_LIBRARIES}/{PurePosixPath(file)}", path, os.access(path, os.X_OK))
    root = Path(fucina.__file__).parent
    for path in root.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            yield Member(f"{_LIBRARIES}/{_NAME}/{path.relative_to(root).as_posix()}", path, False)
    own = distributions[_NAME]
    for text in ("METADATA", "entry_points.txt"):
        found = [Path(str(own.locate_file(file))) for file in own.files or [] if file.name == text]
        for path in found:
            yield Member(f"{_LIBRARIES}/{_NAME}-{own.version}.dist-info/{text}", path, False)


def _add(archive: tarfile.TarFile, name: str, content: IO[bytes], *, is_executable: bool = False) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = content.seek(0, os.SEEK_END)
    content.seek(0)
    entry.mode = 0o755 if is_executable else 0o644
    archive.addfile(entry, content)


def _extract(archive: Path, folder: Path) -> None:
    try:
        with (
            archive.open("rb") as file,
            zstandard.ZstdDecompressor().stream_reader(file) as unpacked,
            tarfile.open(fileobj=unpacked, mode="r|") as entries,
        ):
            entries.extractall(folder, filter="data")
    except (OSError, tarfile.TarError, zstandard.ZstdError, EOFError) as error:
        raise BadEnvironment(f"{archive} cannot be unpacked: {error}", hint="Copy or pack it again.") from error


def _read(folder: Path, archive: Path) -> Description:
    try:
        return Description.model_validate(json.loads((folder / DESCRIPTION).read_text(encoding="utf-8")))
    except (OSError, ValueError, ValidationError) as error:
        raise BadEnvironment(
            f"{archive.name} has no usable {DESCRIPTION}.", hint="Give an archive that `fucina environment pack` wrote."
        ) from error


def _remove(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    folder.rmdir()


def _normal(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


def _python() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def _bare_python() -> Path:
    """The interpreter behind a virtual environment, which has none of its libraries."""
    bare = Path(sys.base_prefix) / "bin" / f"python{_python()}"
    return bare if bare.is_file() else Path(sys.executable)


def _machine() -> str:
    return f"{platform.system()} {platform.machine()}".lower()
