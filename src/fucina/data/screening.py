"""The recipe's own reasons to drop a document: words on its list, quotations of its test sets, personal data."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from numpy.typing import NDArray

from fucina.data.ingest import locate, read_source, verify
from fucina.data.language import UNKNOWN
from fucina.data.personal import find_batch
from fucina.data.quality import measure
from fucina.data.recipe import PersonalData, PrepareRecipe, SourceFile
from fucina.data.screen import BLOCKED_WORDS, CONTAMINATED, PERSONAL, TestSet, WordList, make_test_set, read_word_list
from fucina.data.shards import Texts, join_texts
from fucina.data.words import Hashes


@dataclass(frozen=True, slots=True, kw_only=True)
class Screening:
    """What documents are held against; nothing by default."""

    word_list: WordList | None = None
    test_set: TestSet | None = None
    drop_with: frozenset[PersonalData] = frozenset()

    def screen(self, texts: Texts, *, hashes: Hashes, bounds: NDArray, reasons: Sequence[str]) -> list[str]:
        """The reasons, with those of this screening where there was none; `bounds` as in `Words`."""
        screened = list(reasons)
        standing = [row for row, reason in enumerate(reasons) if not reason]
        if self.test_set is not None:
            for row, quoted in enumerate(self.test_set.quoted_in(hashes, bounds)):
                if quoted and not screened[row]:
                    screened[row] = CONTAMINATED
        if self.word_list is not None:
            for row in standing:
                if self.word_list.blocks(texts.bytes_of(row).decode()):
                    screened[row] = screened[row] or BLOCKED_WORDS
        if self.drop_with:
            found = find_batch([texts.bytes_of(row) for row in standing])
            for row, findings in zip(standing, found, strict=True):
                if any(finding.kind in self.drop_with for finding in findings):
                    screened[row] = screened[row] or PERSONAL
        return screened


def load_screening(recipe: PrepareRecipe, *, workdir: Path) -> Screening:
    """Read the list and the test sets that a recipe names.

    Raises SourceMissing, SourceChanged, BadWordList.
    """
    word_list = None
    if recipe.blocked_words is not None:
        verify(recipe.blocked_words, workdir=workdir)
        path = locate(recipe.blocked_words, workdir=workdir)
        word_list = read_word_list(path, max_share=recipe.max_blocked_share)
    test_set = None
    if recipe.test_sets:
        for source in recipe.test_sets:
            verify(source, workdir=workdir)
        hashes = [_words_of(source, workdir=workdir) for source in recipe.test_sets]
        test_set = make_test_set([each for documents in hashes for each in documents], length=recipe.test_set_words)
    return Screening(word_list=word_list, test_set=test_set, drop_with=frozenset(recipe.drop_with))


def _words_of(source: SourceFile, *, workdir: Path) -> list[Hashes]:
    records = read_source(source, workdir=workdir)
    texts = join_texts([record.text.encode() for record in records if record.text is not None])
    measured = measure(texts.data, texts.offsets, [UNKNOWN] * (texts.offsets.size - 1))
    bounds = measured.bounds.tolist()
    return [measured.hashes[first:last] for first, last in zip(bounds[:-1], bounds[1:], strict=True)]
