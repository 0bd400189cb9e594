"""Changing facts of the catalogue; staff only."""

from dataclasses import dataclass
from typing import Any, get_args

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods
from pydantic import JsonValue

from fucina.errors import FactoryError, NotAllowed
from fucina.hub.network.catalogue_actions import NotCatalogueStaff, change_facts
from fucina.hub.network.catalogue_read import standing
from fucina.hub.portal.door import SignedIn, page, signed_in
from fucina.hub.portal.forms import PlainForm
from fucina.hub.portal.network_facts import HIDDEN, LABELS
from fucina.network.catalogue import Sourced

TEXT = 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class EditPage:
    """The form of a record."""

    kind: str
    record: Sourced
    form: forms.Form


class FactsForm(PlainForm):
    """The facts of a record: a line each, lists with a line an item; empty is unknown."""

    stamp = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, record: Sourced, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lists: set[str] = set()
        plain = record.model_dump(mode="json")
        for field in editable(record):
            value = plain[field]
            is_list = _is_list(record, field)
            rows = {"rows": 3} if is_list or field in {"note", "what"} else {}
            self.fields[field] = forms.CharField(
                label=str(LABELS[field]),
                required=False,
                max_length=TEXT,
                initial="\n".join(value) if is_list else "" if value is None else str(value),
                widget=forms.Textarea(attrs=rows) if rows else forms.TextInput(),
                help_text=_("One item a line.") if is_list else "",
            )
            if is_list:
                self.lists.add(field)

    def values(self) -> dict[str, JsonValue]:
        """What was changed in the form; empty is unknown."""
        found: dict[str, JsonValue] = {}
        for field in self.changed_data:
            if field == "stamp":
                continue
            text = str(self.cleaned_data[field])
            items: list[JsonValue] = [line.strip() for line in text.splitlines() if line.strip()]
            found[field] = items if field in self.lists else text or None
        return found


def _is_list(record: Sourced, field: str) -> bool:
    return type(record).model_fields[field].annotation == tuple[str, ...]


def editable(record: Sourced) -> list[str]:
    """Fields that a line or a list of lines can hold."""
    plain = record.model_dump(mode="json")
    found = []
    for field, info in type(record).model_fields.items():
        kinds = get_args(info.annotation) or (info.annotation,)
        is_line = bool not in kinds and not isinstance(plain[field], list | dict)
        if field in LABELS and field not in HIDDEN and (is_line or _is_list(record, field)):
            found.append(field)
    return found


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def edit(request: SignedIn, kind: str, key: str) -> HttpResponse:
    """Change facts of a record; what is set here wins over the shipped catalogue."""
    if not request.user.is_staff:
        raise NotCatalogueStaff("Only staff change the catalogue.", hint="Tell an officer what is wrong.")
    found = standing()
    row = found.find(kind, key)
    form = FactsForm(request.POST or None, record=row, initial={"stamp": found.stamp})
    status = 200
    if request.method == "POST" and form.is_valid():
        try:
            change_facts(
                kind=kind,
                key=key,
                values=form.values(),
                by=request.user,
                at=timezone.now(),
                stamp=form.cleaned_data["stamp"],
            )
        except NotAllowed:
            raise
        except FactoryError as error:
            form.add_error(None, f"{error.message} {error.hint}".strip())
            status = 422
        else:
            messages.success(request, _("The changes are kept."))
            return redirect("portal:network-record", kind=kind, key=key)
    return page(
        request, "portal/network_edit.html", EditPage(kind=kind, record=row, form=form), place="network", status=status
    )
