// One slider for each latent of a VAE, the others at zero: a traversal by hand.

import { say } from "./words.mjs";

const FACTOR = 14; // of the picture's pixels

export async function mount(stage, settings, kit) {
  const { shape, z_dim: length, latents, reach } = settings;
  const decode = await kit.loadModel(settings.models.decoder);
  const z = new Float32Array(length);
  const announce = kit.announcer(stage);
  const picture = kit.screen(shape[2], shape[1], FACTOR, "");

  const redraw = kit.redraws(async () => {
    kit.paint(picture, await decode({ z: [Float32Array.from(z), [1, length]] }), shape);
    const words = latents.map(([label, index]) => `${label} ${z[index].toFixed(2)}`).join(", ");
    picture.setAttribute("aria-label", say("Decoded picture at {0}", words));
    stage.dataset.z = Array.from(z, (value) => value.toFixed(3)).join(",");
    announce(words);
  });

  const rows = latents.map(([label, index]) =>
    kit.slider({ label, min: -reach, max: reach, step: 0.05, value: 0 }, (value) => {
      z[index] = value;
      redraw();
    }),
  );
  const set = (values) => {
    latents.forEach(([, index], i) => {
      rows[i].value = values[i];
      z[index] = rows[i].value;
    });
    redraw();
  };
  const buttons = kit.make(
    "div",
    { class: "buttons" },
    kit.button(say("All to zero"), () => set(latents.map(() => 0))),
    kit.button(say("Draw from the prior"), () => set(latents.map(() => kit.gaussian()))),
  );

  stage.prepend(
    kit.make("p", { class: "hint" }, say("Move one latent at a time. How many things change in the picture?")),
    kit.make("div", { class: "side-by-side" }, picture, kit.make("div", {}, ...rows, buttons)),
  );
  await redraw();
  return { models: { decoder: decode }, times: redraw.times };
}
