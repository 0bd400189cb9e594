"""Reads a Slurm site's own configuration and says it in the simulator's words: nodes, scheduler, priorities, classes
of service, accounts with shares and limits."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import ValidationError

from fucina.planning.simulate.accounting_traces import read_instant
from fucina.planning.simulate.cluster import Account, BadScenario, Pool, Qos, QueuePolicy, Scheduling, Weights
from fucina.planning.simulate.trace import Trace

SECONDS_OF_A_CREDENTIAL = 120
"""Slurm's `cred_expire`: a job that was stopped may start again one second after it."""
_SETTING = re.compile(r"^\s*([A-Za-z][\w/]*)\s*=\s*(.*?)\s*$")
_WORD = re.compile(r"(\w+)=(\S+)")
_GPU_LIMIT = re.compile(r"gres/gpu=(\d+)")
_GONE = ("DOWN", "DRAIN", "FAIL", "MAINT", "FUTURE")
_BRACKETS = re.compile(r"\[([^\]]*)\]")


class BadSlurmConfig(BadScenario):
    """A configuration of Slurm that cannot be read."""

    code = "bad_slurm_config"


@dataclass(frozen=True, slots=True, kw_only=True)
class SlurmSite:
    """What the configuration says."""

    pool: Pool
    scheduling: Scheduling
    calculated_at: int | None
    """An instant at which priorities were calculated, from which the others follow; None where it is not told."""
    notes: tuple[str, ...]
    """What the simulator does not know of it."""


@dataclass(frozen=True, slots=True)
class _Node:
    count: int
    gpus: int
    partitions: tuple[str, ...]


def read_slurm(config: str, *, qos: str = "", associations: str = "", partition: str = "") -> SlurmSite:
    """A site from `slurm.conf`, or from `scontrol show config`, `show partitions --oneliner` and `show nodes
    --oneliner` one after another.

    `qos` is what `sacctmgr --parsable2 show qos format=name,priority,preempt` prints, `associations` the same with
    `show assoc format=account,user,parentname,share,grptres,grpjobs,maxjobs`. Raises BadSlurmConfig with the setting.
    """
    settings, nodes, partitions = _lines(config)
    if not settings.get("clustername") and not nodes:
        raise BadSlurmConfig(
            "This is no configuration of Slurm: there is neither ClusterName nor NodeName.",
            hint="Give slurm.conf, or what `scontrol show config` prints.",
        )
    notes: list[str] = []
    chosen = _partition(partitions, partition)
    pool = _pool(nodes, partitions, chosen, settings.get("clustername", "cluster"), notes)
    try:
        scheduling = Scheduling(
            **_scheduler(settings, notes),
            qos=_qos(qos, settings, notes),
            accounts=_accounts(associations),
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise BadSlurmConfig(
            f"{'.'.join(map(str, first['loc']))}: {first['msg']}", hint="Correct that setting."
        ) from error
    booted = settings.get("boot_time", "")
    at = read_instant(booted) if booted else None
    return SlurmSite(pool=pool, scheduling=scheduling, calculated_at=at, notes=tuple(notes))


def scheduling_for(site: SlurmSite, trace: Trace) -> Scheduling:
    """The site's rules, with priorities calculated at the instants at which slurmctld did while a trace was recorded:
    it does so as it starts, and then every period."""
    if site.calculated_at is None or trace.begins_at is None:
        return site.scheduling
    first = (site.calculated_at - trace.begins_at) % site.scheduling.calculation_s
    return site.scheduling.model_copy(update={"first_calculation_s": first})


def _lines(config: str) -> tuple[dict[str, str], list[_Node], dict[str, dict[str, str]]]:
    """Settings by small letters, nodes, and partitions by name."""
    settings: dict[str, str] = {}
    nodes: list[_Node] = []
    partitions: dict[str, dict[str, str]] = {}
    for raw in config.replace("\\\n", " ").splitlines():
        line = raw.split("#", 1)[0].strip()
        if line.lower().startswith("nodename="):
            words = {key.lower(): value for key, value in _WORD.findall(line)}
            if words["nodename"] != "DEFAULT" and not any(word in words.get("state", "") for word in _GONE):
                names = tuple(words.get("partitions", "").split(",")) if words.get("partitions") else ()
                nodes.append(_Node(len(host_names(words["nodename"])), _gpus(words.get("gres", "")), names))
        elif line.lower().startswith("partitionname="):
            words = {key.lower(): value for key, value in _WORD.findall(line)}
            partitions[words["partitionname"]] = words
        elif found := _SETTING.match(line):
            settings[found.group(1).lower()] = "" if found.group(2) == "(null)" else found.group(2)
    return settings, nodes, partitions


def host_names(text: str) -> list[str]:
    """Names of Slurm's short form, such as `n[1-3,7],login`. Raises BadSlurmConfig."""
    names: list[str] = []
    for part in re.split(r",(?![^\[]*\])", text):
        if found := _BRACKETS.search(part):
            for inside in found.group(1).split(","):
                names += [
                    part[: found.start()] + number + rest
                    for number in _numbers(inside, part)
                    for rest in (host_names(part[found.end() :]) if part[found.end() :] else [""])
                ]
        else:
            names.append(part)
    return names


def _numbers(inside: str, part: str) -> Iterator[str]:
    first, _, last = inside.partition("-")
    last = last or first
    if not (first.isdigit() and last.isdigit()) or int(last) - int(first) > 1_000_000:
        raise BadSlurmConfig(f"{part!r} is no list of nodes.", hint="Slurm writes it as node[1-16].")
    for number in range(int(first), int(last) + 1):
        yield f"{number:0{len(first)}}"


def _gpus(gres: str) -> int:
    """Accelerators of a node, of `gpu:h200:4(S:0-1),gpu:2`."""
    total = 0
    for entry in re.sub(r"\([^)]*\)", "", gres).split(","):
        parts = entry.split(":")
        if parts[0] == "gpu":
            total += int(parts[-1]) if len(parts) > 1 and parts[-1].isdigit() else 1
    return total


def _partition(partitions: dict[str, dict[str, str]], wanted: str) -> str:
    if wanted and wanted not in partitions:
        raise BadSlurmConfig(
            f"There is no partition {wanted!r}.", hint=f"There are: {', '.join(sorted(partitions)) or 'none'}."
        )
    default = [name for name, words in partitions.items() if words.get("default", "NO").upper() == "YES"]
    return wanted or next(iter([*default, *partitions]), "")


def _pool(
    nodes: list[_Node], partitions: dict[str, dict[str, str]], chosen: str, cluster: str, notes: list[str]
) -> Pool:
    """The nodes of the partition that have the most usual number of accelerators."""
    inside = [node for node in nodes if not node.partitions or chosen in node.partitions]
    if not any(node.partitions for node in nodes):
        named = partitions.get(chosen, {}).get("nodes", "ALL")
        if named != "ALL":
            notes.append(f"Partition {chosen}: its nodes are taken to be the first {len(host_names(named)):,}.")
    counts: Counter[int] = Counter()
    for node in inside:
        counts[node.gpus] += node.count
    without = counts.pop(0, 0)
    if not counts:
        raise BadSlurmConfig(
            f"No node of {chosen or cluster} has accelerators: there is no Gres=gpu.",
            hint="Add what `scontrol show nodes --oneliner` prints.",
        )
    per_node, number = counts.most_common(1)[0]
    if rest := counts.total() - number + without:
        notes.append(f"{rest:,} nodes with other than {per_node} accelerators are left out.")
    named = partitions.get(chosen, {}).get("nodes", "ALL")
    if named != "ALL" and not any(node.partitions for node in nodes):
        number = min(number, len(host_names(named)))
    return Pool(id=chosen or cluster, num_nodes=number, gpus_per_node=per_node)


def time_s(text: str, *, unit_s: int = 60) -> int:
    """Seconds of Slurm's ways to write a time: `5`, `1:30`, `1:00:00`, `7-0`, `7-00:00:00`; a lone number counts
    `unit_s`. Raises BadSlurmConfig."""
    text = text.removesuffix(" sec").strip()
    found = re.fullmatch(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?", text)
    if found is None:
        raise BadSlurmConfig(f"{text!r} is no time.", hint="Slurm writes days-hours:minutes:seconds.")
    days, *given = found.groups()
    parts = [int(part) for part in given if part is not None]
    if days is not None:
        hours, minutes, seconds = (*parts, 0, 0)[:3]
        return int(days) * 86_400 + hours * 3600 + minutes * 60 + seconds
    if len(parts) == 1:
        return parts[0] * unit_s
    return parts[0] * 60 + parts[1] if len(parts) == 2 else parts[0] * 3600 + parts[1] * 60 + parts[2]


def _number(settings: dict[str, str], name: str, default: float) -> float:
    text = settings.get(name.lower(), "")
    try:
        return float(text) if text else default
    except ValueError as error:
        raise BadSlurmConfig(f"{name}={text!r} is no number.", hint="Correct that setting.") from error


def _scheduler(settings: dict[str, str], notes: list[str]) -> dict[str, object]:
    """The fields of `Scheduling` that the configuration itself tells; Slurm's defaults where it is silent."""
    words = dict(word.partition("=")[::2] for word in settings.get("schedulerparameters", "").lower().split(","))

    def parameter(name: str, default: int) -> int:
        return int(_number({name: words.get(name, "")}, name, default))

    if settings.get("prioritytype", "priority/multifactor") == "priority/multifactor":
        weights = Weights(
            age=_number(settings, "PriorityWeightAge", 0),
            fairshare=_number(settings, "PriorityWeightFairshare", 0),
            size=_number(settings, "PriorityWeightJobSize", 0),
            qos=_number(settings, "PriorityWeightQOS", 0),
        )
    else:
        weights = Weights()
    for name in ("PriorityWeightPartition", "PriorityWeightAssoc"):
        if _number(settings, name, 0):
            notes.append(f"{name} is not simulated.")
    builtin = settings.get("schedulertype", "sched/backfill") == "sched/builtin"
    expires = re.search(r"cred_expire=(\d+)", settings.get("authinfo", ""))
    return {
        "policy": QueuePolicy.FCFS if builtin else QueuePolicy.CONSERVATIVE,
        "weights": weights,
        "fairshare": "classic" if "NO_FAIR_TREE" in settings.get("priorityflags", "").upper() else "tree",
        "half_life_days": time_s(settings.get("prioritydecayhalflife") or "7-0") / 86_400,
        "damping": _number(settings, "FairShareDampeningFactor", 1),
        "max_age_days": time_s(settings.get("prioritymaxage") or "7-0") / 86_400,
        "calculation_s": time_s(settings.get("prioritycalcperiod") or "5"),
        "placement": "first-fit",
        "backfill_interval_s": parameter("bf_interval", 30),
        "backfill_resolution_s": parameter("bf_resolution", 60),
        "backfill_depth": parameter("bf_max_job_test", 500),
        "backfill_window_s": parameter("bf_window", 1440) * 60,
        "restart_s": 0,
        "requeue_s": (int(expires.group(1)) if expires else SECONDS_OF_A_CREDENTIAL) + 1,
    }


def _rows(text: str, *needed: str, what: str) -> list[dict[str, str]]:
    """Rows of `sacctmgr --parsable2` with its header, by small letters."""
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        return []
    header = [name.lower().replace(" ", "") for name in lines[0].split("|")]
    if missing := [name for name in needed if name not in header]:
        raise BadSlurmConfig(
            f"The {what} have no {', '.join(missing)} in their first line.",
            hint=f"sacctmgr --parsable2 show ... format={','.join(needed)}",
        )
    return [dict(zip(header, line.split("|"), strict=False)) for line in lines[1:]]


def _qos(text: str, settings: dict[str, str], notes: list[str]) -> tuple[Qos, ...]:
    rows = _rows(text, "name", "priority", "preempt", what="classes of service")
    if not rows:
        return (Qos(name="normal"),)
    preempts = settings.get("preempttype", "preempt/none") == "preempt/qos"
    mode = settings.get("preemptmode", "OFF").upper()
    if preempts and "REQUEUE" not in mode:
        notes.append(f"PreemptMode={mode}: stopped jobs are simulated as if they were put back into the queue.")
    highest = max(1.0, *(float(row["priority"] or 0) for row in rows))
    yielding = {name for row in rows for name in row["preempt"].split(",") if name}
    preempting = [set(filter(None, row["preempt"].split(","))) for row in rows if row["preempt"]]
    if preempts and any(other != yielding for other in preempting):
        notes.append("Every class of service that preempts is taken to preempt all that yield to any.")
    return tuple(
        Qos(
            name=row["name"],
            priority=float(row["priority"] or 0) / highest,
            preempts=preempts and bool(row["preempt"]),
            yields=preempts and row["name"] in yielding,
        )
        for row in rows
    )


def _accounts(text: str) -> tuple[Account, ...]:
    """Associations as a tree: accounts by name, users as `account/user`."""
    rows = _rows(text, "account", "user", "parentname", "share", what="associations")
    inherited = {row["account"]: row.get("maxjobs", "") for row in rows if not row["user"]}
    found = []
    for row in rows:
        user, account = row["user"], row["account"]
        gpus = _GPU_LIMIT.search(row.get("grptres", ""))
        limits = [row.get("grpjobs", ""), (row.get("maxjobs") or inherited.get(account, "")) if user else ""]
        counts = [int(limit) for limit in limits if limit.isdigit() and int(limit) > 0]
        found.append(
            Account(
                name=f"{account}/{user}" if user else account,
                parent=account if user else row["parentname"],
                share=float(row["share"]) if row["share"].isdigit() and int(row["share"]) > 0 else 1.0,
                max_gpus=int(gpus.group(1)) if gpus and int(gpus.group(1)) > 0 else None,
                max_running=min(counts) if counts else None,
            )
        )
    return tuple(found)
