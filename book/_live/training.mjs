// Trains beside the page, in a worker: in short slices, and sends a view of it when one is asked for. What is trained,
// the worker's own module says.
//
// To here:   { look } says once what a view shall hold; { settings } changes what is chosen; { dots, lesson } what is
//            drawn, null for the clusters, and its number; { reset: { seed, round } } starts anew; { run: true | false };
//            { step: n }; { show: true } asks for one view, which is sent after the slice at hand.
// From here: { round, lesson, steps, losses, ... }: the numbers of the last reset and of the last data, the steps made,
//            the losses of those since the last view, a list for each name; what more there is, the worker's module
//            says. Float32Arrays are handed over without a copy.

import { sketch } from "./plane.mjs";

const SLICE = 24; // milliseconds of training between two looks at the messages

/**
 * @param {object} what `create(seed)` gives what is trained, with its `data` and its `steps`; `ring()` its data where
 *   nothing is drawn; `step(it, settings)` does one step and gives the losses by name; `view(it, look)` gives what
 *   a view holds, `finite` among it; `learn(it, data)` gives it other data; `done(it)` tells whether it is through
 */
export function serve({ create, ring, step, view, learn, done = () => false }) {
  let [trained, settings, look] = [];
  let [round, lesson] = [0, 0];
  let data = ring();
  let [running, asked] = [false, false];
  let losses = {};

  function once() {
    for (const [name, loss] of Object.entries(step(trained, settings))) (losses[name] ??= []).push(loss);
  }

  function show() {
    asked = false;
    const more = view(trained, look);
    if (!more.finite) running = false;
    const buffers = Object.values(more).filter(ArrayBuffer.isView).map((array) => array.buffer);
    postMessage({ round, lesson, steps: trained.steps, losses, ...more }, buffers);
    losses = {};
  }

  function work() {
    if (!running) return;
    const until = performance.now() + SLICE;
    do once();
    while (performance.now() < until && !done(trained));
    if (done(trained)) running = false;
    if (asked) show();
    setTimeout(work); // messages come in between
  }

  addEventListener("message", ({ data: message }) => {
    if (message.look) look = message.look;
    if (message.settings) settings = message.settings;
    if (message.dots !== undefined) {
      lesson = message.lesson;
      data = message.dots ? sketch(message.dots) : ring();
      if (trained) learn(trained, data);
    }
    if (message.reset !== undefined) {
      round = message.reset.round;
      trained = create(message.reset.seed);
      learn(trained, data);
      losses = {};
    }
    for (let i = 0; i < (message.step ?? 0); i += 1) once();
    if (message.run !== undefined && message.run !== running) {
      running = message.run;
      if (running) setTimeout(work);
    }
    if (message.show) {
      asked = true;
      if (!running) show();
    }
  });
}
