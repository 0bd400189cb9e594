"""The board's report of a gigafactory plan as a PDF."""

from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

from fucina.planning.reliability import Lever
from fucina.planning.simulate.siting import WANTED_GOODPUT, Gigafactory, ReferenceRun, Siting
from fucina.typeset import typeset

TEMPLATE = "gigafactory.typ"
BILLION = 1e9


def write_report(found: Gigafactory, *, made_at: datetime) -> bytes:
    """The PDF: the same plan at the same instant gives the same bytes. Raises NotTypeset."""
    made_at = made_at.astimezone(UTC).replace(microsecond=0)
    template = files("fucina.planning.simulate").joinpath(TEMPLATE).read_bytes()
    return typeset(template, report_data(found, made_at), what="report", made_at=made_at)


def report_data(found: Gigafactory, made_at: datetime) -> dict[str, Any]:
    """Everything that the template prints, as plain values."""
    asked = found.question
    names = {site.id: site.name for site in asked.sites}
    dearest = max(s.cost_eur for s in found.sitings)
    used = {(s.aim, h.site): 0.0 for s in found.sitings for h in s.holdings}
    for siting in found.sitings:
        for holding in siting.holdings:
            used[siting.aim, holding.site] += holding.power_mw
    most = max(used.values())
    return {
        "name": asked.name,
        "title": asked.name[:1].upper() + asked.name[1:],
        "description": asked.description,
        "made_at": [made_at.year, made_at.month, made_at.day],
        "years": f"{asked.years:g}",
        "short": _short(found, names),
        "limits": (
            f"{asked.num_accelerators:,} accelerators, at most {asked.max_sites} sites, {asked.power_cap_mw:,.0f} "
            f"MW in all and "
            "what each site can connect, and what is on offer of each accelerator"
        ),
        "weighed": _weighed(found),
        "runs_words": _runs_words(found),
        "runs": [_run(run, names[run.site]) for run in found.runs],
        "wanted": WANTED_GOODPUT,
        "choices": [_choice(siting) for siting in found.sitings],
        "cost_bars": [
            {
                "label": str(s.aim),
                "parts": [
                    part / dearest for part in (s.capital_eur, s.energy_eur, s.cost_eur - s.capital_eur - s.energy_eur)
                ],
                "words": f"{s.cost_eur / BILLION:.2f}",
            }
            for s in found.sitings
        ],
        "holdings": [
            [str(s.aim), names[h.site], h.accelerator, f"{h.count:,}", f"{h.power_mw:,.1f}"]
            for s in found.sitings
            for h in s.holdings
        ],
        "power_bars": [
            {"label": f"{aim}: {site}", "parts": [power / most], "words": f"{power:,.0f}"}
            for (aim, site), power in used.items()
        ],
        "goodput_words": _goodput_words(found),
        "scaling_bars": [
            {"label": f"{size:,} accelerators", "parts": [share], "words": f"{share:.1%}"}
            for size, share in found.scaling
        ],
        "levers": [_lever(lever) for lever in found.levers],
        "assumptions": list(asked.assumptions) or ["None were written down."],
        "sources": list(asked.sources) or ["None were given."],
    }


LEVERS = {
    "failures": "Interruptions per 1,000 node-days",
    "restart": "Time from an interruption to the next step, s",
    "checkpoint stall": "Time that a checkpoint holds the job up, s",
    "all three by one factor": "All three, by one factor",
}
"""What each lever is called for a reader."""


def _lever(lever: Lever) -> list[str]:
    needed = "not enough alone" if lever.needed is None else f"{lever.needed:.2g}"
    times = "" if not lever.needed else f"{lever.now / lever.needed:.1f} times less"
    return [LEVERS.get(lever.name, lever.name), f"{lever.now:.3g}", needed, times]


def _weighed(found: Gigafactory) -> list[str]:
    """What each other choice costs and gives beside the cheapest."""
    base = min(found.sitings, key=lambda siting: siting.cost_eur)
    lines = []
    for other in found.sitings:
        if other is base:
            continue
        more = other.cost_eur - base.cost_eur
        carbon, compute = base.carbon_t - other.carbon_t, other.useful_eflops / base.useful_eflops - 1
        line = (
            f"{str(other.aim).capitalize()} costs {more / BILLION:.2f} billion EUR ({more / base.cost_eur:.0%}) more "
            f"than {base.aim}, gives {_signed(compute)} useful compute and emits "
            f"{abs(carbon) / 1000:,.0f} kt CO2e {'less' if carbon > 0 else 'more'}"
        )
        tonne = f": about {float(f'{more / carbon:.2g}'):,.0f} EUR for each tonne saved" if carbon > 0 < more else ""
        lines.append(f"{line}{tonne}.")
    return lines


def _signed(share: float) -> str:
    return f"{abs(share):.0%} {'more' if share >= 0 else 'less'}"


def _run(run: ReferenceRun, site: str) -> list[str]:
    days = ["—", "—"] if run.days is None else [f"{run.days.value:.0f}", f"{run.days.low:.0f} to {run.days.high:.0f}"]
    mfu = "—" if run.mfu is None else f"{run.mfu:.0%}"
    return [str(run.aim), f"{run.num_devices:,} × {run.accelerator}, {site}", *days, mfu]


def _runs_words(found: Gigafactory) -> str:
    asked = found.question.reference
    return (
        f"As a measure: to train {asked.model} on {asked.num_tokens / 1e12:g} trillion tokens, in steps of "
        f"{asked.batch_tokens / 1e6:g} million, on the largest part of each choice that is one kind of accelerator at "
        "one site, interruptions included. The span holds 8 of 10 predictions for runs left out of the planner's "
        "calibration."
    )


def _choice(siting: Siting) -> list[str]:
    return [
        str(siting.aim),
        f"{siting.power_mw:,.0f}",
        f"{siting.cost_eur / BILLION:.2f}",
        f"{siting.carbon_t / 1000:,.0f}",
        f"{siting.peak_eflops:,.0f}",
        f"{siting.useful_eflops:,.0f}",
    ]


def _short(found: Gigafactory, names: dict[str, str]) -> list[str]:
    lines = []
    for siting in found.sitings:
        places = " and ".join(dict.fromkeys(names[holding.site] for holding in siting.holdings))
        kinds = " and ".join(dict.fromkeys(holding.accelerator for holding in siting.holdings))
        lines.append(
            f"{str(siting.aim).capitalize()}: {places}, with {kinds}; {siting.power_mw:,.0f} MW, "
            f"{siting.cost_eur / BILLION:.2f} billion EUR, {siting.carbon_t / 1000:,.0f} kt CO2e over "
            f"{found.question.years:g} years."
        )
    verdict = "reaches" if found.goodput.share >= WANTED_GOODPUT else "does not reach"
    lines.append(
        f"One job over all accelerators keeps {found.goodput.share:.1%} of its time and {verdict} "
        f"{WANTED_GOODPUT:.0%}; "
        f"{found.goodput.num_spares:,} spare nodes cover repairs 99 times in 100."
    )
    return lines


def _goodput_words(found: Gigafactory) -> str:
    known = found.goodput
    if known.mttf_s is None or known.checkpoint_interval_s is None:
        return "With no interruption at all, no time is lost."
    return (
        f"With {found.question.resilience.failures_per_1000_node_days:.2f} interruptions per 1,000 node-days, "
        f"a job over {known.num_nodes:,} nodes is interrupted {known.interruptions_per_day:.0f} times a day, every "
        f"{known.mttf_s / 60:.0f} minutes on average. Saved every {known.checkpoint_interval_s / 60:.1f} minutes, "
        f"it loses {known.lost_to_checkpoints:.1%} to checkpoints, {known.lost_to_rework:.1%} to work done twice and "
        f"{known.lost_to_restarts:.1%} to restarts."
    )
