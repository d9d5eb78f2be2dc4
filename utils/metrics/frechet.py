"""The Frechet distance of two sets of features, by which FID compares sets of images.

Heusel et al. 2017, "GANs Trained by a Two Time-Scale Update Rule Converge to a Local
Nash Equilibrium", equation 6; covariances divide by one less than the number of images,
as in mseitzer/pytorch-fid.
"""

import numpy as np

from realesrgan_paddle.utils.errors import UserError

FULL_RANK = 2048
"""Images from which on FID is trustworthy: as many as there are features.

With fewer, covariances are singular and FID is far too high (the authors' repository,
bioinf-jku/TTUR, which recommends 10,000; the bias falls with one over their number:
Chong and Forsyth 2020, "Effectively Unbiased FID and Inception Score").
"""


class FeatureStatistics:
    """Mean and covariance of features that come batch by batch.

    It keeps sums, so its memory does not grow with their number: 34 MB for 2,048
    features.

    Args:
        features: numbers that describe one image.

    Attributes:
        count: images so far.
    """

    def __init__(self, features: int) -> None:
        self.count = 0
        self._sum = np.zeros(features)
        self._products = np.zeros((features, features))

    def add(self, features: np.ndarray) -> None:
        """Take the features (N, features) of N images."""
        batch = features.astype(np.float64)
        self.count += len(batch)
        self._sum += batch.sum(0)
        self._products += batch.T @ batch

    @property
    def mean(self) -> np.ndarray:
        """(features,), float64.

        Raises:
            UserError: there are fewer than two images.
        """
        if self.count < 2:
            raise UserError(
                f"FID needs at least two images in each set, not {self.count}"
            )
        return self._sum / self.count

    @property
    def covariance(self) -> np.ndarray:
        """(features, features), float64.

        Raises:
            UserError: there are fewer than two images.
        """
        mean = self.mean
        scatter = self._products - self.count * np.outer(mean, mean)
        return scatter / (self.count - 1)


def frechet_distance(first: FeatureStatistics, second: FeatureStatistics) -> float:
    """Return |m1 - m2|^2 + trace(C1 + C2 - 2 (C1 C2)^(1/2)); 0 for equal sets.

    Raises:
        UserError: a set has fewer than two images.
    """
    difference = first.mean - second.mean
    covariances = first.covariance, second.covariance
    traces = sum(np.trace(covariance) for covariance in covariances)
    distance = difference @ difference + traces - 2 * _root_trace(*covariances)
    return float(distance)


def _root_trace(first: np.ndarray, second: np.ndarray) -> float:
    """Return the trace of (first second)^(1/2).

    It is the sum of the singular values of A B, where A and B are the roots of the two.
    So it is real and finite for singular covariances too, unlike the root of their
    product, to which pytorch-fid adds 1e-6 then.
    """
    one, other = _root(first), _root(second)
    singular = np.linalg.svd(one @ other.T, compute_uv=False)
    return singular.sum()


def _root(covariance: np.ndarray) -> np.ndarray:
    """Return a matrix R whose R^T R is the covariance, a row for each of its rank."""
    variances, directions = np.linalg.eigh(covariance)
    # As NumPy's matrix_rank: what is smaller is rounding, and may be negative.
    rounding = np.finfo(np.float64).eps
    noise = variances[-1] * len(variances) * rounding
    kept = variances > noise
    deviations = np.sqrt(variances[kept])
    rows = directions[:, kept].T
    return deviations[:, None] * rows


def few_images(count: int) -> str | None:
    """Return what to say beside the FID of `count` images, or None for nothing."""
    if count >= FULL_RANK:
        return None
    return (
        f"FID of {count:,} images: below {FULL_RANK:,} it is far too high; compare it "
        "only with that of as many images of the same kind"
    )
