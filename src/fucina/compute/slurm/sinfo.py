"""`sinfo`: the nodes of every partition and what of them is in use."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from fucina.compute.slurm.rows import DELIMITER, Listing, parse

_FIELDS = (
    ("PartitionName", 64),
    ("NodeHost", 64),
    ("StateLong", 40),
    ("Available", 12),
    ("CPUsState", 40),
    ("Gres", 200),
    ("GresUsed", 200),
    ("Time", 20),
)
_GPU = re.compile(r"(?:^|,)(?:gres/)?gpu(?::([A-Za-z][A-Za-z0-9_.-]*))?[:=](\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRow:
    """One node in one partition."""

    partition: str
    node: str
    state: str
    """As `idle`, `mixed`, `down*` or `drained`."""
    partition_up: bool
    num_cpus_free: int
    num_cpus: int
    gres: str
    gres_used: str

    @property
    def works(self) -> bool:
        """Whether it runs or could run jobs."""
        word = self.state.lower().rstrip("*$@+~#!%^-")
        return word in ("idle", "mixed", "allocated", "completing", "planned", "reserved") and "*" not in self.state

    @property
    def is_idle(self) -> bool:
        """Whether nothing runs on it."""
        return self.works and self.state.lower().startswith(("idle", "planned"))


def argv() -> list[str]:
    """One row a node and partition."""
    return ["sinfo", "--noheader", "--Node", "--Format=" + ",".join(f"{f}:{w}{DELIMITER}" for f, w in _FIELDS)]


def read(text: str) -> Listing[NodeRow]:
    """Rows of that query."""
    return parse(text, num_fields=len(_FIELDS), make=_row)


def num_devices(gres: str, gres_type: str = "") -> int:
    """GPUs in `gpu:h200:4(S:0-1)`, `gpu:h200:2(IDX:0-1),gpu:a100:0` or `gres/gpu:4`, of one type if given."""
    text = re.sub(r"\([^)]*\)", "", gres)
    found = _GPU.findall(text)
    return sum(int(count) for kind, count in found if not gres_type or not kind or kind == gres_type)


def _row(cells: Sequence[str]) -> NodeRow:
    partition, node, state, available, cpus, gres, used, _ = cells
    _, idle, _, total = (int(part) for part in cpus.split("/"))
    return NodeRow(
        partition=partition.rstrip("*"),
        node=node,
        state=state,
        partition_up=available == "up",
        num_cpus_free=idle,
        num_cpus=total,
        gres="" if gres == "(null)" else gres,
        gres_used="" if used == "(null)" else used,
    )
