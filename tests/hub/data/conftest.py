"""Datasets as organisations publish them: real tables, received with their digest."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fucina.client.wire_data import Policy, PublishRequest, Sample
from fucina.data.description import DatasetDescription, FileInfo, Share
from fucina.data.tabular import table_info
from fucina.hub.data import publishing
from fucina.hub.data.actions import receive_blob
from fucina.hub.data.models import Dataset, DatasetVersion
from fucina.hub.people.models import Organisation, Person
from tests.data.described import curation, described
from tests.hub.conftest import NOON

TEXTS = [
    "La legge regionale disciplina gli orti urbani.",
    "Mario   Rossi chiede la concessione di un orto.",
    "The council grants a plot to every resident.",
    "Nessun orto resta incolto per più di un anno.",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """Makes and publishes datasets of an organisation."""

    folder: Path
    organisation: Organisation
    by: Person

    def tables(self, *, texts: list[str], name: str) -> tuple[DatasetDescription, dict[str, Path]]:
        """The description of real files with these documents; the last one is for validation."""
        files: dict[str, Path] = {}
        infos: list[FileInfo] = [
            FileInfo(path="leggi.jsonl", sha256="a" * 64, num_bytes=10, role="source", licence="CC-BY-4.0")
        ]
        for split, part, first in (("train", texts[:-1], 0), ("validation", texts[-1:], len(texts) - 1)):
            path = self.folder / f"{name}-{len(list(self.folder.iterdir()))}-{split}.parquet"
            ids = [f"leggi.jsonl#{first + number}" for number in range(len(part))]
            rows = {
                "id": ids,
                "text": part,
                "language": ["en" if "council" in text else "it" for text in part],
                "source": ["leggi.jsonl"] * len(part),
                "licence": ["CC-BY-4.0"] * len(part),
                "num_tokens": [len(text.split()) + 1 for text in part],
            }
            pq.write_table(pa.table(rows), path)
            sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
            infos.append(table_info(path, name=f"{split}.parquet", sha256=sha256))
            files[sha256] = path
        return self.describe(texts, name=name, files=tuple(infos)), files

    @staticmethod
    def describe(texts: list[str], *, name: str, files: tuple[FileInfo, ...]) -> DatasetDescription:
        def share(part: list[str]) -> Share:
            tokens = sum(len(text.split()) + 1 for text in part)
            return Share(num_documents=len(part), num_characters=sum(map(len, part)), num_tokens=tokens)

        english = [text for text in texts if "council" in text]
        italian = [text for text in texts if "council" not in text]
        languages = {code: share(part) for code, part in (("en", english), ("it", italian)) if part}
        numbers = curation(
            num_records=len(texts) + 3,
            num_broken=1,
            num_documents=len(texts),
            drops={"exact-duplicate": 2},
            num_exact_duplicates=2,
            num_near_duplicates=0,
            languages=languages,
            licences={"CC-BY-4.0": share(texts)},
            sources={"leggi.jsonl": share(texts)},
            train=share(texts[:-1]),
            validation=share(texts[-1:]),
        )
        return described(name=name, files=files, curation=numbers, languages=tuple(languages))

    def send(self, name: str, files: dict[str, Path]) -> None:
        for sha256, path in files.items():
            with path.open("rb") as stream:
                receive_blob(
                    organisation=self.organisation,
                    project=name,
                    sha256=sha256,
                    num_bytes=path.stat().st_size,
                    stream=stream,
                    by=self.by,
                    at=NOON,
                )

    def publish(
        self, name: str = "leggi-chiare", *, texts: list[str] | None = None, send: bool = True, at: Any = NOON,
        policy: Policy | None = None, **changes: Any,
    ) -> DatasetVersion:  # fmt: skip
        told, files = self.tables(texts=texts or TEXTS, name=name)
        if send:
            self.send(name, files)
        request = PublishRequest(
            organisation=self.organisation.ref,
            description=told.model_copy(update=changes),
            samples=(Sample(language="it", text="La legge regionale disciplina gli orti urbani."),),
            policy=policy,
        )
        return publishing.publish(request=request, by=self.by, at=at)

    def dataset(self, name: str = "leggi-chiare") -> Dataset:
        return Dataset.objects.get(organisation=self.organisation, name=name)


@pytest.fixture
def shelf(officine: Organisation, ada: Person, tmp_path: Path) -> Shelf:
    folder = tmp_path / "shelf"
    folder.mkdir()
    return Shelf(folder=folder, organisation=officine, by=ada)


FOR_ALL = Policy(listing="factory", access="request", sensitivity="internal", terms="For research only.")
OPEN = Policy(listing="public", access="open", sensitivity="public")
SECRET = Policy(listing="factory", access="request", sensitivity="sensitive")


@pytest.fixture
def altrove(dag: Person) -> Organisation:
    return Organisation.objects.get(memberships__person=dag)
