"""A job table as slurmdbd keeps it, which answers the importer's options as `sacct` does."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from fucina.accounting.sacct import ENDED, FIELDS
from fucina.network.spec import Accelerator, Billing, Partition, Site, SlurmSite

ACCELERATOR = Accelerator(id="h200", tflops_bf16=989.0, memory_gib=141)


def partition(name: str = "gpu", **changes: object) -> Partition:
    fields = {"id": name, "accelerator": ACCELERATOR, "num_nodes": 4, "num_gpus_per_node": 4, "num_cpus_per_node": 64}
    return Partition.model_validate(fields | {"memory_gib_per_node": 512.0, "billing": Billing()} | changes)


SITE = Site(id="alpha", name="Alpha", executor="slurm", slurm=SlurmSite(cluster="alpha"), partitions=(partition(),))


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of the job table."""

    job_id: int
    submit: int
    start: int | None = None
    end: int | None = None
    state: str = "COMPLETED"
    label: str = ""
    cluster: str = "alpha"
    account: str = "projx"
    user: str = "alice"
    partition: str = "gpu"
    elapsed: int | None = None
    nodes: int = 1
    cpus: int = 8
    tres: str = "billing=8,cpu=8,gres/gpu:h200=4,gres/gpu=4,mem=32G,node=1"
    exit_code: str = "0:0"
    energy: str = "0"
    comment: str = ""
    heard_at: int = 0
    """When slurmdbd has the row."""

    def values(self) -> tuple[str, ...]:
        elapsed = self.elapsed
        if elapsed is None:
            elapsed = max(0, (self.end or 0) - self.start) if self.start else 0
        return (
            str(self.job_id),
            self.label or str(self.job_id),
            self.cluster,
            self.account,
            self.user,
            self.partition,
            self.state,
            str(self.submit),
            str(self.start) if self.start is not None else "None",
            str(self.end) if self.end is not None else "Unknown",
            str(elapsed),
            str(self.nodes),
            str(self.cpus),
            self.exit_code,
            self.energy,
            self.tres,
            self.comment,
        )

    def line(self, delimiter: str = "\x1f") -> bytes:
        values = self.values()
        assert len(values) == len(FIELDS)
        return (delimiter.join(values) + "\n").encode()


@dataclass(slots=True)
class SlurmDb:
    """The job table at a moment."""

    rows: list[Row] = field(default_factory=list)
    now: int = 0
    calls: list[Sequence[str]] = field(default_factory=list)

    def __call__(self, options: Sequence[str]) -> Iterator[bytes]:
        self.calls.append(options)
        given = dict(option.split("=", 1) for option in options if "=" in option)
        assert given["--format"] == ",".join(FIELDS)
        for row in sorted(self.visible(), key=lambda row: (row.job_id, row.submit)):
            if self._asked_for(row, given):
                yield row.line(given["--delimiter"])

    def visible(self) -> list[Row]:
        """Rows that slurmdbd has heard of; one that has not ended by now goes on."""
        heard = [row for row in self.rows if row.heard_at <= self.now and row.submit <= self.now]
        return [
            row if row.end is not None and row.end <= self.now else replace(row, end=None, state="RUNNING", comment="")
            for row in heard
        ]

    @staticmethod
    def _asked_for(row: Row, given: dict[str, str]) -> bool:
        if row.cluster != given["--clusters"]:
            return False
        if "--jobs" in given:
            assert int(given["--starttime"].removeprefix("uts")) > 100_000
            return str(row.job_id) in given["--jobs"].split(",")
        state = row.state.partition(" ")[0]
        begin = int(given["--starttime"].removeprefix("uts"))
        end = int(given["--endtime"].removeprefix("uts"))
        assert set(given["--state"].split(",")) == set(ENDED)
        return state in ENDED and row.end is not None and begin <= row.end <= end
