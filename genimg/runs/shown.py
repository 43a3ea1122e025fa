"""What is shown of a run's model elsewhere: its network in ONNX with its inputs described, and where to steer it."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from genimg.data.images import to_bytes
from genimg.models.export import Pictures, Velocity, described, onnx_bytes
from genimg.models.flow import Flow
from genimg.models.latent import Latent
from genimg.models.model import Model
from genimg.models.sizes import sides
from genimg.runs.recipes import Recipe
from genimg.system.errors import RunError

#: Directions that are found, and how many pictures they are found by.
DIRECTIONS, BY_PICTURES = 5, 256
#: Steps from noise to a picture in a page, for a flow; fewer than `sample` takes.
STEPS = 10


@dataclass(frozen=True)
class Network:
    """A run's network alone.

    Attributes:
        module: of z (N, z_dim) gives pictures; of x (N, C, H, W) and t (N,) a flow's velocity.
        inputs: name -> example (2, ...).
        meaning: name of an input or of the output -> what it is.
        use: how pictures come of it.
    """

    module: nn.Module
    inputs: dict[str, Tensor]
    meaning: dict[str, str]
    use: str

    def onnx(self, recipe: Recipe) -> bytes:
        """In ONNX, with all this in it."""
        about = {"made by": "genimg, of Images from Noise", "family": recipe.family, "use": self.use} | self.meaning
        return described(onnx_bytes(self.module, self.inputs), self.meaning, about)

    def __str__(self) -> str:
        return "; ".join(f"{name}: {meaning}" for name, meaning in self.meaning.items()) + f". {self.use}"


def network_of(model: Model, recipe: Recipe, label: int | None = None) -> Network:
    """The network that draws, of one class where a label is given; a GAN or a VAE that has classes needs one.

    Raises:
        RunError: a model of two networks; or one that is told captions.
    """
    if recipe.captions:
        raise RunError("a run with captions is no page yet; sample --caption draws what it is told")
    if isinstance(model, Latent):
        raise RunError(
            "a latent run has two networks, a flow and a decoder, and a page runs one; sample --walk shows it"
        )
    height, width = sides(recipe.size)
    shape = f"{recipe.channels}, {height}, {width}"
    colours = "grey" if recipe.channels == 1 else "red, green, blue"
    pictures = f"float32 (n, {shape}), {colours} from -1, black, to 1, white"
    if recipe.channels == 4:
        pictures = f"float32 (n, {shape}), {colours}, each times opacity, and opacity, from -1 for 0 to 1"
    if isinstance(model, Flow):
        meaning = {
            "x": f"float32 (n, {shape}), at t = 0 noise from N(0, 1)", "t": "float32 (n,), the time, from 0 to 1",
            "velocity": f"float32 (n, {shape}), dx/dt at x and t",
        }  # fmt: skip
        use = f"Followed from t = 0 to t = 1, by 20 steps of Heun's method, the last by Euler's, x becomes {pictures}"
        x = torch.randn(2, recipe.channels or 3, height, width)
        return Network(Velocity(model, label), {"x": x, "t": torch.tensor([0.2, 0.7])}, meaning, use)
    z = model.noise(2, torch.Generator(model.device()).manual_seed(0)).cpu()
    meaning = {"z": f"float32 (n, {z.shape[1]}), noise from N(0, 1)", "x": pictures}
    use = "Each z makes one picture"
    return Network(Pictures(model, label=label), {"z": z}, meaning, use)  # type: ignore[arg-type]


def directions(model: Model, network: Network, label: int | None = None) -> Tensor:
    """Directions of the noise in which pictures change most, at most `DIRECTIONS`, of length 1 and at right angles:
    (k, *noise).

    Of a GAN or a VAE they are those in which the change of a picture with z is largest, squared and averaged over z:
    the first eigenvectors of the mean of J^T J, with J the derivative of the picture. J is seen through one random
    vector for each z, whose products with it have the same mean square.

    A flow makes of noise along the pictures' principal components what they are made of along these, so of a flow they
    are the principal components of 64 pictures that it draws.
    """
    generator = torch.Generator().manual_seed(0)
    if isinstance(model, Flow):
        x = model.sample(
            64, seed=1, steps=STEPS, labels=label
        ).cpu()  # other noise than the example's, which would stand out
        rows = (x - x.mean(0)).flatten(1)
        shape = tuple(x.shape[1:])
    else:
        (z,) = network.inputs.values()
        shape = tuple(z.shape[1:])
        found: list[Tensor] = []
        for _ in range(BY_PICTURES // 64):
            z = torch.randn(64, *shape, generator=generator).requires_grad_()
            x = network.module(z)
            seen = torch.randn(x.shape, generator=generator)
            found += torch.autograd.grad((x * seen).sum(), z)
        rows = torch.cat(found)
    _, _, axes = torch.linalg.svd(rows.float(), full_matrices=False)
    return axes[:DIRECTIONS].unflatten(1, shape).contiguous()


def example(model: Model, label: int | None = None) -> tuple[Tensor, Tensor]:
    """The first noise of the run's own grids, (1, *noise), and the picture that torch draws of it as a page does, uint8
    (1, C, H, W)."""
    z = model.noise_for(64, 0)[:1]
    options: dict[str, int] = {"steps": STEPS} if isinstance(model, Flow) else {}
    options |= {} if label is None else {"labels": label}
    return z.cpu(), to_bytes(model.sample(z=z, **options)).cpu()
