"""Forms about data; their limits are those of the wire types."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from fucina.client.wire_data import DataDecision
from fucina.hub.portal.data_facts import WORDS
from fucina.hub.portal.forms import PlainForm


class AskForm(PlainForm):
    """A request for data."""

    organisation = forms.ChoiceField(
        label=_("Organisation"),
        help_text=_("The data are given to it, and all its members may use them."),
        error_messages={"invalid_choice": _("Choose one of your organisations.")},
    )
    purpose = forms.CharField(
        label=_("What is it for?"),
        min_length=10,
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 5}),
        help_text=_("The holder of the data reads it and decides."),
        error_messages={
            "required": _("Say what the data are for."),
            "min_length": _("Say a little more: at least ten characters."),
        },
    )
    agrees = forms.BooleanField(
        label=_("We agree to the terms"),
        error_messages={"required": _("The data are given only to who agrees to the terms.")},
    )

    def __init__(self, *args: Any, organisations: Sequence[tuple[str, str]], has_terms: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["organisation"]
        if isinstance(field, forms.ChoiceField):
            field.choices = list(organisations)
        if not has_terms:
            del self.fields["agrees"]


class DataDecisionForm(PlainForm):
    """The decision of an owner of the data."""

    decision = forms.ChoiceField(
        label=_("Decision"),
        choices=[("grant", _("Give the data")), ("reject", _("Reject the request"))],
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose whether to give the data or to reject the request.")},
    )
    days = forms.IntegerField(
        label=_("For how many days?"),
        min_value=1,
        max_value=3650,
        widget=forms.TextInput(attrs={"class": "narrow", "inputmode": "numeric"}),
        error_messages={
            "required": _("Enter for how many days."),
            "invalid": _("Enter a whole number."),
            "min_value": _("At least one day."),
            "max_value": _("At most ten years."),
        },
    )
    reason = forms.CharField(
        label=_("Reason"),
        min_length=3,
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 5}),
        help_text=_("Who asked reads it."),
        error_messages={"required": _("Give the reason."), "min_length": _("Give the reason in words.")},
    )

    def to_decision(self) -> DataDecision:
        """As the API takes it."""
        data = self.cleaned_data
        return DataDecision(granted=data["decision"] == "grant", reason=data["reason"], days=data["days"])


class PolicyForm(PlainForm):
    """Who finds a dataset, and who may have it."""

    listing = forms.ChoiceField(
        label=_("Who finds it"), choices=list(WORDS["listing"].items()), widget=forms.RadioSelect
    )
    access = forms.ChoiceField(
        label=_("Who may have its files"),
        choices=[
            ("open", _("Whoever signs in and finds it")),
            ("request", _("Who asks and is granted it")),
            ("closed", _("Only the organisation itself")),
        ],
        widget=forms.RadioSelect,
    )
    sensitivity = forms.ChoiceField(
        label=_("Sensitivity"), choices=list(WORDS["sensitivity"].items()), widget=forms.RadioSelect
    )
    terms = forms.CharField(
        label=_("Terms (optional)"),
        required=False,
        max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 6}),
        help_text=_("Who asks has to agree to them; they are kept with the request."),
    )
