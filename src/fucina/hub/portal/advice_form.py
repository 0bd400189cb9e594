"""The adviser's questions as a form; its answers stand in the address."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from babel import Locale
from django import forms
from django.forms import BoundField
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from fucina.access.intake import Experience, Goal, Intake, Residency, Sensitivity, Who, read_intake
from fucina.access.places import country_names
from fucina.errors import BadInput
from fucina.hub.portal.forms import PlainForm
from fucina.units import parse_count

COMPANY = ("people", "turnover_eur", "balance_eur")
BEFORE = ("people_before", "turnover_before", "balance_before")
OWNER = ("owner_people", "owner_turnover", "owner_balance")
PLAIN = ("who", "country", "goal", "experience", "sensitivity", "residency", "vendor", "sector", "purpose", "project")
IF_GIVEN = ("text_gb", "gpu_hours", "months", "needed_by", "founded_on")

WHO = [
    (Who.COMPANY, _("A company, of any size")),
    (Who.UNIVERSITY, _("A university")),
    (Who.RESEARCH, _("A research institute")),
    (Who.PUBLIC, _("A public body")),
    (Who.PERSON, _("A private person")),
]
GOALS = [
    (Goal.UNSURE, _("Solve a problem; I do not know yet whether AI helps")),
    (Goal.LEARN, _("Try a large machine for the first time")),
    (Goal.CLASSIC, _("Predict from tables, sensors or some thousand pictures")),
    (Goal.USE, _("Let an existing language model read or answer")),
    (Goal.FINE_TUNE, _("Teach an existing language model my field")),
    (Goal.CONTINUE, _("Train an existing language model further, all of it")),
    (Goal.PRETRAIN, _("Train a language model from the beginning")),
    (Goal.SCALING, _("Measure how my code scales before a larger request")),
    (Goal.PROVE, _("Test a finished product in real conditions")),
]
EXPERIENCE = [
    (Experience.NONE, _("Never used one")),
    (Experience.SOME, _("Used one now and then")),
    (Experience.PRACTISED, _("Use them regularly")),
]
SENSITIVITY = [
    (Sensitivity.PUBLIC, _("Public")),
    (Sensitivity.INTERNAL, _("Internal or confidential, no personal data")),
    (Sensitivity.PERSONAL, _("With personal data")),
    (Sensitivity.SPECIAL, _("With health data or other special categories")),
]
RESIDENCY = [
    (Residency.EUROPE, _("Anywhere in the network")),
    (Residency.COUNTRY, _("Only in my own country")),
]
VENDORS = [("any", _("Any, or I do not know")), ("NVIDIA", _("NVIDIA only")), ("AMD", _("AMD only"))]
NOT_A_NUMBER = _("Enter a number.")


class Group(NamedTuple):
    """Questions that belong together."""

    title: str | Promise
    help_text: str | Promise
    fields: tuple[BoundField, ...]
    folded: bool


def _choice(
    label: Any, choices: Sequence[tuple[str, Any]], help_text: Any = "", *, required: bool = True
) -> forms.ChoiceField:
    wrong = {"required": _("Choose one."), "invalid_choice": _("Choose one of the list.")}
    return forms.ChoiceField(label=label, choices=choices, help_text=help_text, error_messages=wrong, required=required)


def _figure(label: Any, help_text: Any = "", *, most: float = 1e13) -> forms.FloatField:
    return forms.FloatField(
        label=label,
        help_text=help_text,
        required=False,
        min_value=0,
        max_value=most,
        localize=True,
        widget=forms.TextInput(attrs={"class": "narrow", "inputmode": "decimal"}),
        error_messages={
            "invalid": NOT_A_NUMBER,
            "min_value": _("It cannot be negative."),
            "max_value": _("Too large."),
        },
    )


def _day(label: Any, help_text: Any = "") -> forms.DateField:
    wrong = {"invalid": _("Enter a date.")}
    widget = forms.DateInput(attrs={"type": "date", "class": "narrow"}, format="%Y-%m-%d")
    return forms.DateField(label=label, help_text=help_text, required=False, error_messages=wrong, widget=widget)


class AdviceForm(PlainForm):
    """The questions."""

    who = _choice(_("Who are you?"), WHO)
    country = _choice(_("Where is the organisation established?"), [], _("The seat counts, not your nationality."))
    goal = _choice(_("What do you want to do?"), GOALS)
    has_data = _choice(
        _("Are the data there, and may you use them?"),
        [("yes", _("Yes")), ("no", _("Not yet"))],
    )
    sensitivity = _choice(_("What kind of data?"), SENSITIVITY)
    residency = _choice(_("Where may the data go?"), RESIDENCY)
    experience = _choice(_("Do you know supercomputers?"), EXPERIENCE)
    needed_by = _day(_("When should the time be there? (optional)"))

    people = _figure(_("People in the company"), _("Full-time jobs over the year; part-time counts in part."), most=1e7)
    turnover_eur = _figure(_("Turnover, EUR a year"))
    balance_eur = _figure(_("Balance sheet total, EUR"))
    founded_on = _day(_("Founded on"))
    people_before = _figure(_("People, the year before"), most=1e7)
    turnover_before = _figure(_("Turnover, the year before, EUR"))
    balance_before = _figure(_("Balance sheet total, the year before, EUR"))
    public_share = _figure(_("Held by public bodies, %"), most=100)
    owner_share = _figure(
        _("Largest share held by another firm, %"), _("Or the largest share that you hold in one."), most=100
    )
    owner_people = _figure(_("People in that firm"), most=1e7)
    owner_turnover = _figure(_("Turnover of that firm, EUR"))
    owner_balance = _figure(_("Balance sheet total of that firm, EUR"))
    eu_project = forms.BooleanField(
        label=_("Part of a project paid by Horizon Europe or Digital Europe"), required=False
    )
    military = forms.BooleanField(label=_("For military use"), required=False)

    parameters = forms.CharField(
        label=_("Size of the model, in parameters"),
        required=False,
        max_length=20,
        help_text=_("Such as 8B or 70B."),
        widget=forms.TextInput(attrs={"class": "narrow"}),
    )
    text_gb = _figure(_("Text to train on or to read, GB"), _("Plain text, without pictures and layout."), most=1e7)
    gpu_hours = _figure(_("GPU-hours, if you know them already"), most=1e9)
    months = forms.IntegerField(
        label=_("For how many months"),
        required=False,
        min_value=1,
        max_value=60,
        widget=forms.TextInput(attrs={"class": "narrow", "inputmode": "numeric"}),
        error_messages={
            "invalid": NOT_A_NUMBER,
            "min_value": _("At least one month."),
            "max_value": _("At most five years."),
        },
    )
    vendor = _choice(_("Accelerators that your software needs"), VENDORS, required=False)
    sector = forms.CharField(label=_("Sector"), required=False, max_length=200)
    project = forms.RegexField(
        label=_("Project name"),
        required=False,
        regex=r"^[a-z0-9][a-z0-9-]{0,62}\Z",
        max_length=63,
        help_text=_("Small letters, digits and hyphens, for the application."),
        error_messages={
            "invalid": _("Use small letters, digits and hyphens only, and begin with a letter or a digit.")
        },
    )
    purpose = forms.CharField(
        label=_("In a sentence: what is it for?"),
        required=False,
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 3}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = Locale.parse((get_language() or "en")[:2]).territories
        countries = [(code, names.get(code, english)) for code, english in country_names().items()]
        country = self.fields["country"]
        if isinstance(country, forms.ChoiceField):
            country.choices = [("", "—"), *sorted(countries, key=lambda pair: pair[1])]
        self.intake: Intake | None = None

    @property
    def groups(self) -> tuple[Group, ...]:
        """The questions in the order in which they are asked."""
        first = ("who", "country", "goal", "has_data", "sensitivity", "residency", "experience", "needed_by")
        size = (*COMPANY, "founded_on", *BEFORE, "public_share", "owner_share", *OWNER, "eu_project", "military")
        known = ("parameters", "text_gb", "gpu_hours", "months", "vendor", "sector", "project", "purpose")
        return (
            self._group("", "", first),
            self._group(
                _("For companies: size and owners"),
                _("Whether you are an SME decides what it costs. Figures of the last closed year."),
                size,
            ),
            self._group(_("If you know more"), _("Leave empty what you do not know."), known),
        )

    def _group(self, title: str | Promise, help_text: str | Promise, names: tuple[str, ...]) -> Group:
        given = any(self[name].value() not in (None, "", False, "any") for name in names)
        return Group(title, help_text, tuple(self[name] for name in names), bool(title) and not given)

    def clean_vendor(self) -> str:
        """Any where nothing was said."""
        return self.cleaned_data["vendor"] or "any"

    def clean_parameters(self) -> int | None:
        """A count such as 8B."""
        text = str(self.cleaned_data["parameters"]).strip()
        try:
            return parse_count(text) if text else None
        except BadInput as error:
            raise forms.ValidationError(_("Write a number such as 8B or 700M.")) from error

    def clean(self) -> dict[str, Any]:
        """The answers together, as the adviser takes them."""
        if not self.errors:
            self._check_years()
        if not self.errors:
            try:
                self.intake = read_intake(self._answers())
            except BadInput as error:
                raise forms.ValidationError(error.message) from error
        return self.cleaned_data

    def _check_years(self) -> None:
        missing = _("Give people, turnover and balance sheet total together, or leave all three empty.")
        for names in (COMPANY, BEFORE, OWNER):
            given = [self.cleaned_data[name] is not None for name in names]
            if any(given) and not all(given):
                self.add_error(names[given.index(False)], missing)
        if self.cleaned_data["owner_share"] and self.cleaned_data["owner_people"] is None:
            self.add_error("owner_people", missing)

    def _answers(self) -> dict[str, Any]:
        data = self.cleaned_data
        answers: dict[str, Any] = {name: data[name] for name in PLAIN}
        answers |= {name: data[name] for name in IF_GIVEN if data[name] not in (None, 0)}
        answers |= {
            "language": "it" if (get_language() or "en").startswith("it") else "en",
            "has_data": data["has_data"] == "yes",
            "eu_project": data["eu_project"],
            "civilian": not data["military"],
            "parameters": data["parameters"],
            "public_share": (data["public_share"] or 0) / 100,
            "periods": self._periods(),
        }
        if data["owner_share"]:
            theirs = self._period(OWNER, year=self._year())
            name = str(_("The other firm"))
            answers["relations"] = [{"name": name, "share": data["owner_share"] / 100, "periods": [theirs]}]
        return answers

    def _periods(self) -> list[dict[str, Any]]:
        years = ((BEFORE, self._year() - 1), (COMPANY, self._year()))
        return [self._period(names, year=year) for names, year in years if self.cleaned_data[names[0]] is not None]

    def _period(self, names: tuple[str, ...], *, year: int) -> dict[str, Any]:
        people, turnover, balance = (self.cleaned_data[name] for name in names)
        return {"year": year, "people": people, "turnover_eur": turnover, "balance_eur": balance}

    def _year(self) -> int:
        """The last closed year; of a company of this year, this one, with an estimate."""
        this_year = timezone.now().year
        founded = self.cleaned_data["founded_on"]
        return this_year if founded is not None and founded.year >= this_year else this_year - 1
