"""One site of the lab: its daemons, how to reach it, how to break it."""

import http.client
import os
import pwd
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from lab import database, nodes, people, render, seed
from lab.daemons import Daemon, clean_env, end, running_pid, spawn, wait_until
from lab.layout import ClusterSpec, LabError, Layout, program
from lab.places import Places

CONTROL = ("munged", "slurmdbd", "slurmctld", "slurmrestd", "sshd")


class Cluster:
    """A running site; paths and addresses hold also while it is down."""

    def __init__(self, layout: Layout, spec: ClusterSpec) -> None:
        self.spec = spec
        self.name = spec.name
        self.nodes = spec.nodes
        self.places = Places(layout=layout, spec=spec)
        self.layout = layout

    @property
    def conf(self) -> Path:
        """Path of slurm.conf."""
        return self.places.conf

    @property
    def env(self) -> dict[str, str]:
        """Environment in which Slurm's commands speak to this site."""
        env = clean_env({"SLURM_CONF": str(self.conf)})
        if self.layout.prefix:
            env["PATH"] = f"{self.layout.prefix}/usr/bin:{self.layout.prefix}/usr/sbin:{env['PATH']}"
        return env

    @property
    def rest_url(self) -> str:
        """Address of slurmrestd."""
        return f"http://127.0.0.1:{self.places.rest_port}"

    @property
    def ssh_port(self) -> int:
        """Port of the login node on 127.0.0.1."""
        return self.places.ssh_port

    @property
    def ssh_key(self) -> Path:
        """Private key that lets in everybody of the lab and the service user."""
        return self.places.etc / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        """The login node's host key, for strict checking."""
        return self.places.etc / "known_hosts"

    @property
    def database_url(self) -> str:
        """Address of the tables of slurmdbd, with the password."""
        secret = database.password(self.layout, self.name)
        return f"mysql://slurm_{self.name}:{secret}@127.0.0.1:{self.layout.base_port}/slurm_{self.name}"

    def sql(self, statement: str) -> list[tuple[str, ...]]:
        """Rows of a statement on slurmdbd's own tables, such as `alpha_job_table`."""
        return database.query(self.layout, statement, database=f"slurm_{self.name}")

    def jwt(self, user: str, *, lifespan_s: int = 3600) -> str:
        """A token with which `user` speaks to slurmrestd."""
        done = self.run_as("root", ["scontrol", "token", f"username={user}", f"lifespan={lifespan_s}"], check=True)
        return done.stdout.strip().removeprefix("SLURM_JWT=")

    def run_as(
        self,
        user: str,
        argv: Sequence[str],
        *,
        stdin: str = "",
        check: bool = False,
        timeout_s: float = 120,
        env: dict[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command as a Unix user in that user's home, with this site's environment. Raises LabError."""
        entry = pwd.getpwnam(user)
        home = entry.pw_dir if Path(entry.pw_dir).is_dir() else "/"
        done = subprocess.run(
            list(argv),
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_s,
            cwd=home,
            env=self.env | {"HOME": home, "USER": user, "LOGNAME": user} | (env or {}),
            user=entry.pw_uid,
            group=entry.pw_gid,
            extra_groups=os.getgrouplist(user, entry.pw_gid),
        )
        if check and done.returncode:
            raise LabError(f"{' '.join(argv)} as {user}: exit code {done.returncode}. {done.stderr or done.stdout}")
        return done

    def daemons(self) -> tuple[str, ...]:
        """Names that `start`, `kill` and `alive` take."""
        return (*CONTROL, *(f"slurmd:{node}" for node in self.nodes))

    def pid(self, name: str) -> int | None:
        """Pid of a daemon that runs."""
        self._check(name)
        return running_pid(self.places.pid_file(name))

    def alive(self, name: str) -> bool:
        """Whether a daemon runs."""
        return self.pid(name) is not None

    def kill(self, name: str, number: int = signal.SIGKILL) -> bool:
        """Signal a daemon and wait until it is gone; tells whether it ran."""
        self._check(name)
        return end(self.places.pid_file(name), number)

    def start(self, name: str) -> None:
        """Start a daemon unless it runs; `wait_ready` tells when it answers."""
        self._check(name)
        kind, _, node = name.partition(":")
        if kind == "slurmd":
            nodes.power_on(self.places, node)
            nodes.start_slurmd(self.places, node, {"SLURM_CONF": str(self.conf)})
        else:
            spawn(self._daemon(name))

    def node_off(self, node: str) -> None:
        """Cut a node's power, with everything on it."""
        self._check(f"slurmd:{node}")
        nodes.power_off(self.places, node)

    def node_on(self, node: str) -> None:
        """Give a node power and start its slurmd."""
        self.start(f"slurmd:{node}")

    def cut(self, node: str) -> None:
        """Unplug a node's network cable (mode netns)."""
        self._check(f"slurmd:{node}")
        nodes.cut(self.places, node)

    def heal(self, node: str) -> None:
        """Plug a node's network cable in again (mode netns)."""
        self._check(f"slurmd:{node}")
        nodes.heal(self.places, node)

    def up(self) -> None:
        """Start what does not run, from the keys to the login node. Raises LabError."""
        database.prepare(self.layout, self.name)
        render.write_all(self.places, database_password=database.password(self.layout, self.name))
        nodes.make_bridge(self.places)
        self.start("munged")
        socket = self.places.run / "munge" / "socket"
        wait_until("socket of munged", socket.exists, within_s=20, log=self.places.log / "munged.out")
        self.start("slurmdbd")
        wait_until("answer from slurmdbd", self._accounting_answers, within_s=60, log=self.places.log / "slurmdbd.log")
        seed.sow(
            lambda argv, **more: self.run_as("root", argv, **more),
            self.name,
            marker=self.layout.database / f"{self.name}.seeded",
        )
        for name in self.daemons():
            self.start(name)

    def down(self) -> int:
        """End every daemon of the site; returns how many ran."""
        ended = int(self.kill("sshd"))  # with its sessions: they share its process name space
        ended += sum(self.kill(name, signal.SIGTERM) for name in ("slurmrestd", "slurmctld"))
        ended += sum(nodes.power_off(self.places, node) for node in self.nodes)
        ended += sum(self.kill(name, signal.SIGTERM) for name in ("slurmdbd", "munged"))
        nodes.remove_bridge(self.places)
        return ended

    def wait_ready(self, *, within_s: float = 60) -> None:
        """Wait until every part answers: accounting, controller, nodes, REST, login node. Raises LabError."""
        log = self.places.log
        wait_until("answer from slurmdbd", self._accounting_answers, within_s=within_s, log=log / "slurmdbd.log")
        wait_until("answer from slurmctld", self._controller_answers, within_s=within_s, log=log / "slurmctld.log")
        wait_until(f"registration of {self.name}", self._is_registered, within_s=within_s, log=log / "slurmctld.log")
        wait_until(f"ready node of {self.name}", self._nodes_answer, within_s=within_s, log=log / "slurmctld.log")
        wait_until("answer from slurmrestd", self._rest_answers, within_s=within_s, log=log / "slurmrestd.out")
        wait_until("answer from sshd", self._login_answers, within_s=within_s, log=log / "sshd.out")

    def node_states(self) -> dict[str, str]:
        """What Slurm says of each node, such as `idle`, `down*`; empty where slurmctld does not answer."""
        shown = self.run_as("root", ["sinfo", "-h", "-N", "-o", "%N|%T"])
        return dict(line.split("|", 1) for line in shown.stdout.splitlines() if "|" in line)

    def _check(self, name: str) -> None:
        if name not in self.daemons():
            raise LabError(f"{self.name} has no {name!r}.", hint=f"There are: {', '.join(self.daemons())}.")

    def _daemon(self, name: str) -> Daemon:
        places, layout = self.places, self.layout
        env = {"SLURM_CONF": str(self.conf)}
        inside = (str(places.etc / "enter.sh"), str(places.etc / "hosts"))
        unshare = (program("unshare"), "--mount", "--uts")
        user = "root"
        argv: tuple[str, ...]
        if name == "munged":
            people.folder(places.run / "munge", "munge", 0o711)
            argv = (
                program("munged"),
                "--foreground",
                "--force",
                f"--key-file={places.etc}/munge.key",
                f"--socket={places.run}/munge/socket",
                f"--pid-file={places.run}/munge/pid",
                f"--seed-file={places.run}/munge/seed",
                f"--log-file={places.run}/munge/log",
                "--num-threads=4",
            )
            user = "munge"
        elif name == "slurmdbd":
            argv, user = (layout.program("slurmdbd"), "-D"), "slurm"
        elif name == "slurmctld":
            argv = (
                *unshare,
                "--",
                *inside,
                f"{self.name}-ctl",
                layout.program("slurmctld"),
                "-D",
                "-f",
                str(self.conf),
            )
        elif name == "slurmrestd":
            argv = (layout.program("slurmrestd"), "-a", "rest_auth/jwt", f"127.0.0.1:{places.rest_port}")
            env["SLURM_JWT"] = "daemon"
            user = people.REST
        else:
            people.folder(Path("/run/sshd"))
            more = ("--pid", "--fork", "--kill-child", "--mount-proc", "--")
            sshd = (program("sshd"), "-D", "-e", "-f", str(places.etc / "sshd_config"))
            argv = (*unshare, *more, *inside, f"{self.name}-login", *sshd)
        return Daemon(
            name=name, argv=argv, pid_file=places.pid_file(name), log=places.log / f"{name}.out", env=env, user=user
        )

    def _accounting_answers(self) -> bool:
        return self.run_as("root", ["sacctmgr", "-nP", "show", "qos", "format=name"]).returncode == 0

    def _controller_answers(self) -> bool:
        return "UP" in self.run_as("root", ["scontrol", "ping"]).stdout

    def _is_registered(self) -> bool:
        shown = self.run_as("root", ["sacctmgr", "-nP", "show", "cluster", "format=cluster,controlport"])
        return f"{self.name}|{self.places.control_port}" in shown.stdout.splitlines()

    def _nodes_answer(self) -> bool:
        states = self.node_states()
        return len(states) == len(self.nodes) and all(
            state in {"idle", "mixed", "allocated", "completing"} for state in states.values()
        )

    def _rest_answers(self) -> bool:
        """Whether slurmrestd shows its description to somebody with a token, under the old address or the new one."""
        try:
            headers = {"X-SLURM-USER-NAME": "root", "X-SLURM-USER-TOKEN": self.jwt("root", lifespan_s=60)}
            return any(self._rest_status(path, headers) == 200 for path in ("/openapi", "/openapi/v3"))
        except (OSError, http.client.HTTPException, LabError):
            return False

    def _rest_status(self, path: str, headers: dict[str, str]) -> int:
        link = http.client.HTTPConnection("127.0.0.1", self.places.rest_port, timeout=10)
        try:
            link.request("GET", path, headers=headers)
            return link.getresponse().status
        finally:
            link.close()

    def _login_answers(self) -> bool:
        done = self.ssh("alice", ["scontrol", "ping"])
        return done.returncode == 0

    def ssh(
        self, user: str, argv: Sequence[str], *, known_hosts: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command on the login node over SSH; its shell joins the words."""
        hosts = known_hosts or self.known_hosts
        options = ("BatchMode=yes", "StrictHostKeyChecking=yes", f"UserKnownHostsFile={hosts}")
        command = [program("ssh"), "-F", "none", "-i", str(self.ssh_key), "-p", str(self.ssh_port)]
        for option in options:
            command += ["-o", option]
        command += [f"{user}@127.0.0.1", "--", *argv]
        return subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=60, stdin=subprocess.DEVNULL
        )
