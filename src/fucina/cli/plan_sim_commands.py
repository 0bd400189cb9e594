"""`fucina plan replay|cluster|network|gigafactory|compare`: the simulator's commands, on the group `fucina plan`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fucina.cli.output import Format, FormatOption, err, out, say, show, speaking, table
from fucina.cli.plan_commands import app
from fucina.cli.plan_saving import SaveOption, keep

if TYPE_CHECKING:
    from fucina.planning.simulate.scenario import Result, Scenario

__all__ = ["app"]

ProgressOption = Annotated[Path | None, typer.Option("--progress", help="Write here how far it is.", hidden=True)]
FileArgument = Annotated[
    Path | None, typer.Argument(help="A scenario (YAML); without one, the example that is shipped.")
]


@app.command()
def replay(
    trace: Annotated[Path, typer.Argument(help="SWF, sacct export or usage records; .gz too.")],
    procs: Annotated[
        int | None, typer.Option(help="Processors, or accelerators, of the machine; else as the trace says.")
    ] = None,
    policy: Annotated[str, typer.Option(help="fcfs, easy or conservative.")] = "easy",
    plain: Annotated[bool, typer.Option("--plain", help="Without compiled code; slower, the same result.")] = False,
    form: FormatOption = Format.TEXT,
) -> None:
    """Replay a trace of jobs on one machine, exact to the second."""
    with speaking(form):
        check_extra()
        from fucina.errors import BadInput
        from fucina.planning.simulate.accounting_traces import read_trace
        from fucina.planning.simulate.compiled import COMPILED
        from fucina.planning.simulate.replay import Policy
        from fucina.planning.simulate.replay import replay as run

        if policy not in set(Policy):
            raise BadInput(f"There is no policy {policy!r}.", hint=f"There are: {', '.join(Policy)}.")
        found = run(read_trace(trace), machine_size=procs, policy=Policy(policy), compiled=COMPILED and not plain)
        if not show(found, form):
            for note in found.notes:
                say(f"Note: {note}")
            rows = [(name.replace("_", " "), f"{value:,}" if isinstance(value, int | float) else str(value))
                    for name, value in found.model_dump(exclude={"notes"}).items()]  # fmt: skip
            table(trace.name, ("", ""), rows, right=(1,))


@app.command()
def cluster(
    scenario_file: FileArgument = None,
    job_class: Annotated[str, typer.Option("--class", help="How large must a pool be for this class of jobs?")] = "",
    p95_wait_s: Annotated[float, typer.Option("--p95-wait", help="Wait that 95 % of them may have at most, s.")] = 3600,
    pool: Annotated[str, typer.Option(help="The pool that may grow or shrink; else the first.")] = "",
    save: SaveOption = "",
    progress: ProgressOption = None,
    form: FormatOption = Format.TEXT,
) -> None:
    """Simulate a site: waits, use, energy; or say how many accelerators a wait needs."""
    with speaking(form):
        check_extra()
        from fucina.planning.simulate.scenario import load_scenario, shipped
        from fucina.planning.simulate.whatif import size_for_wait

        scenario = load_scenario(scenario_file) if scenario_file else shipped("fast-lane")
        if not job_class:
            result = _simulated(scenario, form, progress)
            keep(result, save, kind="cluster", question=_question(scenario_file))
            _tell(result, form)
            return
        with _status("Trying sizes", form) as tell:
            answer = size_for_wait(
                scenario, job_class=job_class, p95_wait_s=p95_wait_s, pool_id=pool,
                watch=lambda trial: tell(f"{trial.num_gpus:,} accelerators: {trial.p95_wait_s:,.0f} s"),
            )  # fmt: skip
        keep(
            answer, save, kind="cluster", question=_question(scenario_file),
            options={"class": job_class, "p95-wait": f"{p95_wait_s:g}", "pool": pool},
        )  # fmt: skip
        if not show(answer, form):
            rows = [
                (f"{t.num_nodes:,}", f"{t.num_gpus:,}", f"{t.p95_wait_s:,.0f}", "yes" if t.meets else "no")
                for t in answer.trials
            ]
            table("Sizes tried", ("nodes", "accelerators", "p95 wait, s", "enough"), rows, right=(0, 1, 2))
            say(f"{answer.num_gpus:,} accelerators ({answer.num_nodes:,} nodes) of {answer.pool} keep the p95 wait of "
                f"{job_class} at {answer.p95_wait_s:,.0f} s, with {p95_wait_s:,.0f} s allowed.")  # fmt: skip
            if not answer.monotonic:
                say("Larger was not always better in these trials: the answer hangs on chance. Add replications.")


@app.command()
def network(
    scenario_file: FileArgument = None,
    down: Annotated[str, typer.Option(help="A pool that is lost; `none` for no outage.")] = "",
    days: Annotated[float, typer.Option(help="For how long, from the eighth day.")] = 14,
    route: Annotated[str, typer.Option(help="home, local-first, shortest-wait, energy or data-gravity.")] = "",
    save: SaveOption = "",
    progress: ProgressOption = None,
    form: FormatOption = Format.TEXT,
) -> None:
    """Simulate the network of sites beside itself with a site lost: who waits how much longer, and where the jobs
    go."""
    with speaking(form):
        check_extra()
        from fucina.errors import BadInput
        from fucina.planning.simulate.cluster import Outage, Route
        from fucina.planning.simulate.scenario import load_scenario, shipped

        scenario = load_scenario(scenario_file) if scenario_file else shipped("leonardo-down")
        if route and route not in set(Route):
            raise BadInput(f"There is no route {route!r}.", hint=f"There are: {', '.join(Route)}.")
        if days <= 0:
            raise BadInput(f"An outage of {days:g} days is none.", hint="Give more than zero days, or --down none.")
        changed: dict[str, object] = {}
        if route:
            changed["federation"] = scenario.federation.model_copy(update={"route": Route(route)})
        if down:
            changed["outages"] = () if down == "none" else (Outage(pool=down, begins_day=7, days=days),)
            changed["name"] = "as usual" if down == "none" else f"{down} down for {days:g} days"
        scenario = scenario.model_copy(update=changed)
        result = _simulated(scenario, form, progress)
        keep(
            result, save, kind="network", question=_question(scenario_file),
            options={"down": down, "days": f"{days:g}" if down else "", "route": route},
        )  # fmt: skip
        if form is Format.TEXT and scenario.outages:
            usual = _simulated(scenario.model_copy(update={"outages": (), "name": "as usual"}), form, None)
            _beside(usual, result)
        else:
            _tell(result, form)


@app.command()
def compare(
    before: Annotated[Path, typer.Argument(help="A saved result.")],
    after: Annotated[Path, typer.Argument(help="Another.")],
    form: FormatOption = Format.TEXT,
) -> None:
    """Put two saved results side by side."""
    with speaking(form):
        check_extra()
        from fucina.planning.simulate import whatif
        from fucina.planning.simulate.scenario import load_result

        one, other = load_result(before), load_result(after)
        if not show(whatif.compare(one, other), form):
            _beside(one, other)


def check_extra() -> None:
    """Raise Unavailable where the extra `plan` is not installed."""
    from importlib.util import find_spec

    from fucina.errors import Unavailable

    if missing := [name for name in ("numpy", "scipy") if find_spec(name) is None]:
        raise Unavailable(f"Planning needs {' and '.join(missing)}.", hint="Install them: pip install 'fucina[plan]'.")


def _simulated(scenario: "Scenario", form: Format, progress_file: Path | None) -> "Result":
    import time

    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from fucina.planning.simulate.scenario import run_scenario

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, disable=form is not Format.TEXT) as progress:
        task = progress.add_task(f"Jobs of {scenario.name}", total=None)

        def watch(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)
            if progress_file is not None:
                progress_file.write_text(f"{done} {total}\n", encoding="utf-8")

        return run_scenario(scenario, clock=time.perf_counter, watch=watch)


@contextmanager
def _status(text: str, form: Format) -> Iterator[Callable[[str], None]]:
    if form is not Format.TEXT:
        yield lambda _: None
        return
    with err.status(text) as status:
        yield lambda more: status.update(f"{text}: {more}")


def _question(path: Path | None) -> str:
    """The text of the scenario file, which was read before."""
    return path.read_text(encoding="utf-8") if path else ""


def _tell(result: "Result", form: Format) -> None:
    if show(result, form):
        return
    for kind, names in _SHOWN.items():
        parts = {p: v for p, v in result.parts.items() if p.startswith(kind)}
        rows = [
            (part, *(_cell(values[n].mean) + _half(values[n]) if n in values else "–" for n in names))
            for part, values in parts.items()
        ]
        table(result.scenario.name, (kind, *(n.replace("_", " ") for n in names)), rows, right=range(1, len(names) + 1))
        out.print()
    say(
        f"{result.num_jobs:,} jobs in {result.scenario.replications} repetitions, {result.wall_s:.1f} s. ± is half "
        f"of a 95 % interval."
    )


_SHOWN = {
    "all": ("jobs", "mean_wait_s", "p95_wait_s", "utilisation", "fragmentation", "goodput", "energy_mwh", "fairness"),
    "class": ("jobs", "mean_wait_s", "median_wait_s", "p95_wait_s", "mean_bounded_slowdown", "stops"),
    "pool": ("jobs", "utilisation", "fragmentation", "goodput", "energy_mwh", "carbon_t", "stopped_by_failures"),
}


def _half(value: object) -> str:
    low, high = getattr(value, "low", None), getattr(value, "high", None)
    return "" if low is None or high is None else f" ± {_cell((high - low) / 2)}"


def _cell(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _beside(one: "Result", other: "Result") -> None:
    from fucina.planning.simulate.whatif import compare as changes

    wanted = {name for names in _SHOWN.values() for name in names}
    rows = [
        (
            c.part,
            c.name.replace("_", " "),
            _cell(c.before),
            _cell(c.after),
            _cell(c.change),
            {True: "yes", False: "no", None: ""}[c.distinct],
        )
        for c in changes(one, other)
        if c.name in wanted
    ]
    heads = ("part", "", one.scenario.name, other.scenario.name, "change", "beyond chance")
    table(f"{one.scenario.name} beside {other.scenario.name}", heads, rows, right=(2, 3, 4))


@app.command()
def gigafactory(
    question_file: Annotated[Path | None, typer.Argument(help="A question (YAML); without one, the example.")] = None,
    report: Annotated[Path | None, typer.Option("--report", help="Write the board's report as a PDF.")] = None,
    save: SaveOption = "",
    form: FormatOption = Format.TEXT,
) -> None:
    """Choose sites and accelerators for a gigafactory under caps of power, and say what failures cost it."""
    with speaking(form):
        check_extra()
        from datetime import UTC, datetime

        from fucina.errors import BadInput
        from fucina.planning.simulate.report import write_report
        from fucina.planning.simulate.siting import load_question, plan

        found = plan(load_question(question_file))
        keep(found, save, kind="gigafactory", question=_question(question_file))
        if report is not None:
            try:
                report.write_bytes(write_report(found, made_at=datetime.now(UTC)))
            except OSError as error:
                raise BadInput(f"{report} cannot be written: {error}", hint="Choose another place.") from error
        if show(found, form):
            return
        for siting in found.sitings:
            rows = [(h.site, h.accelerator, f"{h.count:,}", f"{h.power_mw:,.1f}") for h in siting.holdings]
            title = (
                f"{siting.aim}: {siting.cost_eur / 1e9:.2f} bn EUR, {siting.power_mw:,.0f} MW, "
                f"{siting.carbon_t / 1000:,.0f} kt CO2e, {siting.useful_eflops:,.0f} useful EFLOP/s"
            )
            table(title, ("site", "accelerator", "number", "MW"), rows, right=(2, 3))
            out.print()
        say(f"Goodput of one job over everything: {found.goodput.share:.1%}. For 90 %, each alone:")
        rows = [
            (v.name, f"{v.now:.4g}", "not enough" if v.needed is None else f"{v.needed:.4g}", v.unit)
            for v in found.levers
        ]
        table("", ("", "today", "needed", "unit"), rows, right=(1, 2))
        if report is not None:
            say(f"Report: {report}")
