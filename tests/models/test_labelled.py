"""Models that are told classes: what is asked for is drawn, and shares of classes are kept."""

import pytest
import torch

import genimg
from genimg.data.images import Images
from genimg.models.flow import Flow
from genimg.models.labelled import (
    LabelledDecoder,
    LabelledDiscriminator,
    LabelledEncoder,
    LabelledGAN,
    LabelledGenerator,
    LabelledVAE,
)
from genimg.models.latent import Latent
from genimg.models.likelihood import importance_bound

#: Grey levels of three classes, and how many pictures are of each.
LEVELS, MANY = (-0.8, 0.0, 0.8), (60, 30, 30)


@pytest.fixture(scope="module")
def pictures():
    labels = torch.arange(3).repeat_interleave(torch.tensor(MANY))
    noise = 0.1 * torch.randn(len(labels), 1, 8, 8, generator=torch.Generator().manual_seed(0))
    x = torch.tensor(LEVELS)[labels][:, None, None, None] + noise
    return Images(genimg.data.images.to_bytes(x), labels, None, ("dark", "grey", "light"))


MODELS = {
    "gan": (lambda: LabelledGAN(3, 8, 1, 8, 16, 16, 32), 300),
    "vae": (lambda: LabelledVAE(3, 8, 1, 4, 16, 32), 200),
    "flow": (lambda: Flow(8, 1, 16, 32, classes=3), 200),
    "latent": (lambda: Latent(8, 1, 2, 16, 32, 16, classes=3), 500),
}


@pytest.fixture(scope="module")
def trained(pictures):
    """Family -> its model, trained when it is asked for."""
    made = {}

    def of(family):
        if family not in made:
            build, steps = MODELS[family]
            torch.manual_seed(0)
            made[family] = build()
            history = genimg.fit(made[family], pictures, steps=steps, batch=16)
            assert not [told for told in history.warned if "not looked at" in told]
        return made[family]

    return of


@pytest.mark.parametrize("family", MODELS)
def test_what_is_asked_for_is_drawn(family, trained):
    model = trained(family)
    asked = torch.arange(3).repeat_interleave(16)
    drawn = model.sample(48, seed=1, labels=asked).mean((1, 2, 3))
    nearest = (drawn[:, None] - torch.tensor(LEVELS)).abs().argmin(1)
    assert (nearest == asked).float().mean() > 0.9
    assert (nearest == asked.roll(16)).float().mean() < 0.1  # the control
    assert torch.equal(model.sample(3, seed=1, labels=2), model.sample(3, seed=1, labels=torch.full((3,), 2)))
    assert model.sample(300, seed=0).shape == (300, 1, 8, 8)  # of no class or of all, in more than one part
    for wrong in (3, -1):
        with pytest.raises(ValueError, match=f"labels .{wrong}.: this model was trained with 3 classes"):
            model.sample(2, labels=wrong)


TOLD = {"gan": lambda: LabelledGAN(3, 8, 1, 8, 8, 8, 8), "vae": lambda: LabelledVAE(3, 8, 1, 8, 8, 8)}


@pytest.mark.parametrize("family", TOLD)
def test_without_labels_each_class_is_drawn_as_often_as_it_came(family, pictures):
    model = TOLD[family]()
    assert model.spread(300).bincount().tolist() == pytest.approx([100] * 3, abs=2)
    model.know(pictures.labels)
    assert model.shares.tolist() == [0.5, 0.25, 0.25]
    for n in (4, 20, 64, 1000):
        assert model.spread(n).bincount(minlength=3).tolist() == pytest.approx([n / 2, n / 4, n / 4], abs=2)
    again = TOLD[family]()
    again.load_state_dict(model.state_dict())
    assert torch.equal(again.shares, model.shares)
    assert torch.equal(model.sample(9, seed=0), model.sample(9, seed=0, labels=model.spread(9)))


def test_pictures_have_to_have_labels_and_no_more_classes_than_the_model(pictures):
    with pytest.raises(ValueError, match="the pictures are of 3 classes, and the model was built with classes=2"):
        genimg.fit(LabelledGAN(2, 8, 1), pictures, steps=1)
    with pytest.raises(genimg.data.images.DataError, match="no labels"):
        genimg.fit(LabelledGAN(3, 8, 1), pictures.pixels, steps=1)


def test_both_networks_depend_on_the_class():
    torch.manual_seed(0)
    generator, discriminator = LabelledGenerator(4, 8, 3, 16, width=8), LabelledDiscriminator(4, 8, 3, 8)
    z, x, y = torch.randn(4, 16), torch.randn(4, 3, 8, 8), torch.arange(4)
    generator.eval()
    assert not torch.allclose(generator(z, y), generator(z, y.flip(0)))
    assert torch.equal(generator(z, torch.tensor([2])), generator(z, torch.full((4,), 2)))
    assert torch.equal(discriminator(x, y), discriminator(x, y.flip(0)))  # it starts by asking of no class
    torch.nn.init.normal_(discriminator.label.weight)
    difference = discriminator(x, y) - discriminator(x, y.flip(0))
    seen = discriminator.features(x).flatten(1)
    weight = discriminator.label.weight
    assert torch.allclose(difference, ((weight[y] - weight[y.flip(0)]) * seen).sum(1), atol=1e-5)


@pytest.mark.parametrize("penalise", [False, True])
@pytest.mark.parametrize("loss", ["relativistic", "wasserstein"])
def test_real_and_generated_pictures_are_judged_by_the_labels_of_the_batch(loss, penalise, pictures):
    torch.manual_seed(0)
    model = LabelledGAN(3, 8, 1, 8, 8, 8, 8, loss=loss)
    torch.nn.init.normal_(model.discriminator.label.weight)
    x, y, z = pictures.floats()[::15], pictures.labels[::15], torch.randn(8, 8)
    parts = model.d_loss(x, z, labels=y, penalise=penalise)
    for logits, seen in ((parts["logit_real"], x), (parts["logit_fake"], parts["x_fake"])):
        assert torch.allclose(logits, model.discriminator(seen, y), atol=1e-5)
        assert not torch.allclose(logits, model.discriminator(seen, y.flip(0)), atol=1e-3)
    assert ({"r1", "r2"} <= parts.keys()) == penalise
    assert model.g_loss(x, z, labels=y)["loss_g"].shape == (8,)


def test_encoder_and_decoder_depend_on_the_class():
    torch.manual_seed(0)
    encoder, decoder = LabelledEncoder(4, 8, 3, 5, width=8), LabelledDecoder(4, 8, 3, 5, width=8)
    z, x, y = torch.randn(4, 5), torch.randn(4, 3, 8, 8), torch.arange(4)
    for net, given in ((encoder, x), (decoder, z)):
        told, others, one, same = (net(given, of) for of in (y, y.flip(0), torch.tensor([2]), torch.full((4,), 2)))
        for a, b, c, d in zip(*(out if net is encoder else (out,) for out in (told, others, one, same)), strict=True):
            assert not torch.allclose(a, b, atol=1e-3) and torch.equal(c, d)


def test_a_code_says_what_the_class_does_not(pictures):
    y, generator = pictures.labels, torch.Generator().manual_seed(1)
    slopes = torch.where(torch.rand(len(y), generator=generator) < 0.5, -0.2, 0.2)  # from left to right, of any class
    x = pictures.floats() + slopes[:, None, None, None] * torch.linspace(-1, 1, 8)
    torch.manual_seed(0)
    model = LabelledVAE(3, 8, 1, 4, 16, 32)
    genimg.fit(model, Images(genimg.data.images.to_bytes(x), y, None, pictures.classes), steps=300, batch=16)
    mu, _ = model.encode(x, labels=y)
    for asked in (y, (y + 1) % 3):
        drawn = model.decode(mu, labels=asked)
        nearest = (drawn.mean((1, 2, 3))[:, None] - torch.tensor(LEVELS)).abs().argmin(1)
        assert (nearest == asked).float().mean() > 0.9
        rising = drawn[..., 4:].mean((1, 2, 3)) > drawn[..., :4].mean((1, 2, 3))
        assert (rising == (slopes > 0)).float().mean() > 0.9
        assert 0.3 < (rising == (slopes.roll(1) > 0)).float().mean() < 0.7  # the control
    for redraw in (lambda: model.encode(x), lambda: model.decode(mu)):
        with pytest.raises(ValueError, match="this VAE has classes: encode and decode need labels="):
            redraw()


def test_the_bound_of_a_vae_with_classes_is_of_all_of_them_by_their_shares(trained, pictures):
    model, x, y = trained("vae"), pictures.floats(), pictures.labels

    def bound(labels=None):
        return importance_bound(model.log_weights(x, 64, torch.Generator().manual_seed(0), labels=labels))

    of_all, own, other = bound(), bound(y), bound((y + 1) % 3)
    assert own.mean() > other.mean() + 10  # so another class adds next to nothing to p(x)
    assert (of_all - own - model.shares.log()[y]).mean().abs() < 0.2
    assert model.bits_per_dim(x, 64) == pytest.approx(
        genimg.models.likelihood.bits_per_dim(of_all, model.dims).mean().item(), abs=0.02
    )
