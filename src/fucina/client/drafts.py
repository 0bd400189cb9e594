"""Drafts of applications, what belongs to them, and their moves."""

import hashlib
from pathlib import Path
from urllib.parse import quote

from fucina.client.door import Door
from fucina.client.wire import ApplicationInfo
from fucina.client.wire_access import (
    ApplicationDetail,
    AttachmentInfo,
    DraftSave,
    DraftStart,
    InvitationAnswer,
    InvitationRequest,
    MoveRequest,
)


class DraftCalls(Door):
    """Drafts of applications, what belongs to them, and their moves."""

    def start_draft(self, request: DraftStart) -> ApplicationDetail:
        """Begin an application."""
        return self.post(ApplicationDetail, "/drafts", request)

    def application_detail(self, ref: str) -> ApplicationDetail:
        """An application with its questions, answers, timeline and files."""
        return self.get(ApplicationDetail, f"/applications/{ref}/detail")

    def save_draft(self, ref: str, request: DraftSave) -> ApplicationDetail:
        """Keep what was typed."""
        headers = {"Content-Type": "application/json"}
        answer = self.call("PUT", f"/applications/{ref}/draft", content=request.model_dump_json(), headers=headers)
        return ApplicationDetail.model_validate_json(answer.content)

    def submit_draft(self, ref: str) -> ApplicationInfo:
        """Submit what is complete."""
        return self.post(ApplicationInfo, f"/applications/{ref}/submission")

    def move_application(self, ref: str, request: MoveRequest) -> ApplicationInfo:
        """Make one move."""
        return self.post(ApplicationInfo, f"/applications/{ref}/moves", request)

    def invite(self, ref: str, username: str) -> ApplicationDetail:
        """Ask somebody to apply as well."""
        request = InvitationRequest(username=username)
        return self.post(ApplicationDetail, f"/applications/{ref}/co-applicants", request)

    def fetch_letter(self, ref: str, target: Path) -> None:
        """The letter of the decision, as PDF."""
        self.fetch(f"/applications/{ref}/letter.pdf", target)

    def answer_invitation(self, ref: str, *, accept: bool) -> ApplicationInfo:
        """Say yes or no to an invitation."""
        return self.post(ApplicationInfo, f"/applications/{ref}/invitation", InvitationAnswer(accept=accept))

    def attach(self, ref: str, file: Path) -> AttachmentInfo:
        """Add a file to an application."""
        with file.open("rb") as source:
            sha256 = hashlib.file_digest(source, "sha256").hexdigest()
        name = quote(file.name, safe="")
        self.put_file(f"/applications/{ref}/attachments/{name}", file, sha256=sha256)
        return next(row for row in self.application_detail(ref).attachments if row.sha256 == sha256)
