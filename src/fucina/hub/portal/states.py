"""Every state a page may show: its word, its shape, its colour. The one table behind `{% state %}`."""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How a state looks; the shape alone tells states of different meaning apart."""

    word: str | Promise
    shape: str
    colour: str


SHAPES: dict[str, str] = {
    "ring": "M8 3a5 5 0 1 0 0 10A5 5 0 0 0 8 3Zm0-2a7 7 0 1 1 0 14A7 7 0 0 1 8 1Z",
    "clock": "M8 1a7 7 0 1 1 0 14A7 7 0 0 1 8 1Zm0 2a5 5 0 1 0 0 10A5 5 0 0 0 8 3Zm1 1.5v3.1l2 2-1.4 1.4L7 8.4V4.5Z",
    "play": "M8 1a7 7 0 1 1 0 14A7 7 0 0 1 8 1ZM6.3 4.6v6.8L11.6 8Z",
    "check": "M8 1a7 7 0 1 1 0 14A7 7 0 0 1 8 1Zm3.3 3.6L7 8.9 4.9 6.8 3.5 8.2 7 11.7l5.7-5.7Z",
    "cross": "M5 1h6l4 4v6l-4 4H5L1 11V5Z"
    "M5.9 4.5 4.5 5.9 6.6 8l-2.1 2.1 1.4 1.4L8 9.4l2.1 2.1 1.4-1.4L9.4 8l2.1-2.1-1.4-1.4L8 6.6Z",
    "bar": "M8 1a7 7 0 1 1 0 14A7 7 0 0 1 8 1ZM4 7v2h8V7Z",
    "triangle": "M8 1 15.5 14.5H.5ZM7 5.5v4.3h2V5.5Zm0 5.3v2h2v-2Z",
    "diamond": "M8 .5 15.5 8 8 15.5.5 8ZM7 4v5h2V4Zm0 6v2h2v-2Z",
    "dot": "M8 5a3 3 0 1 1 0 6 3 3 0 0 1 0-6Z",
}
"""Paths on a grid of 16, filled by the even-odd rule."""

LOOKS: dict[str, Look] = {
    # jobs and runs
    "blocked": Look(word=_("Waits for the stage before"), shape="ring", colour="quiet"),
    "queued": Look(word=_("Queued"), shape="clock", colour="quiet"),
    "claimed": Look(word=_("Starting"), shape="clock", colour="live"),
    "running": Look(word=_("Running"), shape="play", colour="live"),
    "succeeded": Look(word=_("Succeeded"), shape="check", colour="good"),
    "failed": Look(word=_("Failed"), shape="cross", colour="bad"),
    "timed_out": Look(word=_("Ran out of time"), shape="cross", colour="bad"),
    "cancelled": Look(word=_("Cancelled"), shape="bar", colour="quiet"),
    "unknown": Look(word=_("Unknown"), shape="diamond", colour="warn"),
    # applications
    "submitted": Look(word=_("Waits for a decision"), shape="clock", colour="live"),
    "draft": Look(word=_("Draft"), shape="ring", colour="quiet"),
    "returned": Look(word=_("To be completed"), shape="triangle", colour="warn"),
    "assessment": Look(word=_("In technical assessment"), shape="clock", colour="live"),
    "review": Look(word=_("With the reviewers"), shape="clock", colour="live"),
    "reply": Look(word=_("Waits for a reply"), shape="triangle", colour="warn"),
    "panel": Look(word=_("Before the panel"), shape="clock", colour="live"),
    "deciding": Look(word=_("Ready for a decision"), shape="clock", colour="live"),
    "appealed": Look(word=_("Appealed"), shape="diamond", colour="warn"),
    "granted": Look(word=_("Granted"), shape="check", colour="good"),
    "rejected": Look(word=_("Rejected"), shape="cross", colour="bad"),
    "withdrawn": Look(word=_("Withdrawn"), shape="bar", colour="quiet"),
    "call_open": Look(word=_("Open now"), shape="check", colour="good"),
    "call_closed": Look(word=_("Closed"), shape="bar", colour="quiet"),
    # reviews and rankings
    "assigned": Look(word=_("To be written"), shape="clock", colour="live"),
    "review-submitted": Look(word=_("Submitted"), shape="check", colour="good"),
    "declined": Look(word=_("Declined"), shape="bar", colour="quiet"),
    "late": Look(word=_("Late"), shape="triangle", colour="warn"),
    "awarded": Look(word=_("Awarded"), shape="check", colour="good"),
    "partly-awarded": Look(word=_("Awarded in part"), shape="dot", colour="good"),
    "below-threshold": Look(word=_("Below a threshold"), shape="cross", colour="bad"),
    "no-room": Look(word=_("No room"), shape="bar", colour="warn"),
    "proposal": Look(word=_("Proposal"), shape="ring", colour="quiet"),
    "confirmed": Look(word=_("Confirmed"), shape="check", colour="good"),
    # findings, gates, releases
    "passed": Look(word=_("Passed"), shape="check", colour="good"),
    "not_passed": Look(word=_("Not passed"), shape="cross", colour="bad"),
    "verified": Look(word=_("Verified"), shape="check", colour="good"),
    "not_verified": Look(word=_("Not verified"), shape="triangle", colour="warn"),
    # data
    "met": Look(word=_("Shown"), shape="check", colour="good"),
    "unmet": Look(word=_("Missing"), shape="triangle", colour="warn"),
    "standing": Look(word=_("Given"), shape="check", colour="good"),
    "current": Look(word=_("Newest"), shape="dot", colour="live"),
    "revoked": Look(word=_("Ended early"), shape="bar", colour="quiet"),
    # advice
    "possible": Look(word=_("Possible"), shape="check", colour="good"),
    "to_ask": Look(word=_("To be asked"), shape="triangle", colour="warn"),
    "not_possible": Look(word=_("Not possible"), shape="cross", colour="bad"),
    # items of the dossier
    "evidenced": Look(word=_("Shown by a record"), shape="check", colour="good"),
    "declared": Look(word=_("Declared by a person"), shape="dot", colour="quiet"),
    "open": Look(word=_("Open question"), shape="triangle", colour="warn"),
    # services and machines of the network
    "operational": Look(word=_("In operation"), shape="check", colour="good"),
    "starting": Look(word=_("Starting up"), shape="play", colour="live"),
    "deploying": Look(word=_("Being installed"), shape="play", colour="live"),
    "contract-signed": Look(word=_("Contract signed"), shape="clock", colour="live"),
    "tender-closed": Look(word=_("Tender closed"), shape="clock", colour="quiet"),
    "tender-open": Look(word=_("Tender open"), shape="clock", colour="quiet"),
    "selected": Look(word=_("Selected"), shape="dot", colour="quiet"),
    "planned": Look(word=_("Planned"), shape="ring", colour="quiet"),
}


def look(state: str) -> Look:
    """How a state looks; one without an entry keeps its own word and looks like UNKNOWN."""
    known = LOOKS.get(str(state))
    return known or Look(word=str(state).replace("_", " "), shape="diamond", colour="warn")


STAGES: dict[str, tuple[str | Promise, str | Promise]] = {
    "prepare": (_("Prepare"), _("Clean the documents and cut them into tokens")),
    "train": (_("Train"), _("Train the model")),
    "evaluate": (_("Evaluate"), _("Measure the model and hold it against the gates")),
    "document": (_("Document"), _("Write the model card, the data card and the dossier")),
    "release": (_("Release"), _("Seal and sign everything as one folder")),
}
"""Name and purpose of each stage."""

UNITS: dict[str, str | Promise] = {
    "tokens": _("tokens"),
    "documents": _("documents"),
    "files": _("files"),
    "parts": _("parts"),
    "passages": _("passages"),
    "continuations": _("continuations"),
    "languages": _("languages"),
    "planted values": _("planted values"),
}
"""What stages count."""

LEDGER_KINDS: dict[str, str | Promise] = {
    "grant": _("Grant"),
    "hold": _("Hold"),
    "settle": _("Hold given back"),
    "use": _("Use"),
    "refund": _("Refund"),
    "expiry": _("Expiry"),
    "change": _("Change of the grant"),
    "correction": _("Correction"),
}

ROLES: dict[str, str | Promise] = {"owner": _("Owner"), "member": _("Member")}
