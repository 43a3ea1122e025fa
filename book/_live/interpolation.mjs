// A walk between two random vectors of a GAN, with averaged weights or with those in training.

import { say } from "./words.mjs";

const FACTOR = 10; // of the large picture's pixels
const STRIP = 9; // pictures along the way
const SECONDS = 4; // from one end to the other

export async function mount(stage, settings, kit) {
  const { shape, ends } = settings;
  const [averaged, raw] = await Promise.all([
    kit.loadModel(settings.models.averaged),
    kit.loadModel(settings.models.raw),
  ]);
  const [channels, height, width] = shape;
  const announce = kit.announcer(stage);
  let pair = 0;
  let [from, to] = ends[0];
  let place = 0.5;
  let smooth = true;

  const large = kit.screen(width, height, FACTOR, "");
  const strip = kit.screen((width + 1) * STRIP - 1, height, 3, "");
  strip.classList.add("strip");
  const generate = (points) =>
    (smooth ? averaged : raw)({ z: [Float32Array.from(points.flat()), [points.length, from.length]] });

  const drawStrip = kit.redraws(async () => {
    const values = await generate(Array.from({ length: STRIP }, (_, i) => kit.between(from, to, i / (STRIP - 1))));
    const size = channels * height * width;
    for (let i = 0; i < STRIP; i += 1) {
      kit.paint(strip, values.subarray(i * size, (i + 1) * size), shape, i * (width + 1), 0);
    }
    strip.setAttribute("aria-label", say("{0} pictures from one end of the walk to the other", STRIP));
  });

  const redraw = kit.redraws(async () => {
    const at = place;
    kit.paint(large, await generate([kit.between(from, to, at)]), shape);
    const words = say("{0} % of the way, {1} weights", Math.round(100 * at), say(smooth ? "averaged" : "raw"));
    large.setAttribute("aria-label", say("Generated picture, {0}", words));
    stage.dataset.place = at.toFixed(3);
    if (!walking) announce(words);
  });

  const row = kit.slider(
    { label: say("Way from left to right"), min: 0, max: 1, step: 0.01, value: place, show: (v) => `${Math.round(100 * v)} %` },
    (value) => {
      place = value;
      redraw();
    },
  );
  const weights = kit.tick({ label: say("Averaged weights"), value: true }, (value) => {
    smooth = value;
    drawStrip();
    redraw();
  });
  const others = kit.button(say("Other ends"), () => {
    pair += 1;
    const random = () => Array.from(from, () => kit.gaussian());
    [from, to] = ends[pair] ?? [random(), random()];
    drawStrip();
    redraw();
  });

  let walking = false;
  let direction = 1;
  const walk = kit.button(say("Walk"), () => {
    walking = !walking;
    walk.textContent = say(walking ? "Stop" : "Walk");
    if (!walking) return;
    let last = performance.now();
    const frame = (now) => {
      if (!walking) return;
      place += (direction * (now - last)) / 1000 / SECONDS;
      last = now;
      if (place <= 0 || place >= 1) direction = place <= 0 ? 1 : -1;
      place = Math.max(0, Math.min(1, place));
      row.value = place;
      redraw();
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  });
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const obey = () => {
    walk.hidden = still.matches; // the slider walks as well, at the reader's own pace
    if (still.matches && walking) walk.click();
  };
  still.addEventListener("change", obey);
  obey();

  stage.prepend(
    kit.make("p", { class: "hint" }, say("Walk from one random vector to another, and compare the averaged weights with the raw ones.")),
    strip,
    kit.make("div", { class: "side-by-side" }, large, kit.make("div", {}, row, weights, kit.make("div", { class: "buttons" }, walk, others))),
  );
  await Promise.all([drawStrip(), redraw()]);
  return { models: { averaged, raw }, times: redraw.times };
}
