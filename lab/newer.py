"""A newer Slurm beside the machine's own: Debian's packages of a later release, unpacked and not installed."""

import os
import shutil
import subprocess
from pathlib import Path

from lab.daemons import clean_env
from lab.layout import LabError, program

SUITES = {"24.11": "trixie"}
PACKAGES = ("slurmctld", "slurmd", "slurmdbd", "slurmrestd", "slurm-client", "slurm-wlm-jwt-plugin")
KEYS = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


def unpack(version: str, prefix: Path) -> Path:
    """Fetch a version with its own C library below `prefix`, once; returns the prefix. Raises LabError."""
    if version not in SUITES:
        raise LabError(f"Slurm {version} is not known here.", hint=f"There is: {', '.join(SUITES)}.")
    if (prefix / "ready").exists():
        return prefix
    if os.getuid():
        raise LabError("Unpacking needs root, as the lab does.", hint="Run it as root on a test machine.")
    program("patchelf")
    part = prefix.with_name(prefix.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    shutil.rmtree(prefix, ignore_errors=True)
    part.mkdir(parents=True, mode=0o755)
    for archive in _download(SUITES[version], part / "apt"):
        _run("dpkg-deb", "--extract", str(archive), str(part))
    shutil.rmtree(part / "apt")
    for path in sorted((part / "usr" / "sbin").glob("slurm*-wlm")):
        path.with_name(path.name.removesuffix("-wlm")).symlink_to(path.name)
    part.rename(prefix)
    _point_at_itself(prefix)
    (prefix / "ready").write_text(f"{version}\n", "utf-8")
    return prefix


def _download(suite: str, folder: Path) -> list[Path]:
    """The packages with all that they depend on, checked by apt against Debian's keys; apt thinks nothing installed."""
    for name in ("state/lists/partial", "cache/archives/partial", "parts"):
        (folder / name).mkdir(parents=True)
    (folder / "state" / "status").touch()
    (folder / "sources.list").write_text(f"deb [signed-by={KEYS}] {_archive()} {suite} main\n", "utf-8")
    options = {
        "Dir::State": folder / "state",
        "Dir::State::status": folder / "state" / "status",
        "Dir::Cache": folder / "cache",
        "Dir::Etc::sourcelist": folder / "sources.list",
        "Dir::Etc::sourceparts": folder / "parts",
        "APT::Sandbox::User": "root",
        "APT::Install-Recommends": "false",
    }
    apt = ["apt-get", "-qq", *(f"-o{name}={value}" for name, value in options.items())]
    _run(*apt, "update")
    _run(*apt, "--download-only", "-y", "install", *PACKAGES)
    return sorted((folder / "cache" / "archives").glob("*.deb"))


def _archive() -> str:
    """Where this machine's own packages come from. Raises LabError."""
    shape = "$(REPO_URI)|$(COMPONENT)|$(SUITE)"
    rows = [line.split("|") for line in _run("apt-get", "indextargets", "--format", shape).splitlines()]
    found = [row[0] for row in rows if len(row) == 3 and row[1] == "main" and "security" not in row[2] + row[0]]
    if not found:
        raise LabError("apt knows no Debian archive here.", hint="Run apt-get update first, on Debian.")
    return found[0]


def _point_at_itself(prefix: Path) -> None:
    """Have Slurm's programs load the unpacked C library and libraries, whatever they start later."""
    libraries = prefix / "usr" / "lib" / "x86_64-linux-gnu"
    loader = next(path for path in (prefix / "usr/lib64", libraries) if (path / "ld-linux-x86-64.so.2").exists())
    search = f"{libraries / 'slurm-wlm'}:{libraries}"
    names = (*(prefix / "usr" / "sbin").iterdir(), *(prefix / "usr" / "bin").iterdir())
    programs = [path for path in names if not path.is_symlink() and _is_slurms(path)]
    for path in programs:
        _run("patchelf", "--set-interpreter", str(loader / "ld-linux-x86-64.so.2"), str(path))
    for path in (*programs, *(libraries / "slurm-wlm").glob("*.so*")):
        if not path.is_symlink():
            _run("patchelf", "--force-rpath", "--set-rpath", search, str(path))


def _is_slurms(path: Path) -> bool:
    """Whether a file is a program linked with Slurm's library."""
    content = path.read_bytes()
    return content.startswith(b"\x7fELF") and b"libslurm" in content


def _run(*argv: str) -> str:
    """What the command printed. Raises LabError."""
    done = subprocess.run(
        [program(argv[0]), *argv[1:]],
        capture_output=True,
        text=True,
        check=False,
        env=clean_env({"DEBIAN_FRONTEND": "noninteractive"}),
    )
    if done.returncode:
        raise LabError(f"{argv[0]} failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout
