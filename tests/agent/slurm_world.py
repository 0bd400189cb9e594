"""A real hub and the real clusters, joined by real agents in processes of their own."""

import getpass
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import yaml

from lab import Lab
from tests.line.factory import PROJECT, Factory

INTERPRETERS = (sys.executable, "/usr/bin/python3.11", "/usr/bin/python3")
"""The first that a user of the clusters may run is what the stages run with."""

ALLOCATE = """
import sys, django
django.setup()
from django.utils import timezone
from fucina.hub.access.models import Grant
from fucina.hub.accounting.actions import allocate
from fucina.hub.accounting.models import Allocation, Kind
from fucina.hub.network.models import Partition
from fucina.hub.people.actions import Rule
place = Partition.objects.get(site__name=sys.argv[1])
for allocation in Allocation.objects.order_by("-pk")[: int(sys.argv[2]) or None]:
    # Time that was granted on the hub's own machine is put on the cluster instead.
    allocation.site, allocation.partition = place.site, place
    allocation.save()
"""


def users_python(user: str) -> str:
    """An interpreter that this user may run, with the version of ours."""
    for path in INTERPRETERS:
        version = f"import sys; sys.exit(sys.version_info[:2] != {tuple(sys.version_info[:2])})"
        # setpriv itself still has root's rights when it looks for the program; the shell that it starts has not.
        argv = [*as_user(user), "/bin/sh", "-c", 'exec "$0" "$@"', path, "-c", version]
        if subprocess.run(argv, capture_output=True, check=False).returncode == 0:
            return path
    pytest.skip(f"user {user} may run none of {', '.join(INTERPRETERS)}")


def as_user(user: str) -> list[str]:
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "--"]


class World:
    """One hub, and a site file for each cluster."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab = lab
        self.folder = folder
        folder.chmod(0o755)
        self.factory = Factory(folder / "hub")
        self.python = users_python("alice")
        self.programs = self._programs()
        self.operator = getpass.getuser()
        self.agents: list[subprocess.Popen[str]] = []

    def _programs(self) -> Path:
        """A folder with a `fucina` that users of the clusters may run."""
        programs = self.folder / "programs"
        programs.mkdir()
        path = ":".join(entry for entry in sys.path if Path(entry).is_dir() and "python3" not in Path(entry).name)
        script = f'#!/bin/sh\nPYTHONPATH="{path}" exec {self.python} -m fucina.cli "$@"\n'
        (programs / "fucina").write_text(script)
        (programs / "fucina").chmod(0o755)
        return programs

    def site_file(self, cluster: str, *, account: str = "", owner: str = "root", **slurm: object) -> Path:
        """Describe a cluster; its scratch belongs to `owner`."""
        scratch = self.folder / f"scratch-{cluster}"
        scratch.mkdir(exist_ok=True)
        scratch.chmod(0o755)
        shutil.chown(scratch, owner, owner)
        about = self.lab.clusters[cluster].spec
        described = {
            "id": cluster,
            "name": cluster.title(),
            "executor": "slurm",
            "user_commands": ["*"],
            "slurm": {
                "cluster": cluster,
                "conf": str(self.lab.clusters[cluster].conf),
                "scratch": str(scratch),
                "programs": str(self.programs),
                "account": account,
                "offline": False,
                **slurm,
            },
            "partitions": [
                {
                    "id": "gpu",
                    "accelerator": {"id": "cpu-node", "tflops_bf16": 1.0, "memory_gib": 16},
                    "num_nodes": about.num_nodes,
                    "num_gpus_per_node": about.gpus_per_node,
                    "gres_type": "h200",
                    "efficiency": 0.2,
                }
            ],
        }
        path = self.folder / f"{cluster}.yaml"
        path.write_text(yaml.safe_dump(described, sort_keys=False))
        path.chmod(0o644)
        return path

    def cli(self, *words: str) -> str:
        """A command of the operator, which must work."""
        done = self.factory.cli(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def allocate(self, site: str, *, newest: int = 0) -> None:
        """Put what was granted on a cluster: all of it, or the `newest` grants."""
        environment = self.factory.environment | {"DJANGO_SETTINGS_MODULE": "fucina.hub.settings"}
        subprocess.run([sys.executable, "-c", ALLOCATE, site, str(newest)], env=environment, check=True)

    def start_agent(self, *words: str, user: str = "", home: Path | None = None) -> subprocess.Popen[str]:
        """An agent in a process of its own; as a user, with the interpreter and the token of that user."""
        environment = dict(self.factory.environment)
        environment["FUCINA_HUB_URL"] = f"http://127.0.0.1:{environment['FUCINA_HUB_PORT']}"
        command = [sys.executable, "-m", "fucina.cli"]
        if user:
            assert home is not None
            environment |= {
                "FUCINA_HOME": str(home),
                "FUCINA_TOKEN_FILE": str(home / "token"),
                "HOME": str(home),
                "USER": user,
            }
            command = [*as_user(user), str(self.programs / "fucina")]
        # Signing keys and logs of the site's own.
        environment["FUCINA_SIGNING_KEY"] = str(self.folder / "site.key")
        log = (self.folder / f"agent-{len(self.agents)}.log").open("w")
        agent = subprocess.Popen(
            [*command, "agent", *words], env=environment, stdout=log, stderr=subprocess.STDOUT, text=True, cwd="/"
        )
        log.close()
        self.agents.append(agent)
        return agent

    def share_key(self, owner: str = "root") -> None:
        """The key that the site's agent signs releases with."""
        shutil.copyfile(self.factory.home / "keys" / "factory.key", self.folder / "site.key")
        (self.folder / "site.key").chmod(0o600)
        shutil.chown(self.folder / "site.key", owner, owner)

    def home_for(self, user: str) -> Path:
        """A home folder with the operator's token, for a user's own agent."""
        home = self.folder / f"home-{user}"
        home.mkdir(exist_ok=True)
        shutil.copyfile(self.factory.home / "secrets" / "operator.token", home / "token")
        (home / "token").chmod(0o600)
        for path in (home, home / "token"):
            shutil.chown(path, user, user)
        return home

    def kill_agent(self) -> None:
        """kill -9 of the newest agent."""
        self.agents[-1].send_signal(signal.SIGKILL)
        self.agents[-1].wait(timeout=30)

    def logs(self) -> str:
        """What the agents printed."""
        return "\n".join(path.read_text() for path in sorted(self.folder.glob("agent-*.log")))

    def close(self) -> None:
        for agent in self.agents:
            if agent.poll() is None:
                agent.terminate()
                agent.wait(timeout=60)
        self.factory.down()


def project_for(site: str) -> str:
    """The small project, at one site."""
    return PROJECT.replace("compute: {gpu_hours: 0.5}", f"compute: {{gpu_hours: 0.5, site: {site}}}")


def new_folder() -> Path:
    """A folder that the clusters' users can reach; pytest's own are closed to others."""
    return Path(tempfile.mkdtemp(prefix="fucina-sites-"))
