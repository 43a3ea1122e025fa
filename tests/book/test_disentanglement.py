"""Scores of disentanglement against cases worked out by hand, and what they must not depend on."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genimg.book import disentanglement as dis


def known(n=4000, k=4, seed=0):
    return np.random.default_rng(seed).uniform(size=(n, k))


def rotated(codes):
    """Turned so that every latent is an equal mixture of all factors (a Hadamard matrix)."""
    return codes @ np.array([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]]) / 2


def noise(n=4000, d=4, seed=2):
    return np.random.default_rng(seed).normal(size=(n, d))


def groups(code, votes=400, length=32, k=4, seed=3):
    """Codes of groups in which one factor is held fixed."""
    generator = np.random.default_rng(seed)
    fixed = generator.integers(0, k, votes)
    factors = generator.uniform(size=(votes, length, k))
    for i, j in enumerate(fixed):
        factors[i, :, j] = factors[i, 0, j]
    return code(factors.reshape(-1, k)).reshape(votes, length, -1), fixed


def test_information_of_a_small_table():
    # the first latent is the factor, the second is its lowest bit, the third knows nothing of it
    factor = np.array([0, 1, 2, 3] * 6)
    codes = np.stack([factor, factor % 2, np.repeat([0, 1], 12)], 1)
    found = dis.information(codes, factor[:, None])[:, 0]
    assert found == pytest.approx([np.log(4), np.log(2), 0], abs=1e-12)
    assert dis.entropies(factor[:, None]) == pytest.approx([np.log(4)])


def test_gap_of_a_small_table():
    factor = np.array([0, 1, 2, 3] * 6)
    codes = np.stack([factor, factor % 2], 1)
    assert dis.mig(codes, factor[:, None], bins=4) == pytest.approx([(np.log(4) - np.log(2)) / np.log(4)])


def test_bins_hold_equally_many():
    values = np.stack([np.random.default_rng(0).normal(size=1000) ** 3, np.zeros(1000)], 1)
    found = dis.binned(values, 20)
    assert np.bincount(found[:, 0]).tolist() == [50] * 20
    assert len(np.unique(found[:, 1])) == 1


def test_gap_of_a_perfect_a_rotated_and_a_blind_code():
    factors = known()
    assert dis.mig(factors, factors).min() > 0.9  # 1 but for what the bins of few rows seem to know
    assert dis.mig(rotated(factors), factors).mean() < 0.1
    assert dis.mig(noise(), factors).max() < 0.05
    assert dis.mig(np.hstack([factors, factors]), factors).max() == pytest.approx(0, abs=1e-9)  # said twice: no gap


def test_importance_by_hand():
    assert dis.from_importance(np.eye(3)) == pytest.approx((1, 1))
    assert dis.from_importance(np.ones((3, 3))) == pytest.approx((0, 0))
    # one latent for two factors: not disentangled; each factor by one latent: complete
    assert dis.from_importance([[1, 1], [0, 0]]) == pytest.approx((0, 1))
    # two latents for each factor: disentangled; no factor by one: log 2 of log 4
    assert dis.from_importance([[1, 0], [1, 0], [0, 1], [0, 1]]) == pytest.approx((1, 0.5))
    # the second latent, which serves both, counts for 1 of 4
    p = 0.5 * np.log(2) / np.log(2)
    assert dis.from_importance([[3, 0], [0.5, 0.5]])[0] == pytest.approx(0.75 * 1 + 0.25 * (1 - 2 * p))


def test_dci_of_a_perfect_a_rotated_and_a_blind_code():
    factors = known(1500)
    perfect, turned, blind = (dis.dci(code, factors) for code in (factors, rotated(factors), noise(1500)))
    assert perfect.disentanglement > 0.97 and perfect.completeness > 0.97
    assert perfect.informativeness.min() > 0.99
    assert turned.disentanglement < 0.1 and 0.9 < turned.informativeness.min()
    assert blind.disentanglement < 0.05 and blind.informativeness.max() < 0.1


def test_dci_of_a_code_that_says_a_factor_twice_or_mixes_two():
    factors = known(1500)
    twice = dis.dci(np.hstack([factors, factors]), factors)
    assert twice.importance.shape == (8, 4)
    assert twice.disentanglement > 0.95 and twice.completeness < 0.9  # log 2 of log 8 is lost if both are used alike
    index = np.floor(8 * factors[:, 0]) + factors[:, 1]  # one number that tells two factors, and one left out
    mixed = dis.dci(np.stack([index, noise(1500)[:, 0]], 1), factors[:, :2])
    assert mixed.disentanglement < 0.3


def test_factor_vae_score_by_hand():
    # two latents; latent 0 stands still when factor 0 is fixed, latent 1 when factor 1 is
    still, moves = [[0.0], [0.0]], [[-1.0], [1.0]]
    one, two = np.hstack([still, moves]), np.hstack([moves, still])
    every = np.array([one, two] * 4)
    assert dis.factor_vae_score(every, [0, 1] * 4, [1, 1]) == 1
    # in the half that tests, one of four groups breaks the rule
    assert dis.factor_vae_score(every, [0, 1, 0, 1, 0, 1, 1, 1], [1, 1]) == 0.75
    # relative to its spread over all data, not absolutely: latent 0 is merely small
    assert dis.factor_vae_score(every * [0.1, 1], [0, 1] * 4, [0.06, 1]) == 1
    # a latent that never moves is still in every group, and must not have a vote
    dead = np.concatenate([every, np.zeros((8, 2, 1))], 2)
    assert dis.factor_vae_score(dead, [0, 1] * 4, [1, 1, 0]) == 1
    assert dis.factor_vae_score(every, [0, 1] * 4, [0, 0]) == 0.5


def test_factor_vae_score_of_a_perfect_a_rotated_and_a_blind_code():
    spread = np.full(4, 1 / 12)
    perfect = dis.factor_vae_score(*groups(lambda f: f), spread)
    turned = dis.factor_vae_score(*groups(rotated), spread)
    blind = dis.factor_vae_score(*groups(lambda f: noise(len(f))), np.ones(4))
    assert perfect == 1
    assert blind < 0.4  # chance is 1 / 4
    assert turned < 0.4


@settings(max_examples=15, deadline=None)
@given(st.permutations(range(4)), st.lists(st.sampled_from([-3.0, -0.1, 0.5, 40.0]), min_size=4, max_size=4))
def test_order_sign_and_scale_of_latents_do_not_matter(order, scales):
    factors = known(400)
    codes = factors + 0.2 * noise(400)
    other = (codes * scales)[:, order]
    assert dis.mig(other, factors) == pytest.approx(dis.mig(codes, factors), abs=0.02)
    a, fixed = groups(lambda f: f + 0.1 * noise(len(f)), votes=40)
    b = (a * scales)[:, :, order]
    spread = a.reshape(-1, 4).var(0)
    moved = b.reshape(-1, 4).var(0)
    low = 0.9 * min(spread.min(), moved.min())
    assert dis.factor_vae_score(a, fixed, spread, low) == dis.factor_vae_score(b, fixed, moved, low)


@pytest.mark.parametrize(
    ("codes", "factors", "said"),
    [
        (np.zeros((5, 2)), np.arange(4.0)[:, None], "have to be"),
        (np.zeros(5), np.arange(5.0)[:, None], "have to be"),
        (np.zeros((5, 1)), np.arange(5.0)[:, None], "two latents"),
        (np.zeros((5, 2)), np.ones((5, 1)), "does not vary"),
    ],
)
def test_bad_input_is_named(codes, factors, said):
    with pytest.raises(ValueError, match=said):
        dis.mig(codes, factors)
