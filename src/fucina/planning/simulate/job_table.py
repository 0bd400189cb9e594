"""Jobs as the engine takes them."""

from dataclasses import dataclass

from fucina.planning.simulate.state import Array


@dataclass(frozen=True, slots=True, kw_only=True)
class JobTable:
    """Jobs by submission; see `Workload`, which makes them, and `traces`, which reads them."""

    submit_s: Array
    run_s: Array
    estimate_s: Array
    gpus: Array
    account: Array
    qos: Array
    pool: Array
    group: Array
    """Which class of users a job belongs to."""
    data_gb: Array
    accounts: tuple[str, ...]
    groups: tuple[str, ...]
    shares: tuple[float, ...] = ()
    """Of the accounts; equal where empty."""

    def __len__(self) -> int:
        return len(self.submit_s)
