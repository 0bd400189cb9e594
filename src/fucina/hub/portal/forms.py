"""Forms: what a person types, checked in words before an action sees it."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm
from django.utils.formats import sanitize_separators
from django.utils.translation import gettext_lazy as _
from pydantic import ValidationError

from fucina.access.call_file import MAX_CHARS
from fucina.client.wire import ApplicationRequest, GrantShare

MAX_GPU_HOURS = 10_000_000
NAME_LENGTH = 63
TWO_LETTERS = _("Write the country in two letters.")
BAD_PART = _("Line %(number)s is no part: write site/partition, a blank and a number above zero.")
REJECTED_SPLIT = _("What is rejected cannot be split.")


class PlainForm(forms.Form):
    """No colon after a label; a wrong field says so to a screen reader and points at its words."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""

    def full_clean(self) -> None:
        """Django's own, then the attributes of what was wrong."""
        super().full_clean()
        for name in self.errors:
            if name in self.fields:
                self.fields[name].widget.attrs["aria-invalid"] = "true"


class SignInForm(AuthenticationForm):
    """User name and password, in the reader's language."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""
        wrong = _("The user name or the password is wrong. Both distinguish capitals.")
        self.error_messages = {**self.error_messages, "invalid_login": wrong}
        for name, label, missing in (
            ("username", _("User name"), _("Enter your user name.")),
            ("password", _("Password"), _("Enter your password.")),
        ):
            self.fields[name].label = label
            self.fields[name].error_messages["required"] = missing


class OrganisationForm(PlainForm):
    """A new organisation."""

    name = forms.CharField(
        label=_("Legal name"),
        max_length=200,
        help_text=_("As in the register of companies, or as people know it."),
        error_messages={"required": _("Enter the name of the organisation.")},
    )
    country = forms.CharField(
        label=_("Country"),
        required=False,
        max_length=2,
        min_length=2,
        help_text=_("Two letters, such as IT or PT."),
        widget=forms.TextInput(attrs={"class": "narrow", "autocomplete": "country"}),
        error_messages={
            "min_length": _("Write the country in two letters."),
            "max_length": _("Write the country in two letters."),
        },
    )

    def clean_country(self) -> str:
        """Two letters, in capitals."""
        country = str(self.cleaned_data["country"])
        if country and not (country.isascii() and country.isalpha()):
            raise forms.ValidationError(TWO_LETTERS)
        return country.upper()


class ApplicationForm(PlainForm):
    """An application; the limits are those of `ApplicationRequest`."""

    organisation = forms.ChoiceField(
        label=_("Organisation"),
        help_text=_("The time is granted to it, and all its members may use it."),
        error_messages={"invalid_choice": _("Choose one of your organisations.")},
    )
    project = forms.RegexField(
        label=_("Project name"),
        regex=r"^[a-z0-9][a-z0-9-]{0,62}\Z",
        max_length=NAME_LENGTH,
        help_text=_(
            "Small letters, digits and hyphens, such as norme-chiare. The project.yaml file uses the same name."
        ),
        error_messages={
            "required": _("Enter a name for the project."),
            "invalid": _("Use small letters, digits and hyphens only, and begin with a letter or a digit."),
        },
    )
    purpose = forms.CharField(
        label=_("What is it for?"),
        min_length=10,
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 5}),
        help_text=_("One or two sentences that a stranger understands. They go into the documentation of the model."),
        error_messages={
            "required": _("Say what the model is for."),
            "min_length": _("Say a little more: at least ten characters."),
        },
    )
    sector = forms.CharField(
        label=_("Sector (optional)"),
        required=False,
        max_length=200,
        help_text=_("Such as health, manufacturing or public administration."),
    )
    access_mode = forms.ChoiceField(
        label=_("Access mode"),
        initial=ApplicationRequest.model_fields["access_mode"].default,
        error_messages={"invalid_choice": _("Choose one of the access modes.")},
        help_text=_("Each mode has its own limit and its own way to decide."),
    )
    gpu_hours = forms.FloatField(
        label=_("GPU-hours"),
        min_value=0.0001,
        max_value=MAX_GPU_HOURS,
        localize=True,
        help_text=_("One accelerator for one hour. A machine without GPU counts as one accelerator."),
        widget=forms.TextInput(attrs={"class": "narrow", "inputmode": "decimal"}),
        error_messages={
            "required": _("Enter how many GPU-hours you need."),
            "invalid": _("Enter a number."),
            "min_value": _("Ask for more than zero."),
            "max_value": _("Ask for at most ten million."),
        },
    )

    def __init__(
        self, *args: Any, organisations: Sequence[tuple[str, str]], modes: Sequence[tuple[str, str]], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        for name, choices in (("organisation", organisations), ("access_mode", modes)):
            field = self.fields[name]
            if isinstance(field, forms.ChoiceField):
                field.choices = list(choices)

    def to_request(self) -> ApplicationRequest:
        """As the API takes it."""
        return ApplicationRequest.model_validate(self.cleaned_data)


class DecisionForm(PlainForm):
    """The decision of an access officer; a grant may be split over partitions, one a line."""

    decision = forms.ChoiceField(
        label=_("Decision"),
        choices=[("grant", _("Grant the time")), ("reject", _("Reject the application"))],
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose whether to grant or to reject.")},
    )
    gpu_hours = forms.FloatField(
        label=_("GPU-hours to grant"),
        required=False,
        min_value=0.0001,
        max_value=MAX_GPU_HOURS,
        localize=True,
        help_text=_("Leave it empty to grant what was asked for."),
        widget=forms.TextInput(attrs={"class": "narrow", "inputmode": "decimal"}),
        error_messages={
            "invalid": _("Enter a number."),
            "min_value": _("Grant more than zero."),
            "max_value": _("Grant at most ten million."),
        },
    )
    split = forms.CharField(
        label=_("Split over systems (optional)"),
        required=False,
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 4, "class": "mono", "spellcheck": "false"}),
        help_text=_("One a line: site/partition, a blank, GPU-hours. The parts must add up to the grant."),
    )
    reason = forms.CharField(
        label=_("Reason"),
        min_length=3,
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 5}),
        help_text=_("The applicant reads it."),
        error_messages={
            "required": _("Give the reason."),
            "min_length": _("Give the reason in words."),
        },
    )

    def clean_split(self) -> list[GrantShare]:
        """Each line as the API takes it; a number may have the reader's decimal sign."""
        shares = []
        for number, line in enumerate(str(self.cleaned_data["split"]).splitlines(), start=1):
            words = line.split()
            if not words:
                continue
            try:
                hours = float(sanitize_separators(words[-1]))
                shares.append(GrantShare(place=" ".join(words[:-1]), gpu_hours=hours))
            except (ValueError, ValidationError) as error:
                raise forms.ValidationError(BAD_PART, params={"number": number}) from error
        if shares and self.cleaned_data.get("decision") == "reject":
            raise forms.ValidationError(REJECTED_SPLIT)
        return shares


class CallForm(PlainForm):
    """A mode, or several, as YAML."""

    text = forms.CharField(
        label=_("Mode or call, as YAML"),
        max_length=MAX_CHARS,
        widget=forms.Textarea(attrs={"rows": 30, "class": "mono", "spellcheck": "false"}),
        help_text=_("Write the day from which it holds; applications that run keep what they were made under."),
        error_messages={"required": _("Write the mode.")},
    )
