"""One frozen `Settings` for a process, from `fucina.toml` in the home folder and from the environment.

Each setting `name` may be given as `name = ...` in the file or as `FUCINA_NAME`; the environment wins. A secret may
also come from the file that `FUCINA_NAME_FILE` names. Unknown keys fail.
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fucina.errors import BadInput

PREFIX = "FUCINA_"


class BadSettings(BadInput):
    """A setting that does not exist or cannot be used."""

    code = "bad_settings"


class Settings(BaseModel):
    """Every setting, with the default that makes one machine a factory."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    home: Path
    """Where this factory keeps its database, keys, blobs and runs."""
    hub_host: str = "127.0.0.1"
    """Address that the hub listens on."""
    hub_port: int = Field(default=8642, ge=1, le=65535)
    """Port that the hub listens on."""
    hub_url: str = ""
    """Address that clients and agents use; empty means the hub of this machine."""
    allowed_hosts: str = ""
    """Further host names that the hub answers to, separated by commas."""
    database_url: str = ""
    """`postgres://user:password@host:port/name`; empty means SQLite in the home folder."""
    token: str = ""
    """API token of a person or an agent; empty means the one that `fucina up` left in the home folder."""
    site: str = "local"
    """The site that an agent started here serves."""
    network_file: Path | None = None
    """Network file that replaces the shipped one."""
    signing_key: Path | None = None
    """Private key of the factory, for the release stage; empty means `keys/factory.key` in the home folder."""
    num_threads: int = Field(default=0, ge=0)
    """Processor threads of a stage; 0 takes all."""
    num_ranks_per_node: int = Field(default=1, ge=1)
    """Processes of the training stage on a node, one an accelerator."""
    num_nodes: int = Field(default=1, ge=1)
    """Nodes of the training stage; it is started once on each."""
    rendezvous: str = Field(default="", pattern=r"^([^:]+:[0-9]+)?$")
    """`host:port` of the first node, where the nodes of a training stage meet; empty on one node."""
    generation: int = Field(default=1, ge=1)
    """Placement that a stage belongs to; the hub counts it up when it places a job anew."""
    debug: bool = False
    """Show details of failures in the portal; never in production."""

    @property
    def url(self) -> str:
        """Where the hub answers."""
        return (self.hub_url or f"http://{self.hub_host}:{self.hub_port}").rstrip("/")

    @property
    def key_folder(self) -> Path:
        """Where the factory's keys lie."""
        return self.home / "keys"

    @property
    def private_key(self) -> Path:
        """The factory's signing key."""
        return self.signing_key or self.key_folder / "factory.key"

    @property
    def public_key(self) -> Path:
        """What others verify releases with."""
        return self.key_folder / "factory.pub"

    @property
    def site_folder(self) -> Path:
        """Where the agent of this machine places jobs."""
        return self.home / "site"

    @property
    def operator_token_file(self) -> Path:
        """Token of the person who runs this factory."""
        return self.home / "secrets" / "operator.token"

    @property
    def agent_token_file(self) -> Path:
        """Token of this machine's agent."""
        return self.home / "secrets" / "agent.token"


SECRETS = frozenset({"token", "database_url"})
"""Settings that may come from a file named by `FUCINA_<NAME>_FILE`."""

NOT_SETTINGS = frozenset(
    {"FUCINA_WORKER_ID", "FUCINA_TEST_DATABASE_URL", "FUCINA_PYTHON", "FUCINA_LAB", "FUCINA_LAB_SLURM"}
)
"""Variables of ours that are no settings."""


def load_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """The settings of this process.

    Raises BadSettings, which names the key, where it came from and the known keys.
    """
    env = os.environ if environment is None else environment
    home = Path(env.get(PREFIX + "HOME") or Path.home() / ".fucina").expanduser().absolute()
    values: dict[str, object] = {"home": home}
    file = home / "fucina.toml"
    if file.is_file():
        values |= _from_file(file)
    values |= _from_environment(env)
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise BadSettings(
            f"Setting {name}: {first['msg']}.", hint=f"Look in {file} and at {PREFIX}{name.upper()}."
        ) from error


def _from_file(file: Path) -> dict[str, object]:
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise BadSettings(f"{file} cannot be read: {error}.", hint="Mend the file; it is TOML in UTF-8.") from error
    _refuse_unknown(set(values), where=str(file))
    return values


def _from_environment(env: Mapping[str, str]) -> dict[str, object]:
    values: dict[str, object] = {}
    for variable, value in env.items():
        if not variable.startswith(PREFIX) or variable in NOT_SETTINGS:
            continue
        name = variable.removeprefix(PREFIX).lower()
        secret = name.removesuffix("_file")
        if secret != name and secret in SECRETS:
            values[secret] = _secret(Path(value), variable)
            continue
        _refuse_unknown({name}, where=f"the environment ({variable})")
        if value:
            values[name] = value
    return values


def _secret(file: Path, variable: str) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadSettings(
            f"{variable} names {file}, which cannot be read: {error}.", hint="Give a readable file."
        ) from error


def _refuse_unknown(names: set[str], *, where: str) -> None:
    unknown = sorted(names - set(Settings.model_fields))
    if unknown:
        raise BadSettings(
            f"Unknown setting {unknown[0]!r} in {where}.", hint=f"The settings are {', '.join(Settings.model_fields)}."
        )
