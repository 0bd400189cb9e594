"""How often an agent looks, asks and tells."""

from dataclasses import dataclass

from fucina.network.spec import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Times between two of the same, all in seconds."""

    tick_s: float
    """Between two rounds."""
    poll_s: float
    """Between two looks at the executor: a few small files, or one bulk query of the scheduler."""
    claim_s: float
    """Between two questions for new jobs; asked at once when one has just ended."""
    report_s: float = 2.0
    """Between two progress reports of one job."""
    heartbeat_s: float = 5.0
    partitions_s: float = 30.0
    """Between two looks at the site's partitions, and at when its waiting jobs may start."""
    usage_s: float = 60.0
    """Between two imports of the scheduler's accounting."""
    accounts_s: float = 60.0
    """Between two looks at the accounts that the site should have."""
    cancelled_s: float = 60.0
    """Between two looks for cancelled jobs that run all the same."""
    retry_s: float = 30.0
    """Before a job that a limit of the site kept out is tried again."""
    patience_s: float = 10.0
    """Longest wait between two tries of a hub that does not answer."""
    forget_after_s: float = 60.0
    """How long a hub must say without a break that it does not know a job before the job is ended."""


def pace_of(site: Site) -> Pace:
    """A process is looked at often; a scheduler's controller is asked every few seconds."""
    if site.executor == "slurm":
        return Pace(tick_s=1.0, poll_s=4.0, claim_s=3.0)
    return Pace(tick_s=0.2, poll_s=0.2, claim_s=1.0)
