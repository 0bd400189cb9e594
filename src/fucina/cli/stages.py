"""`fucina stage` and `fucina verify`: no hub, no network."""

import os
from pathlib import Path

from rich.markup import escape

from fucina.cli.output import Format, out, say, show, table
from fucina.config import load_settings
from fucina.errors import BadInput
from fucina.line.spec import STAGES, StageName


class UnknownStage(BadInput):
    """There are five stages."""

    code = "unknown_stage"


def run_named(name: str, workdir: Path) -> int:
    """Run a stage; returns its exit code."""
    if name not in STAGES:
        raise UnknownStage(f"There is no stage {name!r}.", hint=f"The stages are {', '.join(STAGES)}.")
    settings = load_settings()
    # Threads that wait by spinning take the processor from those they wait for as soon as another process wants one:
    # measured here as fifteen times slower on two shared cores. Read once, when the OpenMP library is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if settings.num_threads:
        os.environ.setdefault("OMP_NUM_THREADS", str(settings.num_threads))
    if name == StageName.TRAIN and settings.num_nodes * settings.num_ranks_per_node > 1 and "RANK" not in os.environ:
        from fucina.cli.ranks import run_ranks

        return run_ranks(workdir, settings)
    from fucina.compute.place import Place
    from fucina.line.run_stage import run_stage

    torchrun = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
    place = Place(*(int(os.environ[word]) for word in torchrun)) if "RANK" in os.environ else Place()
    return run_stage(StageName(name), workdir, settings, place=place)


def verify_and_tell(folder: Path, public_key: Path, form: Format, *, log: Path | None = None) -> bool:
    """Verify a release and say what was found; returns whether it is good."""
    from fucina.line.verify import verify
    from fucina.trust.transparency import read_evidence

    report = verify(folder, public_key=public_key, evidence=read_evidence(log) if log else None)
    if show(report, form):
        return report.ok
    if report.gates:
        rows = [
            (
                g.metric,
                f"{g.measured:.4g}",
                ("at most " if g.direction == "at_most" else "at least ") + f"{g.limit:g}",
                "✓" if g.passed else "✗ fails",
            )
            for g in report.gates
        ]
        table("", ("gate", "measured", "limit", ""), rows, right=(1,))
    for finding in report.findings:
        out.print(f"[red]✗[/red] {escape(finding.path)}: {escape(finding.message)}", soft_wrap=True)
    for note in report.notes:
        say(f"  {escape(note)}")
    if report.ok:
        say(
            f"[green]✓[/green] {folder} verifies: {report.num_files} files, content {report.content_digest[:16]}…, "
            f"signed by key {report.key_fingerprint[:16]}…, {report.num_open} open questions in the dossier."
        )
    else:
        say(f"[red]✗[/red] {folder} does not verify: {len(report.findings)} findings.")
    return report.ok
