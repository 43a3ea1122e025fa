"""The GAN that trains in the page, without the page: its gradients and its Adam are torch's, it collapses and is cured.

Node.js runs book/_live/gan-core.mjs, and what it stands on, on numbers that torch has made.
"""

import math

import numpy as np
import pytest
import torch
from in_node import as_layers, flat, gradients, in_node, joined, mlp

from genimg import gan

#: The page has the book's losses but for the one that is there to show how a logarithm is lost.
LOSSES = [name for name in gan.LOSSES if name != "sigmoid_bce"]


def players(seed, hidden=9, n=7):
    torch.manual_seed(seed)
    G, D = mlp(2, hidden, hidden, 2), mlp(2, hidden, hidden + 2, 1)
    x_real, z = torch.randn(n, 2).double(), torch.randn(n, 2).double()
    return G, D, x_real, z


def penalised(loss, D, x_real, x_fake, r1, r2):
    """D's loss with its penalties, by torch; (loss without, loss with)."""
    x_real, x_fake = x_real.detach().requires_grad_(), x_fake.detach().requires_grad_()
    l_real, l_fake = D(x_real).squeeze(1), D(x_fake).squeeze(1)
    plain = gan.LOSSES[loss][0](l_real, l_fake).mean()
    total = plain
    for weight, logits, x in ((r1, l_real, x_real), (r2, l_fake, x_fake)):
        if weight:
            total = total + weight / 2 * gan.gradient_penalty_at(logits, x).mean()
    return plain, total


def test_the_losses_are_those_of_the_book():
    assert in_node("return Object.keys(core.LOSSES)") == LOSSES


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("r1", "r2"), [(0, 0), (5.0, 0), (2.0, 3.0)])
@pytest.mark.parametrize("loss", LOSSES)
def test_gradient_of_the_discriminator_is_torchs(loss, r1, r2, seed):
    _, D, x_real, z = players(seed, hidden=5 + 3 * seed, n=4 + 5 * seed)
    x_fake = 2 * z - 0.3
    plain, total = penalised(loss, D, x_real, x_fake, r1, r2)
    answer = in_node(
        "return core.discriminatorGradient(given.D, given.real, given.fake, given.n, given.settings)",
        D=as_layers(D), real=flat(x_real), fake=flat(x_fake), n=len(z), settings={"loss": loss, "r1": r1, "r2": r2},
    )  # fmt: skip
    assert answer["loss"] == pytest.approx(plain.item(), rel=1e-9)
    expected = gradients(D, total)
    assert np.allclose(joined(answer["gradient"]), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("loss", LOSSES)
def test_gradient_of_the_generator_is_torchs(loss, seed):
    G, D, x_real, z = players(seed, hidden=5 + 3 * seed, n=4 + 5 * seed)
    with torch.no_grad():
        l_real = D(x_real).squeeze(1)
    expected = gan.LOSSES[loss][1](l_real, D(G(z)).squeeze(1)).mean()
    answer = in_node(
        "return core.generatorGradient(given.G, given.D, given.z, given.real, given.n, given.settings)",
        G=as_layers(G), D=as_layers(D), z=flat(z), real=flat(x_real), n=len(z), settings={"loss": loss},
    )  # fmt: skip
    assert answer["loss"] == pytest.approx(expected.item(), rel=1e-9)
    assert np.allclose(joined(answer["gradient"]), gradients(G, expected), rtol=1e-9, atol=1e-12)


def test_losses_bear_large_logits():
    answer = in_node(
        "return Object.values(core.LOSSES).flatMap(({d, g}) => [800, -800].flatMap((l) => [...d(-l, l), ...g(l, l)]))"
    )
    assert all(value is not None and math.isfinite(value) for value in answer)


@pytest.mark.parametrize("beta1", [0.0, 0.5, 0.9])
def test_adam_is_torchs(beta1):
    _, D, x_real, z = players(1)
    before = as_layers(D)
    adam = torch.optim.Adam(D.parameters(), 3e-3, betas=(beta1, 0.99))
    for _ in range(20):
        adam.zero_grad()
        penalised("non_saturating", D, x_real, z, 2.0, 0)[1].backward()
        adam.step()
    after = in_node(
        """const adam = new core.Adam(given.D);
           const settings = { loss: "non_saturating", r1: 2 };
           for (let i = 0; i < 20; i += 1)
             adam.step(core.discriminatorGradient(given.D, given.real, given.fake, given.n, settings).gradient,
               3e-3, given.beta1);
           return given.D""",
        D=before, real=flat(x_real), fake=flat(z), n=len(z), beta1=beta1,
    )  # fmt: skip
    assert np.allclose(joined(after), joined(as_layers(D)), rtol=1e-7, atol=1e-9)
    assert not np.allclose(joined(after), joined(before), atol=1e-3)


def test_clusters_are_counted_as_in_the_chapter():
    torch.manual_seed(0)
    centres = in_node("return core.ring().centres")
    crowd = torch.tensor(centres)[
        [0, 0, 0, 0, 0, 2, 2, 2, 5, 5, 5, 5, 5]
    ]  # 5, 3 and 5 in 400: more than 1 %, less, more
    points = torch.cat([crowd + 0.05 * torch.randn(13, 2), torch.randn(387, 2) / 4])
    distance = torch.cdist(points.double(), torch.tensor(centres).double())
    expected = ((distance < 0.2).double().mean(0) > 0.01).tolist()
    assert [k for k, yes in enumerate(expected) if yes] == [0, 5]
    assert in_node("return core.covered(given.x, 400, core.ring().centres)", x=flat(points)) == expected


def test_data_and_noise_are_what_they_should_be():
    given = in_node(
        """const random = core.randomness(3), data = core.ring();
           return { x: data.draw(8000, random), normal: Float64Array.from({ length: 20000 }, random.normal),
                    uniform: Float64Array.from({ length: 20000 }, random.uniform), centres: data.centres }"""
    )
    x, centres = np.reshape(given["x"], (-1, 2)), np.array(given["centres"])
    distance = np.linalg.norm(x[:, None] - centres, axis=-1)
    assert np.allclose(np.linalg.norm(centres, axis=1), 2)
    assert distance.min(1).max() < 0.12  # six deviations
    assert np.bincount(distance.argmin(1), minlength=8).min() > 850
    assert (x - centres[distance.argmin(1)]).std() == pytest.approx(0.02, rel=0.05)
    assert np.mean(given["normal"]) == pytest.approx(0, abs=0.03)
    assert np.std(given["normal"]) == pytest.approx(1, abs=0.03)
    assert 0 <= min(given["uniform"]) and max(given["uniform"]) < 1


def test_the_field_is_the_discriminator_on_the_map_from_the_top():
    answer = in_node(
        """const game = new core.Game(2, { hidden: 6 });
           const at = Float64Array.from([-2.25, 2.25, 2.25, 2.25, -2.25, -2.25]);
           return { field: game.field(4, 3), corners: core.forward(game.D, at, 3).out }"""
    )
    field = np.reshape(answer["field"], (4, 4))
    assert np.allclose([field[0, 0], field[0, 3], field[3, 0]], answer["corners"])


def test_the_middle_lies_between_clusters_and_samples():
    answer = in_node(
        """const game = new core.Game(2, { hidden: 6 }), mean = (x) => x.reduce((sum, v) => sum + v / x.length, 0);
           const at = (points) => mean(core.forward(game.D, points, points.length / 2).out);
           const both = [at(Float64Array.from(game.data.centres.flat())), at(game.look().points)];
           const before = game.middle(game.look().points);
           game.D.at(-1).b[0] += 5;
           return { both, before, after: game.middle(game.look().points) }"""
    )
    assert answer["both"][0] != pytest.approx(answer["both"][1], abs=1e-4)
    assert answer["before"] == pytest.approx(np.mean(answer["both"]))
    assert answer["after"] == pytest.approx(answer["before"] + 5)


def test_a_seed_repeats_a_run_and_looking_does_not_change_it():
    body = """const play = (seed, look) => { const game = new core.Game(seed, { hidden: 8, batch: 16 });
                for (let i = 0; i < 15; i += 1) {
                  game.step(core.CURE);
                  if (look) { game.middle(game.look().points); game.field(5, 3); } }
                return game.look().points; };
              return [play(1, false), play(1, true), play(2, false)]"""
    once, looked_at, other = in_node(body)
    assert once == looked_at
    assert once != other


def test_a_step_moves_each_network_by_its_own_rate():
    body = """const moved = (rates) => { const game = new core.Game(1, { hidden: 8, batch: 16 });
                const before = [game.G, game.D].map((net) => net.map(({ w }) => w.slice()));
                game.step({ ...core.COLLAPSE, ...rates });
                const differs = (net, old) => net.some(({ w }, k) => w.some((v, j) => v !== old[k][j]));
                return [game.G, game.D].map((net, i) => differs(net, before[i])); };
              return [moved({}), moved({ rateG: 0 }), moved({ rateD: 0 })]"""
    assert in_node(body) == [[True, True], [False, True], [True, False]]


def test_collapse_and_cure_differ_in_the_penalty_alone():
    collapse, cure = in_node("return [core.COLLAPSE, core.CURE]")
    assert {name for name in collapse if collapse[name] != cure[name]} == {"r1"}
    assert collapse["r1"] == collapse["r2"] == 0


@pytest.mark.parametrize("seed", range(2))
def test_it_collapses_and_is_cured(seed):
    """What the two buttons promise: the cure is given to the collapsed run, as it is."""
    body = """const game = new core.Game(given.seed), clusters = () => game.look().covered.filter(Boolean).length;
              const play = (settings, steps) => {
                for (let i = 0; i < steps; i += 1) game.step(settings); return clusters(); };
              const ill = [400, 100, 100].map((steps) => play(core.COLLAPSE, steps));
              play(core.CURE, 1000);
              return { ill, well: [1, 2, 3, 4, 5].map(() => play(core.CURE, 100)) }"""
    clusters = in_node(body, seed=seed)
    assert max(clusters["ill"]) <= 2
    assert np.mean(clusters["well"]) >= 7
