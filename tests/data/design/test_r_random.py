"""Samples without replacement are R's: `set.seed(1); sample(1:n, k)` of R 4.2.2."""

import numpy as np

from bayesmix.data.design.r_random import r_sample

OF_R = {10: [9, 4, 7, 1, 2], 3000: [1017, 679, 2177, 930, 1533, 471], 100000: [24388, 59521, 43307, 69586]}


def test_samples_are_those_of_r():
    for n, expected in OF_R.items():
        np.testing.assert_array_equal(r_sample(n, len(expected), seed=1) + 1, expected)
