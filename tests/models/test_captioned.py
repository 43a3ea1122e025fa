"""Words for pictures with captions: which sentences are kept, which the noise chooses, which are asked for."""

import pytest
import torch

from genimg.data.captions import Vocabulary
from genimg.data.images import Images, to_floats
from genimg.models.captioned import KNOWN, Captioned
from genimg.models.flow import interpolate, velocity_loss
from genimg.training.loop import fit

VOCABULARY = Vocabulary(("red", "flag", "house"), 3)
SENTENCES = [[1, 2, 0], [3, 0, 0], [0, 0, 0], [1, 3, 0]]


def small(size=8, **options):
    torch.manual_seed(0)
    own = dict(size=size, channels=1, z_dim=2, width=4, max_width=8, flow_width=16, blocks=2, heads=2, side=None)
    return Captioned(VOCABULARY, **own | options)


@pytest.fixture(scope="module")
def model():
    """It has been through a training; then the weights of its flow are drawn anew, so that every word counts."""
    pixels = torch.arange(0, 240, 6, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 1, 8, 8).contiguous()
    model = small()
    fit(model, Images(pixels, torch.tensor(SENTENCES).repeat(10, 1)), steps=4, batch=8)
    for weight in model.average["velocity"].parameters():
        torch.nn.init.normal_(weight, std=0.3)
    return model


def test_sentences_of_training_are_kept_as_often_as_they_came(model):
    kept = [model.vocabulary.decode(row) for row in model.known]
    for text in ("red flag", "house", "", "red house"):
        assert 0.15 < kept.count(text) / KNOWN < 0.35
    assert sorted(map(model.vocabulary.decode, model.kinds())) == ["house", "red flag", "red house"]
    other = small()
    other.know(torch.tensor(SENTENCES).repeat(1000, 1))
    assert len(other.known) == KNOWN and len(other.kinds()) == 3
    with pytest.raises(ValueError, match="5 classes"):
        other.know(torch.tensor([[4, 0, 0]]))


def test_the_noise_chooses_sentences_evenly_and_of_itself_alone(model):
    z = model.noise(4096, torch.Generator().manual_seed(0))
    told = model.told(None, z)
    assert torch.equal(model.told(None, z[1000:1010]), told[1000:1010])
    numbers = (told * torch.tensor([1, 10, 100])).sum(1)
    for number in numbers.unique():
        here = z[numbers == number, 0]
        assert 0.15 < len(here) / 4096 < 0.35
        assert abs(here.mean()) < 0.1 and abs(here.std() - 1) < 0.1  # the choice says nothing of the noise


def test_a_sample_is_of_what_is_asked(model):
    z = model.noise(4, torch.Generator().manual_seed(1))
    asked = model.sample(z=z, labels="red flag", steps=2)
    assert torch.equal(asked, model.sample(z=z, labels=VOCABULARY.encode("red flag"), steps=2))
    assert not torch.allclose(asked, model.sample(z=z, labels="house", steps=2), atol=1e-4)
    each = torch.stack([VOCABULARY.encode(text) for text in ("house", "red flag", "", "flag")])
    both = model.sample(z=z, labels=each, steps=2)
    assert torch.allclose(both[1], asked[1], atol=1e-5) and not torch.allclose(both[0], asked[0], atol=1e-4)
    assert torch.equal(model.sample(z=z, steps=2), model.sample(z=z, labels=model.told(None, z), steps=2))
    assert torch.equal(model.sample(4, seed=3, steps=2), model.sample(z=model.noise_for(4, 3), steps=2))
    with pytest.raises(ValueError, match="'rad'"):
        model.sample(2, labels="rad")


def test_no_sentence_is_guided_nowhere(model):
    z = model.noise(2, torch.Generator().manual_seed(1))
    free = model.sample(z=z, labels="", guidance=1.0, steps=2)
    assert torch.allclose(free, model.sample(z=z, labels="", guidance=9.0, steps=2), atol=1e-4)
    assert not torch.allclose(free, model.sample(z=z, labels="house", guidance=1.0, steps=2), atol=1e-4)


@pytest.mark.parametrize(("size", "places"), [(8, (8, 8)), (64, (8, 8)), ((16, 32), (8, 16)), ((128, 64), (16, 8))])
def test_it_is_built_for_every_size(size, places):
    model = small(size)
    assert model.places == (2, *places) and len(model.velocity.place) == places[0] * places[1]
    height, width = (size, size) if isinstance(size, int) else size
    assert model.sample(1, seed=0, labels="house", steps=1).shape == (1, 1, height, width)


def gain(seed_of_captions):
    """How much more a flow loses on new pictures of three greys with words of others than with their own: a share."""
    drawn = torch.Generator().manual_seed(0)
    kinds = torch.arange(120) % 3
    pixels = (40 + 85 * kinds.view(-1, 1, 1, 1) + torch.randint(-4, 5, (120, 1, 8, 8), generator=drawn)).to(torch.uint8)
    told = torch.tensor([[1, 2, 0], [1, 3, 0], [3, 0, 0]])[kinds]
    shown = told[:80]
    if seed_of_captions is not None:
        shown = shown[torch.randperm(80, generator=torch.Generator().manual_seed(seed_of_captions))]
    sizes = dict(width=8, max_width=32, flow_width=96, blocks=4, heads=4)
    model = small(**sizes, kl_weight=0.1, first=0.5, thin=1, lr=4e-3, flow_lr=4e-3)
    fit(model, Images(pixels[:80], shown), steps=400, batch=8)
    code = (model.encode(to_floats(pixels[80:]))[0] - model.shift) / model.deviation
    noise, t = torch.randn(code.shape, generator=drawn), torch.linspace(0.1, 0.9, 40)
    x, net = interpolate(noise, code, t), model.network("velocity")
    with torch.no_grad():
        own, others = (velocity_loss(net(x, t, words), noise, code).mean() for words in (told[80:], told[79:-1]))
    return ((others - own) / own).item()


def test_words_help_on_new_pictures_where_they_tell_of_them():
    right, shuffled = gain(None), gain(1)
    assert right > 0.1 and abs(shuffled) < right / 2
