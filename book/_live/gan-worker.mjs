// Trains the game of gan-core.mjs beside the page: in short slices, and sends a picture of it when one is asked for.
//
// To here:   { reset: { seed, round } } starts anew; { settings } changes what is chosen; { run: true | false }; { step: n };
//            { show: true } asks for one view, which is sent after the slice at hand.
// From here: { round, steps, d, g, samples, field, middle, covered, finite }: round is that of the last reset, d and g are the
//            losses of the steps since the last view, samples (1000, 2) and field (side * side) are Float32Arrays,
//            handed over without a copy.

import { Game } from "./gan-core.mjs";

const SLICE = 24; // milliseconds of training between two looks at the messages

let game;
let round;
let settings;
let field;
let running = false;
let asked = false;
let losses = { d: [], g: [] };

function step() {
  const { d, g } = game.step(settings);
  losses.d.push(d);
  losses.g.push(g);
}

function show() {
  asked = false;
  const { points, covered, finite } = game.look();
  if (!finite) running = false;
  const view = {
    round,
    steps: game.steps,
    ...losses,
    samples: Float32Array.from(points),
    field: Float32Array.from(game.field(field.side, field.reach)),
    middle: game.middle(points),
    covered,
    finite,
  };
  losses = { d: [], g: [] };
  postMessage(view, [view.samples.buffer, view.field.buffer]);
}

function work() {
  if (!running) return;
  const until = performance.now() + SLICE;
  do step();
  while (performance.now() < until);
  if (asked) show();
  setTimeout(work); // messages come in between
}

addEventListener("message", ({ data }) => {
  if (data.field) field = data.field;
  if (data.settings) settings = data.settings;
  if (data.reset !== undefined) {
    round = data.reset.round;
    game = new Game(data.reset.seed);
    losses = { d: [], g: [] };
  }
  if (data.step) for (let i = 0; i < data.step; i += 1) step();
  if (data.run !== undefined && data.run !== running) {
    running = data.run;
    if (running) setTimeout(work);
  }
  if (data.show) {
    asked = true;
    if (!running) show();
  }
});
