"""Help for people, and patterns for those who build pages."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime

from django.http import HttpResponse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from fucina.client.wire import ProjectInfo
from fucina.hub.portal.charts import Chart, Point, line_chart
from fucina.hub.portal.door import SignedIn, page, signed_in
from fucina.hub.portal.forms import DecisionForm
from fucina.hub.portal.states import LOOKS

EXAMPLE = """\
name: norme-chiare
organisation: Officine Esempio
purpose: Drafts plain-language summaries of regulations for small firms
data:
  sources: [{path: corpora/*.jsonl, licence: CC-BY-4.0}]
  languages: [it, en]
train: {size: 3M, tokens: 12M}
compute: {gpu_hours: 5}
"""

WORDS: tuple[tuple[str | Promise, str | Promise], ...] = (
    (_("Project"), _("What an organisation was granted time for. It holds the balance and the runs.")),
    (_("Run"), _("One way through the five stages, from documents to a release.")),
    (_("Stage"), _("One of prepare, train, evaluate, document and release.")),
    (_("GPU-hour"), _("One accelerator for one hour; on a machine without GPU, the whole machine for one hour.")),
    (_("Hold"), _("Time set aside for a job before it starts, so that it cannot run out half-way.")),
    (_("Gate"), _("A limit on a measured number that a release must keep.")),
    (_("Perplexity"), _("How surprised the model is by text that it has not seen; lower is better.")),
    (_("Memorised share"), _("How often the model repeats its training text word for word.")),
    (_("Dossier"), _("The documentation that the AI Act asks for, item by item, with its evidence.")),
    (_("Open question"), _("An item of the dossier that no record answers; a person has to.")),
    (_("Release"), _("A folder with the model, its evidence and a signature, which anyone can verify offline.")),
    (_("Provenance"), _("A signed statement of what was made from which inputs.")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HelpPage:
    """What to do and what the words mean."""

    example: str
    words: tuple[tuple[str | Promise, str | Promise], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PatternsPage:
    """One of everything."""

    states: tuple[str, ...]
    notices: tuple[str, ...]
    form: DecisionForm
    projects: tuple[ProjectInfo, ...]
    charts: tuple[Chart, ...]
    at: datetime


@require_safe
@signed_in
def help_page(request: SignedIn) -> HttpResponse:
    """The way through, and the words."""
    return page(request, "portal/help.html", HelpPage(example=EXAMPLE, words=WORDS), place="help")


@require_safe
@signed_in
def patterns(request: SignedIn) -> HttpResponse:
    """Every component with invented content."""
    form = DecisionForm({"decision": "grant", "gpu_hours": "many", "reason": ""})
    balance = {"granted_gpu_s": 360_000, "held_gpu_s": 36_000, "used_gpu_s": 151_200, "free_gpu_s": 172_800}
    loss = [
        Point(step * 20_000.0, 3.1 + 5.2 * math.exp(-step / 60) + 0.12 * math.sin(step * 1.7)) for step in range(600)
    ]
    series = {str(_("Training")): loss, str(_("Validation")): [Point(x, y + 0.15) for x, y in loss[::60]]}
    project = ProjectInfo(
        ref="prj-example", name="norme-chiare", organisation="Officine Esempio", purpose="", num_runs=12, **balance
    )
    full = line_chart(
        chart_id="chart-full",
        title=str(_("Loss")),
        x_label=str(_("Tokens")),
        y_label=str(_("Nats per token; lower is better")),
        series=series,
    )
    empty = line_chart(chart_id="chart-empty", title=str(_("Loss")), x_label="", y_label="", series={})
    context = PatternsPage(
        states=tuple(LOOKS),
        notices=("good", "live", "warn", "bad"),
        form=form,
        projects=(project,),
        charts=(full, empty),
        at=datetime(2026, 11, 20, 9, 30, tzinfo=UTC),
    )
    return page(request, "portal/patterns.html", context, place="help")
