"""The flow that trains in the page, without the page: its gradients are torch's, its steps the chapter's, it learns.

Node.js runs book/_live/flow-core.mjs, and what it stands on, on numbers that torch has made.
"""

import math

import numpy as np
import pytest
import torch
from in_node import as_layers, flat, gradients, in_node, joined, mlp
from torch import nn

from genimg import flow
from genimg.models import ode


def velocity_of(net):
    """The chapter's: the network gets waves of the time beside the time itself."""
    turns = math.pi * torch.tensor([1.0, 2.0, 4.0], dtype=torch.float64)

    def velocity(x, t):
        t = torch.as_tensor(t, dtype=x.dtype).expand(len(x))
        angle = t[:, None] * turns
        return net(torch.cat([x, t[:, None], angle.cos(), angle.sin()], 1))

    return velocity


def net_and_pairs(seed, n=7):
    torch.manual_seed(seed)
    net = mlp(9, 5 + seed, 6, 7 + 2 * seed, 2, between=nn.SiLU)
    x_0, x_1 = torch.randn(2, n, 2).double()
    return net, x_0, x_1, torch.rand(n).double()


@pytest.mark.parametrize("seed", range(4))
def test_gradient_of_the_velocity_is_torchs(seed):
    net, x_0, x_1, t = net_and_pairs(seed, n=5 + 2 * seed)
    v = velocity_of(net)(flow.interpolate(x_0, x_1, t), t)
    loss = 2 * flow.velocity_loss(v, x_0, x_1).mean()  # the package's is a mean over coordinates, (6.5) their sum
    answer = in_node(
        "return core.flowGradient(given.net, given.x_0, given.x_1, given.t, given.n)",
        net=as_layers(net), x_0=flat(x_0), x_1=flat(x_1), t=flat(t), n=len(t),
    )  # fmt: skip
    assert answer["loss"] == pytest.approx(loss.item(), rel=1e-9)
    assert np.allclose(joined(answer["gradient"]), gradients(net, loss), rtol=1e-9, atol=1e-12)


def test_points_are_carried_by_heuns_steps_and_one_of_eulers():
    net, x, _, _ = net_and_pairs(1)
    velocity, steps = velocity_of(net), 5
    with torch.no_grad():
        before = ode.integrate(velocity, x, steps - 1, "heun", end=1 - 1 / steps)
        end = before + velocity(before, 1 - 1 / steps) / steps
        wholly = ode.integrate(velocity, x, steps, "heun")
    way = in_node("return core.carry(given.net, given.x, given.n, 5)", net=as_layers(net), x=flat(x), n=len(x))
    assert len(way) == steps + 1 and way[0] == flat(x)
    assert np.allclose(way[-2], flat(before), atol=1e-9)
    assert np.allclose(way[-1], flat(end), atol=1e-9)
    assert not np.allclose(way[-1], flat(wholly), atol=1e-5)


def test_arrows_stand_where_the_map_has_them_and_show_the_velocity():
    answer = in_node(
        """const flow = new core.Flow(3, { hidden: [6, 6], shown: 4 });
           const { way, field } = flow.look(5, 3);
           return { places: core.lattice(3), frames: [way.length, field.length], shown: field[2],
                    own: core.velocity(flow.net, core.lattice(3), 2 / 5, 9) }"""
    )
    assert np.reshape(answer["places"], (9, 2))[[0, 1, 3]].tolist() == [[-2, -2], [0, -2], [-2, 0]]
    assert answer["frames"] == [6, 6]
    assert answer["shown"] == answer["own"]


def test_a_seed_repeats_a_run_and_looking_does_not_change_it():
    body = """const play = (seed, look) => { const flow = new core.Flow(seed, { hidden: [8, 8], batch: 16 });
                for (let i = 0; i < 15; i += 1) { flow.step(); if (look) flow.look(3, 4); }
                return flow.look(4, 2).way.at(-1); };
              return [play(1, false), play(1, true), play(2, false)]"""
    once, looked_at, other = in_node(body)
    assert once == looked_at
    assert once != other


def test_the_rate_falls_to_nothing_and_other_data_bring_it_back():
    body = """const flow = new core.Flow(1, { hidden: [8, 8], batch: 16 });
              const weight = () => flow.net[0].w[0];
              const strides = [];
              const stride = () => { const before = weight(); flow.step(); strides.push(Math.abs(weight() - before)); };
              while (flow.left > 0) flow.step();
              const steps = flow.steps;
              stride();
              flow.learn(core.sketch([[1, 1]]));
              const left = flow.left;
              stride();
              return { steps, left, strides }"""
    answer = in_node(body)
    assert answer["steps"] == answer["left"] == 1500
    assert answer["strides"][0] == 0 < answer["strides"][1]


@pytest.mark.parametrize("seed", range(2))
def test_it_learns_the_ring_and_then_what_is_drawn(seed):
    """As many steps as the page makes. Untrained, the points stay where the noise is."""
    body = """const flow = new core.Flow(given.seed), seen = [];
              const look = () => { const { near, covered } = flow.look(12, 2);
                seen.push([near, covered.filter(Boolean).length / covered.length]); };
              look();
              while (flow.left > 0) flow.step();
              look();
              const dots = [];
              core.stroke(dots, [2, 2], [-2, 2]);
              core.stroke(dots, [0, -2], [0, 2]);
              flow.learn(core.sketch(dots));
              look();
              while (flow.left > 0) flow.step();
              look();
              return seen"""
    untrained, ring, before, drawn = in_node(body, seed=seed)
    assert untrained[0] < 0.5 and before[0] < 0.5
    assert ring[0] > 0.8 and ring[1] == 1
    assert drawn[0] > 0.85 and drawn[1] > 0.95
