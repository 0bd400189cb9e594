"""Forms of reviewing and ranking."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from fucina.access.ranking import MAX_OVERBOOKING
from fucina.hub.portal.forms import PlainForm

MAX_HOURS = 1_000_000_000


class DeclineForm(PlainForm):
    """Why somebody does not review."""

    reason = forms.CharField(
        label=_("Reason"),
        min_length=3,
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("The access desk reads it, the applicant does not."),
        error_messages={"required": _("Give the reason."), "min_length": _("Give the reason in words.")},
    )
    is_conflict = forms.BooleanField(
        label=_("I have an interest in the organisation"),
        required=False,
        help_text=_("Then you will not be asked about it again."),
    )


class RankingForm(PlainForm):
    """What a ranking is made under: GPU-hours of every partition, overbooking, the smallest share."""

    overbooking = forms.FloatField(
        label=_("Overbooking"),
        initial=1.0,
        min_value=0.01,
        max_value=MAX_OVERBOOKING,
        localize=True,
        help_text=_("1 awards what is there; 1.1 awards a tenth more, since grants are seldom used up."),
        widget=forms.TextInput(attrs={"class": "narrow", "inputmode": "decimal"}),
        error_messages={
            "required": _("Enter a number."),
            "invalid": _("Enter a number."),
            "min_value": _("Enter more than zero."),
            "max_value": _("Enter at most three."),
        },
    )

    def __init__(
        self,
        *args: Any,
        capacity: dict[str, float],
        parts_from: float | None,
        share: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.places = {f"capacity-{number}": place for number, place in enumerate(capacity)}
        for name, place in self.places.items():
            self.fields[name] = forms.FloatField(
                label=_("GPU-hours to award on %(place)s") % {"place": place},
                initial=round(capacity[place]),
                min_value=0,
                max_value=MAX_HOURS,
                localize=True,
                widget=forms.TextInput(attrs={"class": "narrow", "inputmode": "decimal"}),
                error_messages={
                    "required": _("Enter a number."),
                    "invalid": _("Enter a number."),
                    "min_value": _("Enter zero or more."),
                    "max_value": _("Enter at most a thousand million."),
                },
            )
        if parts_from is not None:
            self.fields["smallest_share"] = forms.FloatField(
                label=_("Smallest share of a wish that is awarded (optional)"),
                required=False,
                initial=share,
                min_value=parts_from,
                max_value=1,
                localize=True,
                help_text=_("Empty awards all or nothing; 0.5 awards at least half."),
                widget=forms.TextInput(attrs={"class": "narrow", "inputmode": "decimal"}),
                error_messages={
                    "invalid": _("Enter a number."),
                    "min_value": _("The access mode does not award so little."),
                    "max_value": _("Enter at most one."),
                },
            )

    @property
    def capacity_gpu_s(self) -> dict[str, int]:
        """What was typed, in GPU-seconds by place."""
        return {place: round(self.cleaned_data[name] * 3600) for name, place in self.places.items()}


class ReviewerForm(PlainForm):
    """Somebody for the pool."""

    username = forms.CharField(
        label=_("User name"), max_length=150, error_messages={"required": _("Enter a user name.")}
    )
    expertise = forms.CharField(
        label=_("Expertise"),
        max_length=2000,
        help_text=_("Fields with levels from 1 to 3, such as energy:3, health:2."),
        error_messages={"required": _("Enter a field with its level.")},
    )
    languages = forms.CharField(
        label=_("Languages"),
        initial="en",
        max_length=60,
        help_text=_("Two letters each, such as en, it."),
        widget=forms.TextInput(attrs={"class": "narrow"}),
        error_messages={"required": _("Enter a language.")},
    )
    max_reviews = forms.IntegerField(
        label=_("Reviews at the same time"),
        initial=5,
        min_value=1,
        max_value=200,
        widget=forms.TextInput(attrs={"class": "narrow", "inputmode": "numeric"}),
        error_messages={
            "required": _("Enter a number."),
            "invalid": _("Enter a number."),
            "min_value": _("Enter more than zero."),
            "max_value": _("Enter at most two hundred."),
        },
    )
    affiliation = forms.CharField(label=_("Works at (optional)"), required=False, max_length=200)

    def clean_expertise(self) -> dict[str, int]:
        """Level by field."""
        known = {}
        for part in str(self.cleaned_data["expertise"]).split(","):
            name, colon, level = part.strip().rpartition(":")
            if not colon or level.strip() not in {"1", "2", "3"} or not name.strip():
                raise forms.ValidationError(_("Write fields with levels from 1 to 3, such as energy:3, health:2."))
            known[name.strip()] = int(level)
        return known

    def clean_languages(self) -> list[str]:
        """Two letters each."""
        names = [name.strip() for name in str(self.cleaned_data["languages"]).split(",") if name.strip()]
        if not names or any(not (len(name) == 2 and name.isascii() and name.isalpha()) for name in names):
            raise forms.ValidationError(_("Write each language in two letters."))
        return names
