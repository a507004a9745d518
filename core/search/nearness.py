"""How near a paper is to an interest in meaning, on a scale that is the same for every interest and every library.

A cosine alone says little: some papers are near to everything, as surveys of machine learning are. Encoders of this
family are trained so that exp(cosine / t) is proportional to how likely text and query belong together
(https://arxiv.org/abs/1807.03748), so a paper's cosine to an interest is compared with its cosines to two dozen
subjects of all sciences (`embedding.CENTRE_TEXTS`), which stand for whatever else it could be about:

    nearness(interest, paper) = cosine(interest, paper) - t · log mean over subjects of exp(cosine(subject, paper) / t)

Above 0 the interest tells more of the paper than its subject at large does. How the constants were found is in
docs/ranking.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.search.matrix import Matrix, Vectors

TEMPERATURE = 0.05
NEAR = 0.06
"""Below this a paper is off-topic, however few there are of that day."""
HALF_AS_NEAR = 0.5
"""And where the library holds much nearer papers, what has less than this share of their nearness is off-topic."""
NEAREST = 3
"""So many nearest are meant, on average: one odd title shall not decide."""
LOOKED_AT = 50


def subject_level(papers: Vectors, subjects: Vectors) -> Vectors:
    """Return what of each paper's nearness is owed to its subject at large.

    Args:
        papers: (n, dimensions), each of length 1.
        subjects: (m, dimensions), each of length 1.
    """
    import numpy as np  # noqa: PLC0415 - loaded with the first vectors

    cosines = papers @ subjects.T / TEMPERATURE
    highest = cosines.max(axis=1)
    level: Vectors = TEMPERATURE * (highest + np.log(np.exp(cosines - highest[:, None]).mean(axis=1)))
    return level


def least_nearness(asked: Vectors, matrix: Matrix, subjects: Vectors) -> float:
    """Return what a paper must reach to be on topic: an interest that has much nearer papers is a narrow one.

    Args:
        asked: the interest, of length 1.
        matrix: the vectors of the library.
        subjects: (m, dimensions), each of length 1.
    """
    import numpy as np  # noqa: PLC0415

    cosines = matrix.nearest(asked, LOOKED_AT)
    vectors = [matrix.vector(number) for number in cosines]
    papers = np.array([vector for vector in vectors if vector is not None], np.float32)
    if not len(papers):
        return NEAR
    papers /= np.maximum(np.linalg.norm(papers, axis=1, keepdims=True), 1e-9)
    nearest = np.sort(papers @ asked - subject_level(papers, subjects))[-NEAREST:]
    return max(NEAR, HALF_AS_NEAR * float(nearest.mean()))
