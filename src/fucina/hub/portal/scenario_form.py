"""A what-if question as a form."""

from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext_lazy as _

from fucina.client.wire_planning import MAX_QUESTION, MAX_TRACE, ScenarioKind, ScenarioRequest
from fucina.hub.portal.forms import PlainForm

KINDS = [
    (ScenarioKind.CLUSTER.value, _("A site: waits, use and energy, or how large it must be")),
    (ScenarioKind.NETWORK.value, _("The network: what happens when a site is lost")),
    (ScenarioKind.TRAIN.value, _("A training run: days, GPU-hours and energy")),
    (ScenarioKind.GIGAFACTORY.value, _("A gigafactory: sites and accelerators under a cap of power")),
]
OPTIONS = {
    ScenarioKind.CLUSTER: {"job_class": "class", "p95_wait_s": "p95-wait"},
    ScenarioKind.NETWORK: {"down": "down", "down_days": "days"},
    ScenarioKind.TRAIN: {"model": "model", "tokens": "tokens", "system": "system"},
    ScenarioKind.GIGAFACTORY: {},
}
"""Fields of the form that each kind uses, and their names as options."""
FILES = frozenset({ScenarioKind.CLUSTER, ScenarioKind.NETWORK})


class ScenarioForm(PlainForm):
    """A question: what is asked, and what the kind needs."""

    name = forms.CharField(label=_("Name"), max_length=80, error_messages={"required": _("Give the scenario a name.")})
    kind = forms.ChoiceField(label=_("What is asked"), choices=KINDS)
    job_class = forms.CharField(
        label=_("How large for this class of jobs?"),
        required=False,
        max_length=60,
        help_text=_("For a site: a class such as fast-lane. Left out, the site is simulated as it is."),
    )
    p95_wait_s = forms.FloatField(label=_("Wait that 95 in 100 of them may have, seconds"), required=False, min_value=0)
    down = forms.CharField(
        label=_("Site that is lost"), required=False, max_length=60, help_text=_("For the network: such as leonardo.")
    )
    down_days = forms.FloatField(label=_("For how many days"), required=False, min_value=0.01)
    model = forms.CharField(
        label=_("Model"), required=False, max_length=80, help_text=_("For a training run: such as llama-3-8b.")
    )
    tokens = forms.CharField(label=_("Tokens"), required=False, max_length=20, help_text=_("Such as 1T or 300M."))
    system = forms.CharField(
        label=_("System"), required=False, max_length=60, help_text=_("Such as leonardo-booster or lumi-g.")
    )
    question = forms.CharField(
        label=_("Scenario"),
        required=False,
        max_length=MAX_QUESTION,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 10, "class": "mono", "spellcheck": "false"}),
        help_text=_("A scenario or question as YAML. Left empty, the shipped example is simulated."),
    )
    trace = forms.FileField(
        label=_("Recorded jobs"),
        required=False,
        help_text=_("A trace in place of invented jobs: SWF, an export of sacct, or usage records of a hub."),
    )

    def clean_trace(self) -> UploadedFile | None:
        """Text, and not too much of it."""
        file: UploadedFile | None = self.cleaned_data["trace"]
        if file is not None and (file.size or 0) > MAX_TRACE:
            raise forms.ValidationError(_("The trace is larger than 30 MB."))
        return file

    def request(self) -> tuple[ScenarioRequest, str]:
        """The request of a valid form, and the name of its trace."""
        given: dict[str, Any] = self.cleaned_data
        kind = ScenarioKind(given["kind"])
        file: UploadedFile | None = given["trace"] if kind in FILES else None
        text = file.read().decode("utf-8", "replace") if file else ""
        options = {option: str(given[field]) for field, option in OPTIONS[kind].items() if given[field]}
        question = given["question"] if kind is not ScenarioKind.TRAIN else ""
        name = (file.name or "") if file else ""
        return ScenarioRequest(name=given["name"], kind=kind, question=question, trace=text, options=options), name
