"""Sampling: of documents that every other step keeps, a share by language, source, licence and quality."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fucina.data.hashing import hash64
from fucina.data.recipe import SampleRule

SAMPLED_OUT = "sampled-out"


def sampled_out(
    identifiers: Sequence[str], *, source: str, licences: Sequence[str], judged: pa.Table, rules: Sequence[SampleRule],
    seed: int,
) -> NDArray[np.bool_]:  # fmt: skip
    """Which documents of one source the first rule that fits each of them leaves out; `judged` has language and scores.

    A document's place in the draw depends on its id alone: a smaller share keeps a part of what a larger one keeps.
    """
    shares = np.ones(len(identifiers))
    open_rows = np.ones(len(identifiers), np.bool_)
    languages = np.array(judged["language"].to_pylist(), object)
    for rule in rules:
        fits = open_rows & np.array([not rule.licence or licence == rule.licence for licence in licences], np.bool_)
        if rule.language:
            fits &= languages == rule.language
        if rule.source and not fnmatchcase(source, rule.source):
            continue
        for name, (low, high) in rule.scores.items():
            values = judged[name].to_numpy()
            fits &= (values >= low) & (values <= high)
        shares[fits] = rule.share
        open_rows &= ~fits
    drawn = np.flatnonzero(shares < 1)
    out = np.zeros(len(identifiers), np.bool_)
    for row in drawn.tolist():
        out[row] = hash64("sample", seed, identifiers[row]) >= shares[row] * 2**64
    return out
