// The plane of a VAE with two latents: drag the point, see the decoder's picture, among encoded test pictures.

import { say } from "./words.mjs";

const SIDE = 340; // CSS pixels of the map
const FACTOR = 12; // of the picture's pixels

export async function mount(stage, settings, kit) {
  const { shape, codes, labels, reach, radius } = settings;
  const decode = await kit.loadModel(settings.models.decoder);
  const z = [0, 0];
  const announce = kit.announcer(stage);

  const { canvas: map, context } = kit.sheet(SIDE, SIDE, "");
  map.classList.add("pad");
  map.removeAttribute("role");
  map.removeAttribute("aria-label");
  map.setAttribute("aria-hidden", "true"); // the sliders say the same, and can be used without a pointer
  const picture = kit.screen(shape[2], shape[1], FACTOR, "");
  const across = (value) => ((value + reach) / (2 * reach)) * SIDE;

  // The map without its point is drawn once for each theme; a drag copies it.
  let ground;
  function drawGround() {
    const { muted, line } = kit.colours();
    context.clearRect(0, 0, SIDE, SIDE);
    context.strokeStyle = line;
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(across(0), 0);
    context.lineTo(across(0), SIDE);
    context.moveTo(0, across(0));
    context.lineTo(SIDE, across(0));
    context.stroke();
    if (radius) {
      context.strokeStyle = muted;
      context.setLineDash([5, 4]);
      context.beginPath();
      context.arc(across(0), across(0), across(radius) - across(0), 0, 2 * Math.PI);
      context.stroke();
      context.setLineDash([]);
    }
    context.font = "600 11px system-ui, sans-serif";
    context.textAlign = "center";
    context.textBaseline = "middle";
    codes.forEach(([x, y], i) => {
      context.fillStyle = kit.CLASSES[labels[i] % kit.CLASSES.length];
      context.fillText(labels[i], across(x), SIDE - across(y));
    });
    ground = context.getImageData(0, 0, map.width, map.height);
  }

  function nearest() {
    let best = Infinity;
    let at = 0;
    codes.forEach(([x, y], i) => {
      const distance = (x - z[0]) ** 2 + (y - z[1]) ** 2;
      if (distance < best) [best, at] = [distance, i];
    });
    return labels[at];
  }

  const redraw = kit.redraws(async () => {
    const [z1, z2] = z;
    const values = await decode({ z: [Float32Array.from([z1, z2]), [1, 2]] });
    kit.paint(picture, values, shape);
    context.putImageData(ground, 0, 0);
    const [x, y] = [across(z1), SIDE - across(z2)];
    for (const [width, colour] of [[5, "#ffffff"], [2.5, "#000000"]]) {
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.beginPath();
      context.arc(x, y, 9, 0, 2 * Math.PI);
      context.stroke();
    }
    stage.dataset.z = `${z1.toFixed(3)},${z2.toFixed(3)}`;
    const words = say("z = ({0}, {1}); the nearest encoded picture is a {2}", z1.toFixed(2), z2.toFixed(2), nearest());
    picture.setAttribute("aria-label", say("Decoded picture at {0}", words));
    legend.textContent = words;
    announce(words);
  });

  const legend = kit.make("p", { class: "legend" });
  const rows = [0, 1].map((i) =>
    kit.slider({ label: say(i ? "z₂, up" : "z₁, right"), min: -reach, max: reach, step: 0.05, value: 0 }, (value) => {
      z[i] = value;
      redraw();
    }),
  );

  function follow(event) {
    const box = map.getBoundingClientRect();
    const place = [(event.clientX - box.left) / box.width, 1 - (event.clientY - box.top) / box.height];
    place.forEach((share, i) => {
      z[i] = Math.max(-reach, Math.min(reach, (2 * share - 1) * reach));
      rows[i].value = z[i];
    });
    redraw();
  }
  map.addEventListener("pointerdown", (event) => {
    map.setPointerCapture(event.pointerId);
    follow(event);
  });
  map.addEventListener("pointermove", (event) => map.hasPointerCapture(event.pointerId) && follow(event));

  stage.prepend(
    kit.make("p", { class: "hint" }, say("Drag the ring over the map, or use the sliders. Numerals: unseen digits where the encoder puts them.")),
    kit.make("div", { class: "side-by-side" }, map, kit.make("div", {}, picture, legend, ...rows)),
  );
  drawGround();
  kit.onTheme(() => {
    drawGround();
    redraw();
  });
  await redraw();
  return { models: { decoder: decode }, times: redraw.times };
}
