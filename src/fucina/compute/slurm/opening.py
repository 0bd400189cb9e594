"""The executor of a site, put together as its file says."""

import importlib
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from fucina.compute.slurm.cli import CliTransport, slurm_environment
from fucina.compute.slurm.controller import CommandController, Controller
from fucina.compute.slurm.executor import SlurmExecutor
from fucina.compute.slurm.logs import LogReader, RemoteLogs, SharedLogs
from fucina.compute.slurm.mirror import Carrier, Mirror
from fucina.compute.slurm.mirrored import MirroredExecutor
from fucina.compute.slurm.rest import RestController
from fucina.compute.slurm.script import Surroundings
from fucina.compute.slurm.transport import Transport
from fucina.errors import Unavailable
from fucina.network.spec import BadSiteFile, Site, SlurmSite
from fucina.network.spec import Transport as TransportName


class MissingLibrary(Unavailable):
    """A library that only some sites need is not installed."""

    code = "missing_library"


def open_slurm(
    site: Site,
    *,
    root: Path,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> SlurmExecutor:
    """The executor of a Slurm site; nothing is asked of Slurm yet. Raises BadSiteFile, MissingLibrary."""
    slurm = site.slurm
    if slurm is None:
        raise BadSiteFile(f"Site {site.id} has no section `slurm`.", hint="See `fucina site template`.")
    roots = [slurm.scratch or root]
    controller, logs = _reach(site.id, slurm, roots)
    programs = slurm.programs
    if programs is None and slurm.transport is not TransportName.SSH:
        programs = Path(sys.executable).parent
    return SlurmExecutor(
        site=site,
        slurm=slurm,
        root=root,
        controller=controller,
        logs=logs,
        roots=roots,
        surroundings=Surroundings(
            programs=str(programs or ""),
            modules=slurm.modules,
            prelude=slurm.prelude,
            container=slurm.container,
            image=slurm.image,
            interconnect=slurm.interconnect,
        ),
        clock=clock,
    )


def open_mirrored(site: Site, *, root: Path, carrier: Carrier | None = None) -> MirroredExecutor:
    """The executor of a Slurm site that is reached by SSH alone: its `scratch` is the image of our `root`.

    Raises BadSiteFile, MissingLibrary.
    """
    slurm = site.slurm
    if slurm is None or slurm.scratch is None:
        raise BadSiteFile(
            f"Site {site.id} is reached by SSH and names no `scratch`.",
            hint="Name a folder at the site, on a file system that its nodes see, where jobs may work.",
        )
    mirror = Mirror(open_transport(slurm), here=root, there=PurePosixPath(slurm.scratch), carrier=carrier)
    return MirroredExecutor(open_slurm(site, root=root), mirror)


def open_transport(slurm: SlurmSite) -> Transport:
    """The way to Slurm's commands. Raises BadSiteFile, MissingLibrary."""
    if slurm.transport is not TransportName.SSH:
        return CliTransport(environment=slurm_environment(slurm), bin_folder=slurm.bin)
    if slurm.ssh is None:
        raise BadSiteFile("Transport `ssh` needs a section `ssh`.", hint="Name host, user, key and known_hosts.")
    try:
        # Only sites that are reached by SSH need the library.
        module = importlib.import_module("fucina.compute.slurm.ssh")
    except ImportError as error:
        raise MissingLibrary(
            "The library for SSH is not installed.", hint='Install it with pip install "fucina[slurm]".'
        ) from error
    transport: Transport = module.SshTransport(
        access=slurm.ssh, environment=slurm_environment(slurm), bin_folder=slurm.bin
    )
    return transport


def _reach(site_id: str, slurm: SlurmSite, roots: list[Path]) -> tuple[Controller, LogReader]:
    transport = open_transport(slurm)
    if slurm.transport is TransportName.REST:
        if slurm.rest is None:
            raise BadSiteFile(f"Site {site_id}: transport `rest` needs a section `rest`.", hint="Name url and user.")
        controller: Controller = RestController(slurm.rest, bin_folder=slurm.bin)
        return controller, SharedLogs(roots=roots, transport=transport, own_user=slurm.rest.user)
    if slurm.transport is TransportName.SSH and slurm.ssh is not None:
        return CommandController(transport, own_user=slurm.ssh.user), RemoteLogs(roots=roots, transport=transport)
    local = CommandController(transport)
    return local, SharedLogs(roots=roots, transport=transport, own_user=local.own_user)
