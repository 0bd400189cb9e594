"""Proves a site file end to end: asks the scheduler, runs small jobs, says in words what is wrong and what to do."""

import os
import re
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from fucina.agent.probe import Probe, probe_script
from fucina.compute.slurm import sacct, sacctmgr, scontrol, sinfo
from fucina.compute.slurm.placing import NO_DEVICES
from fucina.compute.slurm.refusals import check
from fucina.compute.slurm.transport import Completed, Transport
from fucina.errors import FactoryError
from fucina.network.spec import Partition, Site, SlurmSite
from fucina.network.spec import Transport as TransportName

MAX_SKEW_S = 30.0
COMMANDS = ("sbatch", "squeue", "sacct", "scancel", "sinfo", "scontrol", "sacctmgr")
OLDEST = (22, 5)
"""Oldest version of Slurm that was tried."""


class Outcome(StrEnum):
    """How a check came out."""

    GOOD = "good"
    BAD = "bad"
    UNSURE = "unsure"
    """Nothing is wrong for certain, or it could not be tried."""


class Checked(BaseModel):
    """One check of a site."""

    model_config = ConfigDict(frozen=True)

    name: str
    outcome: Outcome
    message: str
    hint: str = ""


def good(name: str, message: str) -> Checked:
    """All is well."""
    return Checked(name=name, outcome=Outcome.GOOD, message=message)


def bad(name: str, message: str, hint: str) -> Checked:
    """Something must be mended."""
    return Checked(name=name, outcome=Outcome.BAD, message=message, hint=hint)


def unsure(name: str, message: str, hint: str = "") -> Checked:
    """Nobody can say."""
    return Checked(name=name, outcome=Outcome.UNSURE, message=message, hint=hint)


def programs_of(slurm: SlurmSite) -> str:
    """Folder of the `fucina` command on the compute nodes, as the executor puts it first on a job's path."""
    if slurm.programs is not None:
        return str(slurm.programs)
    return "" if slurm.transport is TransportName.SSH else str(Path(sys.executable).parent)


class SiteCheck:
    """Checks one site; a check that cannot be done stops no other."""

    def __init__(
        self,
        site: Site,
        slurm: SlurmSite,
        *,
        transport: Transport,
        user: str = "",
        account: str = "",
        wait_s: float = 180.0,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        self._site = site
        self._slurm = slurm
        self._transport = transport
        self._user = user
        self._account = account or slurm.account
        self._wait_s = wait_s
        self._pause = pause

    def run(self) -> Iterator[Checked]:
        """Every check, as soon as it is known."""
        conf = self._slurm.conf
        if conf is not None and self._slurm.transport is TransportName.CLI and not conf.is_file():
            # Slurm's commands would look for another one in the network, each for a minute.
            yield bad("commands", f"Slurm's commands cannot be run: {conf} is not there.", "Correct slurm.conf.")
            return
        missing = [name for name in COMMANDS if not self._answers(name)]
        if missing:
            hint = "Set slurm.bin to the folder of Slurm's commands, or run this where they are."
            yield bad("commands", f"{', '.join(missing)} cannot be run.", hint)
            return
        yield good("commands", f"{len(COMMANDS)} of Slurm's commands answer.")
        for name, part in (
            ("controller", self._controller),
            ("partitions", self._partitions),
            ("accounting", self._accounting),
            ("accounts", self._associations),
            ("scratch", self._scratch),
        ):
            yield from self._guarded(part, name=name)
        for partition in self._site.partitions:
            yield from self._guarded(partial(self._probe, partition), name=f"job on {partition.id}")

    @staticmethod
    def _guarded(part: Callable[[], Iterator[Checked]], *, name: str) -> Iterator[Checked]:
        try:
            yield from part()
        except FactoryError as error:
            yield bad(name, error.message, error.hint)
        except (ValueError, OSError) as error:
            yield bad(name, f"It cannot be tried: {error}", "Correct what the message names.")

    def _answers(self, command: str) -> bool:
        try:
            return self._transport.run([command, "--version"]).rc == 0
        except FactoryError:
            return False

    def _ask(self, argv: list[str], *, user: str = "") -> Completed:
        return check(argv, self._transport.run(argv, user=user))

    # -- what Slurm says

    def _controller(self) -> Iterator[Checked]:
        facts = scontrol.read_config(self._ask(scontrol.config_argv()).text)
        if facts.cluster != self._slurm.cluster:
            yield bad(
                "cluster",
                f"Slurm calls this cluster {facts.cluster!r}; the site file says {self._slurm.cluster!r}.",
                "Correct slurm.cluster, or slurm.conf if it leads to another cluster.",
            )
        else:
            yield good("cluster", f"{facts.cluster}, Slurm {facts.version}.")
        numbers = tuple(int(part) for part in re.findall(r"\d+", facts.version)[:2])
        if numbers and numbers < OLDEST:
            yield unsure("version", f"Slurm {facts.version} is older than any that was tried (22.05).")
        if not facts.comments_stored:
            yield bad(
                "job comments",
                "Slurm's accounting does not keep the comments of jobs, so a job whose answer was lost may be missed.",
                "Ask the site for AccountingStoreFlags=job_comment.",
            )
        if not facts.limits_enforced and not self._slurm.account:
            yield bad(
                "limits",
                "Slurm does not enforce limits, so a grant would not end by itself.",
                "Ask the site for AccountingStorageEnforce=associations,limits,qos,safe.",
            )

    def _partitions(self) -> Iterator[Checked]:
        nodes = sinfo.read(self._ask(sinfo.argv()).text).rows
        known = sorted({row.partition for row in nodes})
        for partition in self._site.partitions:
            name = f"partition {partition.id}"
            slurm_name = partition.slurm_name or partition.id
            mine = [row for row in nodes if row.partition == slurm_name]
            if not mine:
                yield bad(name, f"Slurm has no partition {slurm_name!r}.", f"It has {', '.join(known)}.")
                continue
            if len(mine) != partition.num_nodes:
                yield unsure(
                    name, f"{len(mine)} nodes; the site file says {partition.num_nodes}.", "Correct num_nodes."
                )
            working = [row for row in mine if row.works]
            yield self._devices(partition, mine)
            if not working:
                yield bad(name, f"None of its {len(mine)} nodes works.", "Ask the site.")

    @staticmethod
    def _devices(partition: Partition, nodes: list[sinfo.NodeRow]) -> Checked:
        name = f"accelerators of {partition.id}"
        if partition.gres_type == NO_DEVICES:
            return good(name, "None are promised: its nodes count as accelerators.")
        counts = sorted({sinfo.num_devices(row.gres, partition.gres_type) for row in nodes})
        promised = partition.num_devices_per_node
        if counts == [promised]:
            billed = f", billed as {partition.num_gpus_per_node}" if partition.billing.devices_per_gpu > 1 else ""
            return good(name, f"{promised} a node as Slurm counts{billed}.")
        shown = ", ".join(str(count) for count in counts)
        kinds = sorted({row.gres for row in nodes if row.gres})
        return bad(
            name,
            f"Slurm counts {shown} a node; the site file promises {promised}"
            + (f" of type {partition.gres_type}" if partition.gres_type else "")
            + ".",
            f"Compare num_gpus_per_node, devices_per_gpu and gres_type with Slurm: {', '.join(kinds) or 'none'}.",
        )

    def _accounting(self) -> Iterator[Checked]:
        since = int(datetime.now(UTC).timestamp()) - 3600
        rows = sacct.read(self._ask(sacct.argv(since=since, users=[], steps=False)).text)
        if rows.broken:
            yield bad("accounting", f"{len(rows.broken)} rows of sacct cannot be read.", "Is this a version we know?")
        else:
            yield good("accounting", f"sacct answers: {len(rows.rows)} jobs in the last hour that may be seen.")

    def _associations(self) -> Iterator[Checked]:
        argv = sacctmgr.show_argv(cluster=self._slurm.cluster)
        found = sacctmgr.read(self._ask(argv).text).rows
        accounts = {row.account: row for row in found if not row.user}
        account = self._account
        if not account:
            if self._slurm.root_account in accounts:
                yield good("accounts", f"The parent account {self._slurm.root_account} is there.")
            else:
                yield unsure("accounts", f"The agent will make the parent account {self._slurm.root_account}.")
            return
        user = self._user or os.environ.get("USER", "")
        members = [row for row in found if row.account == account and row.user]
        if account not in accounts and not members:
            shown = ", ".join(sorted(accounts)[:10])
            yield bad("account", f"Slurm has no account {account!r} on this cluster.", f"It has {shown}.")
            return
        mine = [row for row in members if row.user == user] if user else members
        if not mine:
            yield bad("account", f"{user} may not charge {account}.", "Ask the site to add the user to the account.")
            return
        yield good("account", f"{user or 'You'} may charge {account}.")
        yield from self._qualities(mine[0])

    def _qualities(self, row: sacctmgr.Association) -> Iterator[Checked]:
        for partition in self._site.partitions:
            if partition.qos and partition.qos not in row.qos:
                yield bad(
                    f"QOS of {partition.id}",
                    f"Account {row.account} may not use {partition.qos!r}.",
                    f"It may use {', '.join(row.qos) or 'none'}.",
                )

    def _scratch(self) -> Iterator[Checked]:
        folder = self._slurm.scratch
        if folder is None:
            yield unsure(
                "scratch",
                "No scratch is named; working directories lie in the agent's own folder.",
                "Name a file system that every node shares in slurm.scratch.",
            )
        elif not folder.is_dir():
            yield bad("scratch", f"{folder} is not there.", "Make it, or correct slurm.scratch.")
        elif not os.access(folder, os.W_OK | os.X_OK):
            yield bad("scratch", f"You cannot write in {folder}.", "Choose a folder of yours.")
        else:
            yield good("scratch", f"{folder} is writable here.")

    # -- what a compute node says

    def _probe(self, partition: Partition) -> Iterator[Checked]:
        name = f"job on {partition.id}"
        folder = (self._slurm.scratch or Path.cwd()) / f"check-{secrets.token_hex(6)}"
        probe = Probe(folder, user=self._user)
        try:
            probe.prepare()
            script = probe_script(self._slurm, programs=programs_of(self._slurm))
            job_id = self._submit(partition, folder, script)
            answer = self._await(probe, job_id)
        finally:
            probe.remove()
        if isinstance(answer, Checked):
            yield answer.model_copy(update={"name": name})
            return
        yield good(name, f"Job {job_id} ran on {answer.get('host', 'a node')}.")
        yield from self._judge(partition, answer, token=probe.token)

    def _submit(self, partition: Partition, folder: Path, script: str) -> int:
        argv = [
            "sbatch",
            "--parsable",
            "--export=ALL",
            "--job-name=fucina-check",
            "--time=2",
            "--nodes=1",
            "--no-requeue",
            f"--chdir={folder}",
            f"--output={folder}/log",
            f"--partition={partition.slurm_name or partition.id}",
        ]
        if self._account:
            argv.append(f"--account={self._account}")
        if partition.qos:
            argv.append(f"--qos={partition.qos}")
        if partition.constraint:
            argv.append(f"--constraint={partition.constraint}")
        if partition.gres_type != NO_DEVICES:
            kind = f":{partition.gres_type}" if partition.gres_type else ""
            argv.append(f"--gres=gpu{kind}:{partition.billing.devices_per_gpu}")
        done = check(argv, self._transport.run(argv, stdin=script.encode(), user=self._user))
        return int(re.split(r"[;\s]", done.text.strip())[0])

    def _await(self, probe: Probe, job_id: int) -> dict[str, str] | Checked:
        """What the job wrote, or why it wrote nothing."""
        until = time.monotonic() + self._wait_s
        state = reason = ""
        while time.monotonic() < until:
            if answer := probe.answer():
                return answer
            argv = ["squeue", "--noheader", f"--jobs={job_id}", "--states=all", "--format=%T|%r"]
            shown = self._transport.run(argv).text.strip()
            state, _, reason = shown.partition("|")
            if state in ("FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY"):
                said = probe.log()
                return bad("", f"Job {job_id} ended {state}: {said or 'it said nothing'}", "Look at the job's output.")
            if state == "COMPLETED" and (answer := probe.answer_later()):
                return answer
            if state == "COMPLETED":
                return bad(
                    "",
                    f"Job {job_id} ran, but what it wrote into {probe.folder} is not seen here.",
                    "Set slurm.scratch to a file system that all nodes share with this machine.",
                )
            self._pause(1.0)
        self._transport.run(["scancel", str(job_id)], user=self._user)
        waits = f"it waits: {reason}" if state == "PENDING" else f"it is {state or 'gone'}"
        return unsure("", f"Job {job_id} did not end within {self._wait_s:.0f} s; {waits}.", "Try again, or --wait.")

    def _judge(self, partition: Partition, answer: dict[str, str], *, token: str) -> Iterator[Checked]:
        where = f"on {partition.id}"
        if answer.get("token") == token:
            yield good(f"scratch {where}", "The node reads and writes the shared scratch.")
        else:
            yield bad(f"scratch {where}", "The node sees another scratch than this machine.", "Correct slurm.scratch.")
        skew_s = abs(float(answer.get("clock") or 0) - float(answer.get("heard_at") or 0))
        if skew_s > MAX_SKEW_S:
            yield bad(
                f"clock {where}", f"The node's clock is {skew_s:.0f} s off.", "Have the site look at its time servers."
            )
        else:
            yield good(f"clock {where}", f"Within {max(1.0, skew_s):.0f} s of this machine's.")
        version = answer.get("fucina", "")
        if version.startswith("fucina "):
            yield good(f"software {where}", f"`fucina` runs: {version.removeprefix('fucina ')}.")
        else:
            yield bad(
                f"software {where}",
                f"`fucina version` does not run there: {version or 'no answer'}",
                "Set slurm.programs, slurm.modules or an image with the software.",
            )
        yield from self._judge_devices(partition, answer, where=where)
        yield from self._judge_internet(answer, where=where)

    @staticmethod
    def _judge_devices(partition: Partition, answer: dict[str, str], *, where: str) -> Iterator[Checked]:
        if partition.gres_type == NO_DEVICES:
            return
        visible = [word for word in answer.get("devices", "").split(",") if word]
        wanted = partition.billing.devices_per_gpu
        if len(visible) == wanted:
            yield good(f"devices {where}", f"{wanted} asked for, {wanted} visible.")
        else:
            yield bad(
                f"devices {where}",
                f"{wanted} asked for, {len(visible)} visible in the job.",
                "Compare billing.devices_per_gpu with what one accelerator is in Slurm.",
            )

    def _judge_internet(self, answer: dict[str, str], *, where: str) -> Iterator[Checked]:
        reached = answer.get("internet", "")
        if reached not in ("yes", "no"):
            yield unsure(f"internet {where}", "It could not be tried.")
        elif self._slurm.offline == (reached == "no"):
            yield good(f"internet {where}", "None, as promised." if self._slurm.offline else "There, as promised.")
        elif self._slurm.offline:
            yield unsure(
                f"internet {where}", "The node reaches the internet; the site file says offline.", "Correct it."
            )
        else:
            yield bad(f"internet {where}", "The node does not reach the internet.", "Set slurm.offline to true.")
