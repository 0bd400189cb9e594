"""Types of the network: what accelerates, where it stands, how it is billed."""

from datetime import date
from enum import StrEnum
from importlib.resources import files
from pathlib import Path

import yaml
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from fucina.errors import BadInput


class BadSiteFile(BadInput):
    """A site or network file that cannot be used."""

    code = "bad_site_file"


class _Fact(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Accelerator(_Fact):
    """What one unit of a partition can do; on a machine without GPU the node itself counts as one accelerator."""

    id: str
    vendor: str = ""
    tflops_bf16: float
    """Dense peak per unit, TFLOP/s."""
    memory_gib: float
    power_w: float | None = None
    """Power of one unit with its share of the node, W; None where unknown."""
    source: str = ""


class BillingUnit(StrEnum):
    """What a job is charged by."""

    GPU = "gpu"
    """Accelerators allotted, as the site bills them."""
    LARGEST_SHARE = "largest-share"
    """The largest of a job's shares of cores, memory and devices, in accelerators."""
    NODE = "node"
    """Whole nodes, in accelerators."""


class Billing(_Fact):
    """How a partition charges a job, in billed accelerators per second."""

    unit: BillingUnit = BillingUnit.GPU
    devices_per_gpu: int = Field(default=1, ge=1)
    """Devices that Slurm counts for one accelerator that the site bills: 2 where a module has two dies."""
    source: str = ""


class Partition(_Fact):
    """Equal nodes with their own limits."""

    id: str
    accelerator: Accelerator
    num_nodes: int = 1
    num_gpus_per_node: int = 1
    """Accelerators of a node as the site bills them."""
    num_cpus_per_node: int = Field(default=0, ge=0)
    """0 where unknown."""
    memory_gib_per_node: float = Field(default=0.0, ge=0)
    """0 where unknown."""
    max_walltime_s: int = 24 * 3600
    efficiency: float = Field(default=0.3, gt=0, le=1)
    """Share of the peak that a training run is planned with."""
    billing: Billing = Billing()
    slurm_name: str = ""
    """The partition as Slurm calls it; empty means `id`."""
    gres_type: str = ""
    """Type in Slurm's `gres/gpu:TYPE`; empty asks for any GPU, and `none` means that the partition has no devices and
    its nodes count as accelerators."""
    qos: str = ""
    constraint: str = ""
    carbon_g_per_kwh: float | None = None
    """Of the electricity that feeds it; None where unknown."""

    @property
    def num_devices_per_node(self) -> int:
        """Devices of a node as Slurm counts them."""
        return self.num_gpus_per_node * self.billing.devices_per_gpu


class Transport(StrEnum):
    """How Slurm's commands are reached."""

    CLI = "cli"
    """On this machine."""
    SSH = "ssh"
    REST = "rest"
    """slurmrestd."""


class SshAccess(_Fact):
    """A login node; its key must stand in `known_hosts`."""

    host: str
    port: int = Field(default=22, ge=1, le=65535)
    user: str
    key: Path
    """Private key."""
    known_hosts: Path
    jump_host: str = ""
    """`user@host:port` to go through."""


class RestAccess(_Fact):
    """A slurmrestd."""

    url: str
    """`http://host:port` or `unix:///path`."""
    user: str
    token_file: Path | None = None
    """JSON web token; read again when the server refuses it."""


class ContainerRuntime(StrEnum):
    """How a partition's jobs run in an image."""

    NONE = "none"
    APPTAINER = "apptainer"
    PYXIS = "pyxis"


class ObjectStore(_Fact):
    """S3-compatible storage that the site reaches and that holds inputs by digest.

    Credentials come from the usual variables and files of S3, here and at the site.
    """

    bucket: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{1,254}$")
    folder: str = Field(default="fucina", pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._/-]{0,200}$")
    endpoint: str = Field(default="", pattern=r"^(https?://[A-Za-z0-9.:\[\]-]+)?$")
    """`https://host:port`; empty means Amazon's."""
    region: str = Field(default="", pattern=r"^[A-Za-z0-9-]*$")
    min_bytes: int = Field(default=16 << 20, ge=0)
    """Smaller files travel as all others do."""


class SlurmSite(_Fact):
    """How to work with one Slurm cluster."""

    cluster: str
    """Its name in Slurm's own accounting."""
    transport: Transport = Transport.CLI
    conf: Path | None = None
    """`slurm.conf` where it is not in its usual place."""
    bin: Path | None = None
    """Folder of Slurm's commands where they are not on the path."""
    ssh: SshAccess | None = None
    rest: RestAccess | None = None
    account: str = ""
    """Slurm account to charge in personal mode; in site mode each project has its own."""
    root_account: str = "fucina"
    """Parent of the accounts that site mode makes."""
    container: ContainerRuntime = ContainerRuntime.NONE
    image: str = ""
    """Image that stages run in, as the runtime names it."""
    modules: tuple[str, ...] = ()
    """Environment modules to load before a stage."""
    prelude: tuple[str, ...] = ()
    """Further lines of shell, by the site's own staff, before a stage."""
    scratch: Path | None = None
    """Shared file system of all nodes where working directories lie; None means the agent's own folder."""
    programs: Path | None = None
    """Folder of the `fucina` command on the compute nodes, such as `bin` of an unpacked environment; None means the
    agent's own where it shares their files."""
    checkpoint_warning_s: int = Field(default=120, ge=0)
    """How long before its time limit a job is told to save its state."""
    offline: bool = True
    """Whether compute nodes have no internet."""
    min_uid: int = Field(default=1000, ge=1)
    """Site mode runs no job as a user with a lower number, whatever the hub says."""
    interconnect: str = ""
    """Network interface for the rendezvous of a training job over several nodes; empty lets the library choose."""
    store: ObjectStore | None = None
    """Where inputs are looked for before the hub is asked, and over which large files travel to a site behind SSH."""


class Maintenance(_Fact):
    """A window in which no job may run, half-open."""

    begins_at: AwareDatetime
    ends_at: AwareDatetime
    note: str = ""


class Site(_Fact):
    """A place with accelerators and one agent."""

    id: str
    name: str
    country: str = ""
    executor: str = "local"
    """`local` or `slurm`."""
    slurm: SlurmSite | None = None
    """Needed where the executor is `slurm`."""
    partitions: tuple[Partition, ...] = Field(min_length=1)
    maintenance: tuple[Maintenance, ...] = ()
    user_commands: tuple[str, ...] = ()
    """Programs that jobs of a person's own may start, by name; `*` allows all, none at all leaves stages only."""
    sensitivity: str = "public"
    """Most sensitive class of data that the site may hold: public, internal, confidential or health."""

    @property
    def is_remote(self) -> bool:
        """Whether its files are not mounted where its agent runs: folders of jobs travel."""
        return self.slurm is not None and self.slurm.transport is Transport.SSH

    def allows(self, program: str) -> bool:
        """Whether a person's own job may start this program."""
        return "*" in self.user_commands or program in self.user_commands

    def partition(self, partition_id: str) -> Partition:
        """The partition of that name. Raises BadSiteFile."""
        for partition in self.partitions:
            if partition.id == partition_id:
                return partition
        known = ", ".join(p.id for p in self.partitions)
        raise BadSiteFile(f"Site {self.id} has no partition {partition_id!r}.", hint=f"It has: {known}.")


class NetworkFile(_Fact):
    """What one network file says, with the day it was true."""

    valid_from: date
    sources: tuple[str, ...] = ()
    sites: tuple[Site, ...]


def load_site(path: Path) -> Site:
    """The one site of a site file. Raises BadSiteFile, which names every fault."""
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadSiteFile(
            f"{path} cannot be read: {error.strerror}.", hint="Write one: fucina site template."
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadSiteFile(f"{path} is not YAML: {error}", hint="Compare it with `fucina site template`.") from error
    try:
        site = Site.model_validate(data)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(str(p) for p in f['loc']) or 'file'}: {f['msg']}" for f in error.errors())
        raise BadSiteFile(f"{path}: {faults}", hint="Compare it with `fucina site template`.") from error
    if site.executor == "slurm" and site.slurm is None:
        raise BadSiteFile(f"{path}: executor is slurm, but there is no section `slurm`.", hint="Add it.")
    return site


def load_network(path: Path | None = None) -> NetworkFile:
    """The network file at `path`, or the one shipped with the package. Raises BadSiteFile."""
    text = (
        path.read_text(encoding="utf-8")
        if path
        else files("fucina.network").joinpath("network.yaml").read_text("utf-8")
    )
    try:
        return NetworkFile.model_validate(yaml.safe_load(text))
    except (yaml.YAMLError, ValidationError) as error:
        raise BadSiteFile(f"{path or 'network.yaml'}: {error}", hint="Compare it with the shipped file.") from error
