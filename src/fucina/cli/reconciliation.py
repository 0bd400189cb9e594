"""`fucina ledger reconcile` and `export`: run at the site next to sacct, or anywhere from a file that it wrote."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from fucina.accounting.export import egi_message, xdmod_lines
from fucina.accounting.reconcile import HubJob, Reconciliation, reconcile
from fucina.accounting.sacct import EARLIEST, Broken, Run, ended_between, of_jobs, read_rows, sacct_options
from fucina.accounting.sacct_command import LocalSacct, file_lines
from fucina.accounting.statement import BadMonth
from fucina.accounting.usage import month_start, next_month
from fucina.agent.door import AgentDoor
from fucina.cli.output import say, table
from fucina.cli.runs import token_of
from fucina.client.accounting import usage_pages
from fucina.client.hub import Hub
from fucina.client.wire_accounting import UsagePage
from fucina.config import Settings, load_settings
from fucina.errors import BadInput
from fucina.network.spec import Site, load_network
from fucina.units import gpu_hours

LONGEST_JOB_S = 35 * 86_400
"""A job that ended so long after the month may have begun in it."""
ASK = 500


class NoSuchSite(BadInput):
    """A site that no file describes, or one without Slurm."""

    code = "no_such_site"


class BadExport(BadInput):
    """A format that is not known, or that needs to be told more."""

    code = "bad_export"


def pages(settings: Settings, site: str, month: str, agent_token: Path | None) -> Iterator[UsagePage]:
    """The hub's records of the site's month, with the agent's token or that of a member of staff."""
    if agent_token is None:
        with Hub(settings.url, token_of(settings)) as hub:
            yield from hub.site_usage(site, month)
        return
    try:
        token = agent_token.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{agent_token} cannot be read: {error}.", hint="Give the file with the token.") from error
    with AgentDoor(settings.url, token) as door:
        yield from usage_pages(door, "/agent/usage", month)


def compare(
    name: str, *, month: str, sacct: Path | None, site_file: Path | None, agent_token: Path | None
) -> Reconciliation:
    """Compare job by job. Raises NoSuchSite, BadMonth, SacctFailed, and what the hub says."""
    settings = load_settings()
    site = _site(settings, name, site_file)
    try:
        begins_at = month_start(month)
        ends_at = next_month(begins_at)
    except (ValueError, OverflowError) as error:
        raise BadMonth(f"{month[:40]!r} is no month.", hint="Write year and month as 2026-11.") from error
    hub: dict[str, HubJob] = {}
    accounts: frozenset[str] = frozenset()
    for page in pages(settings, name, month, agent_token):
        accounts = frozenset(page.accounts)
        for known in page.jobs:
            entry = HubJob(record=known.record.model_copy(update={"job_key": known.key}), is_placed=known.is_placed)
            for key in (known.key, known.record.job_key, *known.record.same_as):
                hub.setdefault(key, entry)
    broken = Broken()
    begin, end = int(begins_at.timestamp()), int(ends_at.timestamp()) + LONGEST_JOB_S
    runs = _from_file(sacct, broken) if sacct else _from_sacct(site, begin, end, broken)
    return reconcile(
        site=site,
        month=month,
        begins_at=begins_at,
        ends_at=ends_at,
        runs=sorted(runs, key=lambda run: (run.cluster, run.job_id, run.submit)),
        hub=hub,
        accounts=accounts,
        num_broken_rows=broken.num,
    )


def _site(settings: Settings, name: str, site_file: Path | None) -> Site:
    network = load_network(site_file or settings.network_file)
    found = next((site for site in network.sites if site.id == name), None)
    if found is None or found.slurm is None:
        known = ", ".join(site.id for site in network.sites if site.slurm is not None) or "none"
        raise NoSuchSite(f"No file describes a Slurm site {name!r}.", hint=f"Give --site-file; described are: {known}.")
    return found


def _from_file(path: Path, broken: Broken) -> list[Run]:
    """Every run in the file. Raises BadInput, with the command that writes such a file."""
    options = " ".join(word.replace("\x1f", "$'\\x1f'") for word in sacct_options(clusters="CLUSTER"))
    hint = f"Write it with: SLURM_TIME_FORMAT=%s sacct {options} --starttime=uts{EARLIEST}"
    try:
        runs = list(read_rows(file_lines(path), broken=broken))
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}.", hint=hint) from error
    if broken.num and not runs:
        raise BadInput(f"{path}: none of {broken.num} rows can be read; {broken.kept[0][0]}.", hint=hint)
    return runs


def _from_sacct(site: Site, begin: int, end: int, broken: Broken) -> list[Run]:
    """Runs that may have used something in the time, and every other run of the same jobs."""
    if site.slurm is None:
        raise NoSuchSite(f"Site {site.id} has no Slurm.", hint="Only a Slurm site has such accounting.")
    source = LocalSacct(site.slurm)
    common = sacct_options(clusters=site.slurm.cluster)
    found = {
        (run.job_id, run.submit): run for run in read_rows(source((*common, *ended_between(begin, end))), broken=broken)
    }
    ids = sorted({job_id for job_id, _ in found})
    for first in range(0, len(ids), ASK):
        lines = source((*common, *of_jobs(ids[first : first + ASK])))
        found |= {(run.job_id, run.submit): run for run in read_rows(lines, broken=broken)}
    return list(found.values())


def check_target(target: Path) -> None:
    """Raises BadExport when no file can be made there."""
    if not target.parent.is_dir() or target.is_dir() or not os.access(target.parent, os.W_OK):
        raise BadExport(f"{target} cannot be written.", hint="Name a file in a folder that exists.")


def show_differences(found: Reconciliation) -> None:
    """The comparison for people."""
    say(
        f"{found.site}, {found.month}: hub {found.num_hub_jobs} jobs and {found.hub_gpu_s:,} GPU-seconds, "
        f"Slurm {found.num_site_jobs} jobs and {found.site_gpu_s:,} GPU-seconds."
    )
    if found.num_foreign_jobs:
        say(f"{found.num_foreign_jobs} jobs of other accounts were left out.")
    if found.num_broken_rows:
        say(f"{found.num_broken_rows} rows could not be read.")
    if not found.differences:
        say("No difference.")
        return
    rows = [
        (
            one.native_id or one.job,
            one.account,
            "–" if one.hub_gpu_s is None else gpu_hours(one.hub_gpu_s),
            "–" if one.site_gpu_s is None else gpu_hours(one.site_gpu_s),
            one.cause,
            one.words,
        )
        for one in found.differences
    ]
    table("GPU-hours of the month", ("job", "account", "hub", "Slurm", "cause", "what it means"), rows, right=(2, 3))


def write_export(
    name: str,
    *,
    month: str,
    target: Path,
    kind: str,
    gocdb_name: str,
    submit_host: str,
    service_level: float,
    agent_token: Path | None,
) -> int:
    """Write a month's records; returns the number of lines. Raises BadExport, and what the hub says."""
    if kind not in {"xdmod", "egi"}:
        raise BadExport(f"{kind[:40]!r} is no format.", hint="The formats are xdmod and egi.")
    if kind == "egi" and not (gocdb_name and submit_host and service_level > 0):
        raise BadExport(
            "An EGI record names its site, its host and the speed of a processor.",
            hint="Give --gocdb-name, --submit-host and --service-level.",
        )
    end = next_month(month_start(month)) if _is_month(month) else None
    records = (
        known.record
        for page in pages(load_settings(), name, month, agent_token)
        for known in page.jobs
        if known.is_placed and end is not None and month_start(month) <= known.record.ended_at < end
    )
    lines = (
        xdmod_lines(records)
        if kind == "xdmod"
        else egi_message(records, site=gocdb_name, submit_host=submit_host, service_level=service_level)
    )
    partial = target.with_name(f".{target.name}.{os.getpid()}.part")
    num_lines = 0
    try:
        with partial.open("w", encoding="utf-8") as file:
            for line in lines:
                file.write(line + "\n")
                num_lines += 1
        partial.replace(target)
    except OSError as error:
        raise BadExport(f"{target} cannot be written: {error.strerror}.", hint="Choose another file.") from error
    finally:
        with suppress(OSError):
            partial.unlink()
    return num_lines


def _is_month(text: str) -> bool:
    try:
        month_start(text)
    except ValueError:
        return False
    return True
