// Flow matching on points of the plane, trained in the page on eight clusters or on what the reader draws; then the points
// go their way from noise to data.

import { curves } from "./curves.mjs";
import { drawing } from "./drawing.mjs";
import { lattice, wideRing } from "./flow-core.mjs";
import { planeMap } from "./plane-map.mjs";
import { player } from "./player.mjs";
import { trainer } from "./trainer.mjs";
import { say } from "./words.mjs";

const STEPS = 12; // of the way from noise to data
const ARROWS = 13; // along a side of the map
const AHEAD = 0.1; // an arrow shows where its velocity leads in this time
const HIGH = 120; // CSS pixels of the curve
const SECONDS = 3; // from noise to data
const EVERY = 500; // milliseconds between two views while it trains: each costs as much as forty steps
const BREATH = 3000; // milliseconds between two things said while it trains

const percent = (share) => Math.round(100 * share);

export async function mount(stage, settings, kit) {
  const announce = kit.announcer(stage);
  const map = planeMap(kit);
  const history = curves(kit, HIGH);
  const pad = drawing(map, kit, announce, drawn);
  const { centres, near } = wideRing();
  const places = lattice(ARROWS);
  const start = { seed: settings.seed ?? 0 };
  let view;
  let time = 1;

  const training = trainer(stage, kit, "flow-worker.mjs", {
    look: { steps: STEPS, side: ARROWS },
    every: EVERY,
    received(data, current) {
      view = data;
      history.remember(view.steps, view.losses);
      if (training.running() && current && view.left === 0) finish();
    },
    draw,
    turned(running) {
      if (running) play.stop();
      trainButton.textContent = say(running ? "Pause" : "Train");
    },
  });

  /** Once through: the points show their way. */
  function finish() {
    training.rest();
    play.play();
  }

  /** What an array of STEPS + 1 frames of n points holds at a time, on the straight line between two of them. */
  function at(frames, n, t) {
    const k = Math.min(STEPS - 1, Math.floor(t * STEPS));
    const share = t * STEPS - k;
    const [before, after] = [k, k + 1].map((frame) => frames.subarray(2 * n * frame, 2 * n * (frame + 1)));
    return before.map((value, i) => value + share * (after[i] - value));
  }

  function drawArrows() {
    const { context, across, up } = map;
    const field = at(view.field, ARROWS ** 2, time);
    context.strokeStyle = kit.colours().muted;
    context.fillStyle = kit.colours().muted;
    context.lineWidth = 1;
    context.globalAlpha = 0.7;
    context.beginPath();
    for (let i = 0; i < field.length; i += 2) {
      const [a, b] = [places[i], places[i + 1]];
      context.fillRect(across(a) - 1, up(b) - 1, 2, 2);
      context.moveTo(across(a), up(b));
      context.lineTo(across(a + AHEAD * field[i]), up(b + AHEAD * field[i + 1]));
    }
    context.stroke();
    context.globalAlpha = 1;
  }

  function drawMap() {
    const palette = kit.okabeIto();
    const n = view.way.length / 2 / (STEPS + 1);
    map.clear();
    if (pad.dots()) pad.paint();
    else map.circles(centres, near, view.covered.map(() => false));
    if (pad.empty()) return;
    drawArrows();
    // Coloured like slices of a cake, by where in the noise a point starts.
    const slice = (i) => Math.floor((8 * (Math.atan2(view.way[2 * i + 1], view.way[2 * i]) + Math.PI)) / (2 * Math.PI)) % 8;
    map.points(at(view.way, n, time), n, 3, (i) => palette[slice(i)]);
  }

  function drawCurve() {
    const line = ["loss", "", kit.colours().text, []];
    history.draw([{ top: 20, bottom: HIGH - 18, range: history.range(), title: say("loss"), lines: [line] }]);
  }

  function inWords() {
    if (pad.empty()) return say("Nothing is drawn yet: draw on the map.");
    const [arrived, loss] = [percent(view.near), history.last()?.loss.toFixed(2)];
    if (!view.finite) return say("Step {0}: the numbers have run away. Reset.", view.steps);
    if (loss === undefined) return say("Not trained yet.");
    const where = pad.dots() ? say("{0} % of the points end on the drawing.", arrived) : say("{0} % of the points end in a circle.", arrived);
    return say("Step {0}, {1} to go: loss {2}. {3}", view.steps, view.left, loss, where);
  }

  const times = [];
  let said = 0;
  function draw() {
    const started = performance.now();
    drawMap();
    drawCurve();
    const words = inWords();
    pad.label(say("Map of points and velocities at time {0}. {1}", time.toFixed(2), words));
    history.canvas.setAttribute("aria-label", say("The loss over the steps. {0}", words));
    legend.textContent = words;
    Object.assign(stage.dataset, { steps: view.steps, left: view.left, near: percent(view.near), time: time.toFixed(2) });
    const running = training.running();
    if (!play.playing && (!running || started > said + BREATH)) {
      said = started;
      if (!pad.dots() || pad.empty() || running || view.left === 0) announce(words); // of a drawing at rest, the pad tells
    }
    times.push(performance.now() - started);
    if (times.length > 100) times.shift();
  }

  function reset() {
    history.forget();
    training.reset(start.seed);
  }

  /** Another set starts anew. On a drawing that changes, training goes on, also where it was through. */
  function drawn(what) {
    trainButton.disabled = pad.empty();
    if (what !== "brush") training.teach(pad.dots());
    if (what === "set") reset();
    if (view) draw(); // at once: a view may come late, and seldom
  }

  const trainButton = kit.button(say("Train"), () => {
    const running = training.running();
    if (!running && view.left === 0) training.teach(pad.dots()); // as much again
    training.run(!running);
  });
  const clock = kit.slider({ label: say("Time t"), min: 0, max: 1, step: 0.01, value: time }, (value) => {
    play.stop();
    time = value;
    draw();
  });
  const play = player(kit, [say("From noise to data"), say("Stop")], SECONDS, (share) => {
    time = share;
    clock.value = share;
    draw();
  });
  const seed = kit.slider({ label: say("Random start"), min: 0, max: 9, step: 1, value: start.seed, show: String }, (value) => {
    start.seed = value;
    reset();
  });
  const legend = kit.make("p", { class: "legend" });

  stage.prepend(
    kit.make(
      "p",
      { class: "hint" },
      say("Train the velocity, then move the time. Dots: points on their way, coloured by where in the noise they start. Short lines: the velocity, from the thick end on. Circles: the data's clusters, three deviations wide."),
    ),
    kit.make(
      "div",
      { class: "side-by-side" },
      kit.make("div", { class: "views" }, map.canvas, legend, kit.make("div", { class: "buttons" }, trainButton, kit.button(say("Reset"), reset), play), history.canvas),
      kit.make("div", {}, pad.element, clock, seed),
    ),
  );

  reset();
  await training.started;
  return {
    times,
    state: () => ({ steps: view.steps, left: view.left, running: training.running(), ends: Array.from(at(view.way, view.way.length / 2 / (STEPS + 1), 1)) }),
  };
}
