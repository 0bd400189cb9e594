"""Whether a run could begin at all, told before it is submitted."""

from collections import Counter
from pathlib import Path

from fucina.data.ingest import locate, ordered_sources, read_source
from fucina.data.judge import MIN_SURVIVORS, judge_text, raise_unless_enough
from fucina.data.language import check_languages
from fucina.data.recipe import PrepareRecipe
from fucina.data.tokens import load_tokenizer


def preflight(recipe: PrepareRecipe, *, workdir: Path) -> None:
    """Read until two documents pass length, language and quality; cheap unless nothing does.

    Raises NothingSurvives, SourceMissing, UnknownLanguage, BadTokenizer.
    """
    check_languages(recipe.languages)
    if recipe.tokenizer:
        load_tokenizer(workdir / recipe.tokenizer)
    sources = ordered_sources(recipe)
    for source in sources:
        locate(source, workdir=workdir)
    reasons: Counter[str] = Counter()
    texts: set[str] = set()
    for source in sources:
        for record in read_source(source, workdir=workdir):
            if record.text is None:
                reasons[record.broken] += 1
                continue
            reason = judge_text(record.text, recipe=recipe)
            if not reason and record.text in texts:
                reason = "exact-duplicate"
            reasons[reason] += 1
            if not reason:
                texts.add(record.text)
                if len(texts) >= MIN_SURVIVORS:
                    return
    raise_unless_enough(len(texts), reasons=reasons, recipe=recipe)
