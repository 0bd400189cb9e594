"""`scancel`: end jobs. It answers success for a job it does not know, so its answer is never taken as proof."""

from collections.abc import Sequence


def argv(job_ids: Sequence[int]) -> list[str]:
    """End these jobs, every task of an array with it."""
    return ["scancel", "--quiet", *(str(job_id) for job_id in job_ids)]
