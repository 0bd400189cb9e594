"""Full text over datasets behind two functions: FTS5 in SQLite, a text search index in PostgreSQL.

Both are given the same plain words and match whole words or their beginnings, so that a hub finds the same on both.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable

from django.db import connection
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import F, FloatField
from django.db.models.expressions import RawSQL

from fucina.hub.data.models import DatasetQuerySet, DatasetWords

MAX_WORDS = 20
"""Words of a question that count; more are left out."""
_WORD = re.compile(r"[^\W_]+")


def plain_words(text: str) -> list[str]:
    """Words in small letters without accents, in order."""
    spread = unicodedata.normalize("NFKD", text.casefold())
    return _WORD.findall("".join(letter for letter in spread if not unicodedata.combining(letter)))


def keep_words(dataset_id: int, texts: Iterable[str]) -> None:
    """Let a dataset be found by these texts and nothing else."""
    words = " ".join(word for text in texts for word in plain_words(text))
    DatasetWords.objects.update_or_create(dataset_id=dataset_id, defaults={"words": words})


def matching(rows: DatasetQuerySet, asked: str) -> DatasetQuerySet:
    """Those that hold a word beginning with each word that is asked for."""
    question = _question(asked)
    if not question:
        return rows
    # Constants; what was asked goes in as a parameter.
    found = RawSQL(_FOUND[connection.vendor], (question,))  # noqa: S611
    return rows.filter(words__pk__in=found)


def best_first(rows: DatasetQuerySet, asked: str) -> DatasetQuerySet:
    """Rows that match, by how well, then the newest first; without words only the latter."""
    question = _question(asked)
    if not question:
        return rows.order_by("-changed_at", "-pk")
    rank = RawSQL(_RANK[connection.vendor], (question,), output_field=FloatField())  # noqa: S611
    return rows.annotate(word=F("words__pk"), rank=rank).order_by("-rank", "-changed_at", "-pk")


def _question(asked: str) -> str:
    """The words in the language of the database; empty when there are none."""
    words = plain_words(asked)[:MAX_WORDS]
    if connection.vendor == "sqlite":
        return " ".join(f'"{word}"*' for word in words)
    return " & ".join(f"'{word}':*" for word in words)


_FOUND = {
    "sqlite": "SELECT rowid FROM data_datasetwords_fts WHERE data_datasetwords_fts MATCH %s",
    "postgresql": "SELECT id FROM data_datasetwords "
    "WHERE array_to_tsvector(string_to_array(words, ' ')) @@ CAST(%s AS tsquery)",
}
_RANK = {
    "sqlite": "SELECT -bm25(data_datasetwords_fts) FROM data_datasetwords_fts "
    "WHERE data_datasetwords_fts MATCH %s AND rowid = data_datasetwords.id",
    "postgresql": "SELECT ts_rank(array_to_tsvector(string_to_array(data_datasetwords.words, ' ')), "
    "CAST(%s AS tsquery))",
}
_SQLITE = (
    "CREATE VIRTUAL TABLE data_datasetwords_fts USING fts5(words, content='data_datasetwords', content_rowid='id', "
    "tokenize=\"unicode61 remove_diacritics 0\", prefix='2 3')",
    "INSERT INTO data_datasetwords_fts(rowid, words) SELECT id, words FROM data_datasetwords",
    "CREATE TRIGGER data_datasetwords_ai AFTER INSERT ON data_datasetwords BEGIN "
    "INSERT INTO data_datasetwords_fts(rowid, words) VALUES (new.id, new.words); END",
    "CREATE TRIGGER data_datasetwords_ad AFTER DELETE ON data_datasetwords BEGIN "
    "INSERT INTO data_datasetwords_fts(data_datasetwords_fts, rowid, words) VALUES ('delete', old.id, old.words); END",
    "CREATE TRIGGER data_datasetwords_au AFTER UPDATE ON data_datasetwords BEGIN "
    "INSERT INTO data_datasetwords_fts(data_datasetwords_fts, rowid, words) VALUES ('delete', old.id, old.words); "
    "INSERT INTO data_datasetwords_fts(rowid, words) VALUES (new.id, new.words); END",
)
_POSTGRESQL = (
    "CREATE INDEX data_datasetwords_gin ON data_datasetwords USING gin "
    "(array_to_tsvector(string_to_array(words, ' ')))",
)


def make_index() -> tuple[Callable[..., None], Callable[..., None]]:
    """The two halves of a migration step: `RunPython(*make_index())`."""

    def forwards(_apps: object, schema_editor: BaseDatabaseSchemaEditor) -> None:
        for statement in _SQLITE if schema_editor.connection.vendor == "sqlite" else _POSTGRESQL:
            schema_editor.execute(statement, params=None)

    def backwards(_apps: object, schema_editor: BaseDatabaseSchemaEditor) -> None:
        if schema_editor.connection.vendor == "sqlite":
            for name in ("ai", "ad", "au"):
                schema_editor.execute(f"DROP TRIGGER data_datasetwords_{name}", params=None)
            schema_editor.execute("DROP TABLE data_datasetwords_fts", params=None)
        else:
            schema_editor.execute("DROP INDEX data_datasetwords_gin", params=None)

    return forwards, backwards
