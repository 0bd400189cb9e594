"""Full text over datasets behind two functions: FTS5 in SQLite, a text search index in PostgreSQL.

Both are given the same plain words and match whole words or their beginnings, so that a hub finds the same on both.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable

from django.db import connection
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import FloatField
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
    """Those that hold a word beginning with each word that is asked for, with their `rank`, the best highest."""
    words = plain_words(asked)[:MAX_WORDS]
    if not words:
        return rows
    if connection.vendor == "sqlite":
        question = " ".join(f'"{word}"*' for word in words)
        found = "SELECT rowid FROM data_datasetwords_fts WHERE data_datasetwords_fts MATCH %s"
        rank = (
            "SELECT -bm25(data_datasetwords_fts) FROM data_datasetwords_fts "
            "WHERE data_datasetwords_fts MATCH %s AND rowid = data_datasetwords.id"
        )
    else:
        question = " & ".join(f"'{word}':*" for word in words)
        found = (
            "SELECT id FROM data_datasetwords "
            "WHERE array_to_tsvector(string_to_array(words, ' ')) @@ CAST(%s AS tsquery)"
        )
        rank = "SELECT ts_rank(array_to_tsvector(string_to_array(data_datasetwords.words, ' ')), CAST(%s AS tsquery))"
    # Both texts are constants; what was asked goes in as a parameter.
    ranked = RawSQL(rank, (question,), output_field=FloatField())  # noqa: S611
    return rows.filter(words__pk__in=RawSQL(found, (question,))).annotate(rank=ranked)  # noqa: S611


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
