"""A step: who moves, on which loss, in which number format; penalties now and then; what is told of it."""

import copy

import pytest
import torch
from torch import nn

from genimg import flow, gan, latent, vae
from genimg.models.model import Model, Player
from genimg.system.device import seed_everything
from genimg.training import measures
from genimg.training.step import Stepper

X = torch.rand(8, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
BUILDS = {
    "gan": lambda: gan.GAN(size=8, z_dim=4, width=4, d_width=4),
    "gan, every penalty": lambda: gan.GAN(size=8, z_dim=4, width=4, d_width=4, loss="wasserstein", every=1),
    "vae": lambda: vae.VAE(8, z_dim=3, width=4),
    "vae, learned sigma": lambda: vae.VAE(8, z_dim=3, width=4, sigma="learned"),
    "flow": lambda: flow.Flow(8, width=8),
    "latent": lambda: latent.Latent(8, 1, z_dim=2, width=4, flow_width=8),
}
each_family = pytest.mark.parametrize("build", BUILDS.values(), ids=BUILDS)


def weights_of(player, model):
    """Name -> parameter of everything that a player moves."""
    found = {}
    for name in player.networks:
        part = getattr(model, name)
        found |= (
            {name: part} if isinstance(part, nn.Parameter) else {f"{name}.{n}": p for n, p in part.named_parameters()}
        )
    return found


class Duel(Model):
    """Two players whose losses take in both of their layers, so that gradients would reach the other's, and a third
    layer that nobody moves."""

    averaged = ("a",)

    def __init__(self, lr=0.1, every=3, weight=0.5, betas=(0.0, 0.0)):
        super().__init__()
        self.a, self.b, self.c = (nn.Linear(64, 1, bias=False) for _ in range(3))
        self.lr, self.every, self.weight, self.betas = lr, every, weight, betas
        self.seen, self.after = [], []

    def players(self):
        penalties = {"size": self.weight, "twice": 2 * self.weight}
        return {
            "first": Player(("a",), self.first, self.lr, self.betas, penalties, self.every),
            "second": Player(("b",), self.second, 2 * self.lr, self.betas),
        }

    def noise(self, n, generator=None):
        return torch.randn(n, 64, generator=generator)

    def both(self, x, z):
        y = self.a(x.flatten(1) + z) + self.b(z)
        self.seen.append(y.dtype)
        return (y + self.c(z)).float().squeeze(1)  # (N,)

    def first(self, x, z, labels=None, penalise=False):
        y = self.both(x, z)
        parts = {"loss_first": y.square(), "mean": y, "wide": y.outer(y), "pictures": x, "number": y.max()}
        if penalise:
            of_each = self.a.weight.square().sum().expand(len(x))
            parts |= {"size": of_each, "twice": 3 * of_each}
        return parts

    def second(self, x, z, labels=None):
        return {"loss_second": -self.both(x, z)}

    def after_update(self, parts):
        kept = {name: getattr(self, name).weight.detach().clone() for name in "ab"}
        self.after.append((kept, set(parts), any(part.requires_grad for part in parts.values())))


def duel(dtype=torch.float32, **options):
    seed_everything(0)
    return Stepper(Duel(**options), "cpu", dtype)


# Who moves.


@each_family
def test_each_player_moves_its_own_weights_alone(build):
    seed_everything(0)
    trainer = Stepper(build(), "cpu", torch.float32)
    model = trainer.model
    for name, player in trainer.players.items():
        own = weights_of(player, model)
        others = {n: p for n, p in model.named_parameters() if not any(p is mine for mine in own.values())}
        before = {n: p.detach().clone() for n, p in model.named_parameters()}
        gradients = {n: None if p.grad is None else p.grad.clone() for n, p in others.items()}
        trainer.move(name, X)
        for n, p in others.items():
            if n == "log_sigma":  # of an optimal sigma: a running mean, which no player moves
                continue
            assert torch.equal(p, before[n]), f"{name} moved {n}"
            unchanged = p.grad is None if gradients[n] is None else torch.equal(p.grad, gradients[n])
            assert unchanged, f"the loss of {name} left a gradient in {n}"
        assert any(not torch.equal(p, before[n]) for n, p in own.items())


def test_gradients_of_others_stay_as_they_are_where_the_loss_takes_in_their_weights():
    trainer = duel()
    a, b = trainer.model.a.weight, trainer.model.b.weight
    trainer.move("first", X)
    assert a.grad is not None and b.grad is None
    own = a.grad.clone()
    trainer.move("second", X)
    assert b.grad is not None and torch.equal(a.grad, own)


def test_all_players_move_once_a_step_in_their_order():
    trainer = duel()
    model = trainer.model
    start = {name: getattr(model, name).weight.detach().clone() for name in "ab"}
    trainer.step(X)
    assert trainer.steps == 1 and len(model.after) == 2
    (first, *_), (second, *_) = model.after
    assert not torch.equal(first["a"], start["a"]) and torch.equal(first["b"], start["b"])
    assert torch.equal(second["a"], first["a"]) and not torch.equal(second["b"], start["b"])


@each_family
def test_after_a_step_all_weights_take_gradients_again(build):
    model = build()
    wanted = {name: p.requires_grad for name, p in model.named_parameters()}
    trainer = Stepper(model, "cpu", torch.float32)
    for _ in range(2):
        trainer.step(X)
        found = {name: p.requires_grad for name, p in model.named_parameters() if not name.startswith("average.")}
        assert found == wanted
        assert not any(p.requires_grad for p in model.average.parameters())


def test_what_runs_after_an_update_finds_the_weights_moved_and_the_parts_detached():
    trainer = duel()
    for name, layer, parts in (("first", "a", {"loss_first", "size"}), ("second", "b", {"loss_second"})):
        before = getattr(trainer.model, layer).weight.detach().clone()
        trainer.move(name, X)
        (kept, names, attached) = trainer.model.after.pop()
        assert torch.equal(kept[layer], getattr(trainer.model, layer).weight) and not torch.equal(kept[layer], before)
        assert parts <= names and not attached
        assert not trainer.model.after


def test_what_runs_after_an_update_may_say_something_else_of_it():
    trainer = duel()
    trainer.model.after_update = lambda parts: parts.update(mean=torch.tensor(7.0))
    assert trainer.step(X)["mean"] == 7.0


# Penalties.


@pytest.mark.parametrize("every", [1, 3])
def test_penalties_come_on_each_so_manyth_step_from_the_first(every):
    trainer = duel(every=every)
    told = [trainer.step(X) for _ in range(7)]
    assert [step for step, names in enumerate(told) if {"size", "twice"} <= names.keys()] == list(range(0, 7, every))
    assert not any({"size", "twice"} & names.keys() for step, names in enumerate(told) if step % every)


def test_penalties_are_weighed_by_how_seldom_they_come():
    """The gradient of a penalised step, less that of the loss alone, is every * (weight * 2w + 2 weight * 3 * 2w)."""
    every, weight = 5, 0.25
    trainer = duel(every=every, weight=weight)
    plain = duel(every=every, weight=weight)
    plain.steps = 1  # a step without
    w = trainer.model.a.weight.detach().clone()
    assert torch.equal(w, plain.model.a.weight)
    for one in (trainer, plain):
        torch.manual_seed(1)
        one.move("first", X)
    added = trainer.model.a.weight.grad - plain.model.a.weight.grad
    assert torch.allclose(added, every * (weight * 2 * w + 2 * weight * 3 * 2 * w), rtol=1e-4, atol=1e-5)


def test_a_player_without_penalties_is_never_asked_for_them():
    trainer = duel(every=1)
    assert {name for name in trainer.step(X) if name in ("size", "twice")} == {"size", "twice"}
    assert trainer.players["second"].penalties == {}  # its loss has no argument `penalise`: it would have raised


def test_penalties_fall_on_the_same_steps_after_going_on_from_a_saved_state():
    trainer = duel(every=3)
    for _ in range(4):
        trainer.step(X)
    again = duel(every=3)
    again.load_state_dict(copy.deepcopy(trainer.state_dict()), trainer.steps)
    assert again.steps == 4
    assert ["size" in again.step(X) for _ in range(4)] == [False, False, True, False]


# What is told.


def test_parts_of_a_number_each_are_averaged_and_parts_with_more_axes_are_not_told():
    trainer = duel()
    parts = trainer.move("first", X)
    assert parts["wide"].shape == (8, 8) and parts["pictures"].shape == X.shape
    told = duel().step(X)
    assert told.keys() == {"loss_first", "mean", "number", "size", "twice", "loss_second"}
    for name in told.keys() & parts.keys():
        assert torch.equal(told[name], parts[name].mean()), name
    assert all(value.dim() == 0 and not value.requires_grad for value in told.values())


def test_what_watches_a_run_is_measured_now_and_then_from_the_whole_parts():
    trainer = Stepper(vae.VAE(8, z_dim=3, width=4), "cpu", torch.float32)
    told = [trainer.step(X) for _ in range(measures.EVERY + 1)]
    assert ["code" in names for names in told] == [True] + [False] * (measures.EVERY - 1) + [True]
    assert not {"mu", "logvar"} & told[0].keys()
    trainer.steps = 0
    parts = trainer.move("vae", X)
    assert torch.equal(measures.measures(X, parts)["code"], measures.code_size(parts["mu"], parts["logvar"]))


# Number formats.


def test_layers_compute_in_sixteen_bits_on_ordinary_steps_and_in_thirty_two_on_penalised_ones():
    trainer = duel(torch.bfloat16, every=2)
    for _ in range(4):
        trainer.step(X)
    first, second = trainer.model.seen[::2], trainer.model.seen[1::2]
    assert first == [torch.float32, torch.bfloat16, torch.float32, torch.bfloat16]
    assert second == [torch.bfloat16] * 4  # it has no penalties
    assert trainer.model.a.weight.dtype == torch.float32


def test_in_thirty_two_bits_no_layer_computes_in_fewer():
    trainer = duel(torch.float32)
    for _ in range(4):
        trainer.step(X)
    assert set(trainer.model.seen) == {torch.float32}


def test_the_format_is_the_devices_unless_one_is_given(monkeypatch):
    monkeypatch.setenv("GENIMG_PRECISION", "bfloat16")
    assert duel(None).dtype == torch.bfloat16 and duel(torch.float32).dtype == torch.float32


# Rates and saved states.


def test_rates_are_shares_of_each_players_own():
    trainer = duel(lr=0.1)
    assert trainer.rates == {"first": 0.1, "second": 0.2}

    def rates():
        return {name: optimiser.param_groups[0]["lr"] for name, optimiser in trainer.optimisers.items()}

    assert rates() == trainer.rates
    for factor in (0.5, 0.1, 1.0):  # of those at the start, not of the last
        trainer.set_rates(factor)
        assert rates() == pytest.approx({"first": 0.1 * factor, "second": 0.2 * factor})
    assert trainer.rates == {"first": 0.1, "second": 0.2}
    trainer.set_rates({"first": 0.0})
    before = trainer.model.a.weight.detach().clone()
    trainer.step(X)
    assert torch.equal(trainer.model.a.weight, before)


@each_family
def test_a_saved_state_goes_on_to_the_same_weights(build):
    def begun():
        seed_everything(0)
        return Stepper(build(), "cpu", torch.float32)

    through, again = begun(), begun()
    for _ in range(3):
        through.step(X)
    saved = copy.deepcopy((through.state_dict(), through.model.state_dict(), torch.get_rng_state()))
    for _ in range(3):
        through.step(X)
    again.load_state_dict(saved[0], 3)
    again.model.load_state_dict(saved[1])
    torch.set_rng_state(saved[2])
    for _ in range(3):
        again.step(X)
    assert again.steps == through.steps == 6
    for name, value in through.model.state_dict().items():
        assert torch.equal(again.model.state_dict()[name], value), name


def test_a_state_of_another_model_is_refused():
    with pytest.raises(KeyError, match="optimisers vae, not d, g"):
        of_a_vae = Stepper(BUILDS["vae"](), "cpu").state_dict()
        Stepper(BUILDS["gan"](), "cpu").load_state_dict(of_a_vae, 1)


@each_family
def test_a_model_made_ready_has_averages_apart_from_its_weights(build):
    model = Stepper(build(), "cpu").model
    assert tuple(model.average) == model.averaged
    assert model.training and not model.average.training
    for name in model.averaged:
        assert model.network(name) is model.average[name] and model.network(name, averaged=False) is getattr(
            model, name
        )
        pairs = zip(model.average[name].parameters(), getattr(model, name).parameters(), strict=True)
        assert all(torch.equal(a, b) and a is not b for a, b in pairs)


def test_labels_reach_the_loss_and_models_without_classes_need_none():
    seen, model, labels = [], Duel(), torch.arange(8)
    plain = model.second
    model.second = lambda x, z, labels=None: seen.append(labels) or plain(x, z)
    trainer = Stepper(model, "cpu", torch.float32)
    trainer.step(X, labels), trainer.step(X)
    assert torch.equal(seen[0], labels) and seen[1] is None
