"""The curves of a training run, from its progress lines."""

from collections.abc import Iterable

from django.db.models import F, Max, Q
from django.db.models.functions import Mod
from django.utils.translation import gettext as _

from fucina.compute.record import ProgressLine
from fucina.hub.compute.models import EventKind, Job
from fucina.hub.portal.charts import Chart, Point, line_chart
from fucina.hub.portal.states import UNITS

MAX_LINES = 2000
"""About so many lines are read, evenly spaced; those with a validation loss are read anyway."""

LOSS = "loss"
VALIDATION_LOSS = "validation_loss"
TOKENS_PER_S = "tokens_per_s"


def progress_lines(job: Job) -> list[ProgressLine]:
    """Progress lines that a chart needs, in two queries however many there are."""
    events = job.events.filter(kind=EventKind.PROGRESS)
    newest = events.aggregate(newest=Max("number"))["newest"]
    if newest is None:
        return []
    stride = newest // MAX_LINES + 1
    wanted = events.annotate(rest=Mod(F("number"), stride)).filter(
        Q(rest=0) | Q(number=newest) | Q(line__values__has_key=VALIDATION_LOSS)
    )
    return [ProgressLine.model_validate(line) for line in wanted.order_by("number").values_list("line", flat=True)]


def training_charts(lines: Iterable[ProgressLine]) -> tuple[Chart, ...]:
    """Loss and speed over what was done so far; empty charts say that there is nothing yet."""
    lines = list(lines)
    unit = lines[-1].unit if lines else ""
    x_label = _("Training so far, %(unit)s") % {"unit": UNITS.get(unit, unit)} if unit else ""
    return (
        line_chart(
            chart_id="chart-loss",
            title=_("Loss"),
            x_label=x_label,
            y_label=_("Nats per token; lower is better"),
            series={_("Training"): _points(lines, LOSS), _("Validation"): _points(lines, VALIDATION_LOSS)},
        ),
        line_chart(
            chart_id="chart-speed",
            title=_("Speed"),
            x_label=x_label,
            y_label=_("Tokens per second"),
            series={_("Speed"): _points(lines, TOKENS_PER_S)},
            from_zero=True,
        ),
    )


def _points(lines: Iterable[ProgressLine], name: str) -> list[Point]:
    return [Point(line.done, line.values[name]) for line in lines if name in line.values]
