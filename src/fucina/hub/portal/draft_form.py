"""The form of a draft: its fields and the questions of its mode; everything may be empty while it is written."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.forms import BoundField
from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from pydantic import ValidationError

from fucina.access.questions import Answer, AnswerKind, Missing, Question
from fucina.client.wire_access import DraftFields
from fucina.hub.access.models import Application
from fucina.hub.portal.forms import MAX_GPU_HOURS, NAME_LENGTH, PlainForm

GAPS: dict[str, str | Promise] = {
    "empty": _("Not answered yet."),
    "short": _("Say more: at least %(wanted)s characters."),
    "long": _("Too long: at most %(wanted)s characters."),
    "range": _("Outside %(wanted)s."),
    "kind": _("Answer with %(wanted)s."),
    "choice": _("Choose one of the answers."),
    "must": _("One may only apply when the answer is %(wanted)s."),
    "waits": _("%(wanted)s has not answered the invitation."),
}
"""What is missing, by its code."""

CHOICES: dict[str, str | Promise] = {
    "minimal": _("Minimal risk"),
    "limited": _("Limited risk"),
    "high": _("High risk"),
    "general-purpose": _("General-purpose model"),
    "unsure": _("Not sure"),
}
YES_NO = [("", _("Not answered")), ("yes", _("Yes")), ("no", _("No"))]


def in_language(texts: dict[str, str]) -> str:
    """The text in the reader's language, or in English."""
    return texts.get((get_language() or "en")[:2]) or texts.get("en", "")


class DraftForm(PlainForm):
    """A draft as it stands."""

    version = forms.IntegerField(widget=forms.HiddenInput, min_value=0)
    project = forms.RegexField(
        label=_("Project name"),
        regex=r"^[a-z0-9][a-z0-9-]{0,62}\Z",
        required=False,
        max_length=NAME_LENGTH,
        help_text=_(
            "Small letters, digits and hyphens, such as norme-chiare. The project.yaml file uses the same name."
        ),
        error_messages={
            "invalid": _("Use small letters, digits and hyphens only, and begin with a letter or a digit.")
        },
    )
    purpose = forms.CharField(
        label=_("What is it for?"),
        required=False,
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("One or two sentences that a stranger understands. They go into the documentation of the model."),
    )
    sector = forms.CharField(label=_("Sector (optional)"), required=False, max_length=200)
    gpu_hours = forms.FloatField(
        label=_("GPU-hours"),
        required=False,
        min_value=0.0001,
        max_value=MAX_GPU_HOURS,
        localize=True,
        widget=forms.TextInput(attrs={"class": "narrow", "inputmode": "decimal"}),
    )

    def __init__(self, *args: Any, questions: Iterable[Question], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.questions = tuple(questions)
        for question in self.questions:
            field = _field(question)
            field.label = in_language(question.text)
            field.help_text = in_language(question.help)
            self.fields[f"q_{question.id}"] = field

    def to_fields(self) -> DraftFields:
        """As the action takes it. Raises pydantic's ValidationError."""
        given = self.cleaned_data
        answers = {question.id: _answer(question, given.get(f"q_{question.id}")) for question in self.questions}
        return DraftFields(
            project=given["project"],
            purpose=given["purpose"],
            sector=given["sector"],
            gpu_hours=given["gpu_hours"],
            answers={name: value for name, value in answers.items() if value not in (None, "")},
        )

    def fields_or_none(self) -> DraftFields | None:
        """What was typed, when it can be kept; otherwise its fields say what is wrong."""
        if not self.is_valid():
            return None
        try:
            return self.to_fields()
        except ValidationError as error:
            self.add_error(None, str(error.errors()[0]["msg"]))
            return None

    def visible(self) -> list[BoundField]:
        """The fields in their order."""
        return [field for field in self if not field.is_hidden]


def _field(question: Question) -> forms.Field:
    if question.kind is AnswerKind.YES_NO:
        return forms.ChoiceField(choices=YES_NO, required=False)
    if question.kind is AnswerKind.CHOICE:
        choices = [("", _("Not answered")), *((name, CHOICES.get(name, name)) for name in question.choices)]
        return forms.ChoiceField(choices=choices, required=False)
    if question.kind is AnswerKind.NUMBER:
        widget = forms.TextInput(attrs={"class": "narrow", "inputmode": "decimal"})
        return forms.FloatField(required=False, localize=True, widget=widget)
    rows = 5 if question.max_chars > 2000 else 3
    return forms.CharField(
        required=False, max_length=2 * question.max_chars, widget=forms.Textarea(attrs={"rows": rows})
    )


def _answer(question: Question, given: Any) -> Answer | None:
    if question.kind is AnswerKind.YES_NO:
        return {"yes": True, "no": False}.get(given)
    return given


def initial_of(application: Application, questions: Iterable[Question]) -> dict[str, object]:
    """What the form shows of a draft."""
    found: dict[str, object] = {
        "version": application.version,
        "project": application.project,
        "purpose": application.purpose,
        "sector": application.sector,
        "gpu_hours": application.gpu_s / 3600 if application.gpu_s else None,
    }
    for question in questions:
        value = application.answers.get(question.id)
        if question.kind is AnswerKind.YES_NO:
            value = {True: "yes", False: "no"}.get(value, "")
        found[f"q_{question.id}"] = value
    return found


def gap_words(gap: Missing) -> str:
    """What is missing, in the reader's language."""
    return str(GAPS[gap.code]) % {"wanted": gap.wanted}
