"""A flow that reads sentences: what it is shown, what words and their order do, guidance, samples."""

import pytest
import torch

from genimg import flow
from genimg.data import scenes, sentences
from genimg.data.images import Images, to_floats
from genimg.models.words import Words, WordsToCode
from genimg.training.loop import Training, fit


def small(**options):
    torch.manual_seed(0)
    own = dict(z_dim=2, width=4, max_width=8, flow_width=16, blocks=2, heads=2)
    return Words(len(sentences.VOCABULARY), sentences.LENGTH, 16, **own | options)


@pytest.fixture(scope="module")
def told():
    drawn = scenes.sample_scenes(300, 1, sentences.training_words())
    return Images(scenes.render(drawn, 16), sentences.mixed(drawn))


@pytest.fixture(scope="module")
def trained(told):
    model = small(first=0.5, flow_lr=5e-3)
    fit(model, told, steps=600, batch=16)
    return model


def awake():
    """A transformer whose gates and last layer are not zero."""
    torch.manual_seed(0)
    net = WordsToCode(3, 4, 10, 5, width=16, blocks=2, heads=2)
    for weight in net.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    return net


def test_it_is_trained_by_fit_and_its_players_take_turns(trained):
    words = sentences.encode("a red ring above a blue ring")
    assert trained.sample(3, seed=0, words=words, steps=2).shape == (3, 3, 16, 16)
    assert trained.history["velocity"][-1] < 1.9  # no velocity at all costs 2: codes and noise have deviation 1


def test_the_first_stage_learns_nothing_of_sentences(told):
    training = Training(small(first=0.5), told, 4, batch=8, device="cpu", every=1)
    moved = []
    for _ in range(4):
        before = {name: w.clone() for name, w in training.model.named_parameters()}
        training.advance()
        now = dict(training.model.named_parameters())
        moved.append({name.split(".")[0] for name in before if not torch.equal(before[name], now[name])} - {"average"})
    assert moved == 2 * [{"encoder", "decoder"}] + 2 * [{"velocity"}]


def test_the_first_stage_sees_every_fourth_picture(trained, told):
    x, noise = to_floats(told.pixels[:8]), trained.training_noise(8)
    parts = trained.first_loss(x, *noise)
    changed = x.clone()
    changed[1:4], changed[5:8] = 0.0, 1.0
    assert parts["loss"].shape == (2,)
    assert torch.equal(parts["loss"], trained.first_loss(changed, *noise)["loss"])


def test_the_loss_is_that_of_the_velocity_and_hides_some_sentences(trained, told):
    x, labels = to_floats(told.pixels[:6]), told.labels[:6]
    eps, x_0, t, _ = trained.training_noise(6)
    hidden = torch.tensor([0.0, 0.05, 0.2, 0.9, 0.5, 0.09])
    loss = trained.told_loss(x, eps, x_0, t, hidden, labels)["velocity"]
    mu, logvar = trained.encode(x)
    code = (mu + (0.5 * logvar).exp() * eps - trained.shift) / trained.deviation
    seen = labels * torch.tensor([0, 0, 1, 1, 1, 0])[:, None]
    v = trained.velocity(flow.interpolate(x_0, code, t), t, seen)
    assert torch.allclose(loss, flow.velocity_loss(v, x_0, code), atol=1e-5)


def test_it_trains_more_at_early_times_where_the_sentence_is_decided(trained):
    torch.manual_seed(0)
    times = trained.training_noise(20_000)[2]
    assert times.logit().mean().item() == pytest.approx(-0.7, abs=0.03)
    assert times.logit().std().item() == pytest.approx(1.0, abs=0.03)


def test_order_counts_by_the_positions_alone():
    net, x, t = awake(), torch.randn(2, 3, 4, 4), torch.tensor([0.2, 0.7])
    words = torch.tensor([[1, 2, 3, 4, 5], [6, 7, 8, 9, 10]])
    shuffled = words[:, [3, 1, 4, 0, 2]]
    assert not torch.allclose(net(x, t, words), net(x, t, shuffled), atol=1e-3)
    net.position.data.zero_()
    assert torch.allclose(net(x, t, words), net(x, t, shuffled), atol=1e-4)


def test_every_sample_reads_its_own_sentence_and_its_own_time():
    net, x, t = awake(), torch.randn(4, 3, 4, 4), torch.rand(4)
    words = torch.randint(0, 11, (4, 5))
    alone = torch.cat([net(x[i : i + 1], t[i : i + 1], words[i : i + 1]) for i in range(4)])
    assert torch.allclose(net(x, t, words), alone, atol=1e-5)
    other = words.clone()
    other[0, 0] = (other[0, 0] + 1) % 11
    changed = (net(x, t, other) - net(x, t, words)).flatten(1).abs().amax(1)
    assert changed[0] > 1e-3 and changed[1:].max() < 1e-5


def test_it_starts_at_no_velocity_at_all():
    torch.manual_seed(0)
    net = WordsToCode(3, 4, 10, 5, width=16, blocks=2, heads=2)
    v = net(torch.randn(2, 3, 4, 4), torch.rand(2), torch.ones(2, 5, dtype=torch.long))
    assert torch.equal(v, net.leave.bias.view(3, 1, 1).expand_as(v))


def test_guidance_goes_from_no_sentence_to_one(trained):
    z, words = trained.noise(3, torch.Generator().manual_seed(0)), sentences.encode("a red ring above a blue ring")
    net, code = trained.network("velocity"), z.unflatten(1, trained.places)
    told, none = words.expand(3, -1), torch.zeros(3, sentences.LENGTH, dtype=torch.long)
    t = torch.zeros(3)
    for scale in (0.0, 1.0, 3.0):
        end = code + flow.guided(net(code, t, told), net(code, t, none), scale)
        by_hand = trained.decode(end * trained.deviation + trained.shift)
        assert torch.allclose(trained.sample(z=z, words=words, guidance=scale, steps=1), by_hand, atol=1e-4)
    free = trained.sample(z=z, steps=3)
    assert torch.allclose(free, trained.sample(z=z, words=words, guidance=0.0, steps=3), atol=1e-4)
    assert torch.equal(free, trained.sample(z=z, guidance=5.0, steps=3))


def test_the_same_seed_the_same_pictures(trained):
    words = sentences.encode("左边是红色方块\uff0c右边是蓝色圆环")
    assert torch.equal(trained.sample(3, seed=5, words=words, steps=2), trained.sample(3, seed=5, words=words, steps=2))
    assert not torch.equal(trained.sample(3, seed=5, steps=2), trained.sample(3, seed=6, steps=2))
