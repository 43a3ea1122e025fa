"""A latent flow in one ONNX model: noise goes in, the solver's steps are a loop in the graph, and pictures come out.

`export` gives its two networks, which pages follow step by step.
"""

import math

import torch


def joined(velocity: bytes, decoder: bytes, places: tuple[int, ...], steps: int = 20) -> bytes:
    """z (N, code) -> the pictures x (N, C, H, W) of where the flow ends, as `Latent.picture` draws them.

    Args:
        velocity: `export.Velocity` in ONNX: of x (N, *places), t (N,) and perhaps more, which the whole is given too.
        decoder: `export.OfCode` in ONNX.
        places: shape of a code.
        steps: by Heun's method, the last by Euler's, as `ode.carry`.
    """
    import onnx
    from onnx import TensorProto, compose, helper, numpy_helper

    flow = compose.add_prefix(onnx.load_model_from_string(velocity), "velocity/")
    drawing = compose.add_prefix(onnx.load_model_from_string(decoder), "decoder/").graph
    x, t, *more = (value.name for value in flow.graph.input)
    (v,), (code,), (picture,) = (
        [one.name for one in ends] for ends in (flow.graph.output, drawing.input, drawing.output)
    )
    node, value = helper.make_node, helper.make_tensor_value_info
    shape: list[str | int | None] = ["n", *places]
    sides = [side.dim_value for side in drawing.output[0].type.tensor_type.shape.dim[1:]]

    # One evaluation, at the point x and the time `now`: the place moves by a v, and the next point is b v further on.
    evaluation = helper.make_graph(
        [
            node("Shape", [x], ["n"], end=1), node("Expand", ["now", "n"], [t]),
            *flow.graph.node,
            node("Mul", ["a", v], ["by"]), node("Add", ["place", "by"], ["moved"]),
            node("Mul", ["b", v], ["further"]), node("Add", ["moved", "further"], ["ahead"]),
        ],
        "evaluation",
        [*(value(name, TensorProto.FLOAT, shape) for name in ("place", x)),
         *(value(name, TensorProto.FLOAT, []) for name in ("now", "a", "b"))],
        [value(name, TensorProto.FLOAT, shape) for name in ("moved", "ahead")],
        flow.graph.initializer,
    )  # fmt: skip
    dt = 1 / steps
    heun = [row for i in range(steps - 1) for row in ((i * dt, dt / 2, dt / 2), ((i + 1) * dt, dt / 2, 0.0))]
    table = torch.tensor([*heun, (1 - dt, dt, 0.0)]).T
    constants = {name: row.numpy() for name, row in zip(("every_now", "every_a", "every_b"), table, strict=True)}
    constants["shape"] = torch.tensor([-1, *places]).numpy()

    outer = {name: name.removeprefix("velocity/") for name in more}
    wide = {one.name: [side.dim_value for side in one.type.tensor_type.shape.dim[1:]] for one in flow.graph.input}
    whole = helper.make_graph(
        [
            *(node("Identity", [given], [name]) for name, given in outer.items()),
            node("Reshape", ["z", "shape"], ["start"]),
            node("Scan", ["start", "start", *list(constants)[:3]], ["end", code], body=evaluation, num_scan_inputs=3),
            *drawing.node,
            node("Identity", [picture], ["x"]),
        ],
        "pictures",
        [value("z", TensorProto.FLOAT, ["n", math.prod(places)]),
         *(value(given, TensorProto.FLOAT, ["n", *wide[name]]) for name, given in outer.items())],
        [value("x", TensorProto.FLOAT, ["n", *sides])],
        [*(numpy_helper.from_array(array, name) for name, array in constants.items()), *drawing.initializer],
    )  # fmt: skip
    proto = helper.make_model(whole, opset_imports=flow.opset_import, ir_version=flow.ir_version)
    onnx.checker.check_model(proto)
    return proto.SerializeToString()
