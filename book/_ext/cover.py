"""The cover: six sentences, and the picture of each as it forms from noise, drawn by the model of the chapter on words.

The model is the one that the chapter has exported for its explorer, as its executed copy holds it; the noises are the
first of those that the explorer starts from. The site draws the cover anew at each build and opens with it. README
shows a copy of one build: `python book/_ext/cover.py` writes it, wherever the chapter has been executed.
"""

import base64
import io
import json
import sys

import executed
import live
import numpy as np
from PIL import Image, PngImagePlugin

CHAPTER = "words"
KIND = "sentence"
FILE = executed.ROOT / "book" / "figures" / "cover.png"
#: From left to right. Their Chinese stands in the table of words.
SENTENCES = (
    "a red square left of a blue ring",
    "a yellow triangle above a red ring",
    "a blue ring right of a green square",
    "a green triangle below a yellow ring",
    "a red ring above a blue square",
    "a red triangle left of a green ring",
)
#: Of the flow's way, the share that is done in each row, from top to bottom.
SHARES = (0.0, 0.3, 1.0)
GAP, ZOOM = 2, 6  # between pictures, in their pixels; and how large these are drawn


def bundle_of(copy):
    """What the explorer of an executed chapter was given; None if the chapter did not come to it."""
    return next((bundle for bundle in live.take_out(copy) if bundle["kind"] == KIND), None)


def pictures(bundle, sentences=SENTENCES):
    """Pictures of the sentences on their way, uint8 (rows, sentences, 32, 32, 3), one row for each of `SHARES`.

    Args:
        bundle: of the chapter's explorer.
    """
    import torch
    from onnx import load_model_from_string
    from onnx.reference import ReferenceEvaluator

    from genimg.data import sentences as language
    from genimg.models import flow, ode

    settings = bundle["settings"]
    models = {
        name: ReferenceEvaluator(load_model_from_string(base64.b64decode(model)))
        for name, model in bundle["models"].items()
    }

    def run(name, **inputs):
        return torch.from_numpy(models[name].run(None, {key: value.numpy() for key, value in inputs.items()})[0])

    words = torch.stack([language.encode(text) for text in sentences]).float()

    def velocity(x, t):
        told = run("velocity", x=x, t=t, words=words)
        return flow.guided(told, run("velocity", x=x, t=t, words=torch.zeros_like(words)), settings["guidance"])

    x = torch.tensor(settings["noise"][: len(sentences)]).unflatten(1, settings["places"])
    rows, done = [], 0
    for share in SHARES:
        step = round(share * settings["steps"])
        if step > done:
            start, end = done / settings["steps"], step / settings["steps"]
            x = ode.integrate(velocity, x, step - done, "euler", start=start, end=end)
        done = step
        rows.append(run("decoder", code=x))
    drawn = torch.stack(rows).movedim(2, 4)  # (rows, sentences, 32, 32, 3), values from -1 to 1
    return ((drawn + 1) * 127.5).round().clamp(0, 255).byte().numpy()


def sheet(bundle):
    """The cover as the bytes of a PNG: a column for each sentence, each pixel a square, between them nothing."""
    drawn = pictures(bundle)
    rows, columns, side = drawn.shape[:3]
    pitch = side + GAP
    whole = np.zeros((rows * pitch - GAP, columns * pitch - GAP, 4), np.uint8)
    for i, row in enumerate(drawn):
        for j, picture in enumerate(row):
            place = (slice(i * pitch, i * pitch + side), slice(j * pitch, j * pitch + side))
            whole[place] = np.concatenate([picture, np.full((side, side, 1), 255, np.uint8)], 2)
    about = PngImagePlugin.PngInfo()
    about.add_text("sentences", "\n".join(SENTENCES))
    stream = io.BytesIO()
    Image.fromarray(whole.repeat(ZOOM, 0).repeat(ZOOM, 1)).save(stream, "PNG", optimize=True, pnginfo=about)
    return stream.getvalue()


def main():
    """Writes README's cover; the exit code is 1 where the chapter has not been executed as it stands."""
    path = executed.ROOT / "book" / f"{CHAPTER}.ipynb"
    copy = executed.copy_of(path, executed.key(path))
    bundle = bundle_of(json.loads(copy.read_text("utf-8"))) if copy.exists() else None
    if bundle is None:
        print(f"no model of {CHAPTER} in {executed.COPIES}: build the site, or run pytest --nbmake {path.name}, first")
        return 1
    FILE.write_bytes(sheet(bundle))
    print(FILE.relative_to(executed.ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
