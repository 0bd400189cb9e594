"""The automatic check of an application against its access mode."""

from fucina.access.modes import Mode, ModesFile
from fucina.client.wire import Finding

MEMBER_STATES = "eu"
"""Name of the list of the Union's member states."""


def check_eligibility(
    mode: Mode, *, country: str, gpu_hours: float, granted_gpu_hours: float, modes: ModesFile
) -> tuple[Finding, ...]:
    """What can be checked without a person: the limit of the mode and where the organisation is established.

    `granted_gpu_hours` is what the same project was granted before in this mode.
    """
    findings = [_limit(mode, gpu_hours=gpu_hours, granted_gpu_hours=granted_gpu_hours)]
    if mode.countries is not None:
        findings.append(_establishment(mode.countries, country=country, modes=modes))
    return tuple(findings)


def _limit(mode: Mode, *, gpu_hours: float, granted_gpu_hours: float) -> Finding:
    source = ", ".join(mode.sources)
    if mode.max_gpu_hours is None:
        message = f"{gpu_hours:g} GPU-hours asked for; no limit of {mode.id} is published, so an officer weighs it."
        return Finding(rule="max_gpu_hours", passed=True, message=message, source=source)
    total = gpu_hours + granted_gpu_hours
    before = f" and {granted_gpu_hours:g} granted before" if granted_gpu_hours else ""
    return Finding(
        rule="max_gpu_hours",
        passed=total <= mode.max_gpu_hours,
        message=f"{gpu_hours:g} GPU-hours asked for{before}; {mode.id} grants a project up to {mode.max_gpu_hours:g}.",
        source=source,
    )


def _establishment(list_name: str, *, country: str, modes: ModesFile) -> Finding:
    countries = modes.countries[list_name]
    if country in modes.countries[MEMBER_STATES].codes:
        message = f"Established in {country}, a member state."
    elif country in countries.codes:
        message = f"Established in {country}, which the list holds for associated; an officer checks that it still is."
    elif country:
        message = f"Established in {country}, which is neither a member state nor on the list of associated countries."
    else:
        message = "The organisation names no country; an officer asks where it is established."
    return Finding(rule="establishment", passed=country in countries.codes, message=message, source=countries.source)
