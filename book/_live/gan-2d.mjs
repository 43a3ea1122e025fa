// A GAN on points of the plane that trains in the page, on eight clusters or on what the reader draws: let it collapse,
// then cure it.

import { curves } from "./curves.mjs";
import { drawing } from "./drawing.mjs";
import { COLLAPSE, CURE, LOSSES } from "./gan-core.mjs";
import { SIDE, planeMap } from "./plane-map.mjs";
import { NEAR, ring } from "./plane.mjs";
import { trainer } from "./trainer.mjs";
import { say } from "./words.mjs";

const FIELD = 36; // places of D's field along a side
const HIGH = 210; // CSS pixels of the curves
const SAID = 500; // steps after which the count of clusters is said again, if it has stayed the same
const BREATH = 3000; // milliseconds between two things said while it trains

/** Blue and orange, which most people can tell apart: of Okabe and Ito's, those that show on this ground as lines. */
const ORANGE = [230, 159, 0];
const twoColours = () =>
  document.documentElement.dataset.theme === "dark"
    ? { blue: [86, 180, 233], orange: ORANGE }
    : { blue: [0, 114, 178], orange: [213, 94, 0] };
const css = ([red, green, blue]) => `rgb(${red} ${green} ${blue})`;
const percent = (share) => Math.round(100 * share);

export async function mount(stage, settings, kit) {
  const chosen = { ...COLLAPSE, seed: 0 };
  for (const name of Object.keys(chosen)) chosen[name] = settings[name] ?? chosen[name];
  const { centres } = ring();
  const announce = kit.announcer(stage);
  const map = planeMap(kit);
  const history = curves(kit, HIGH);
  const pad = drawing(map, kit, announce, drawn);
  const small = kit.make("canvas", { width: FIELD, height: FIELD }); // D's field, a pixel for each place; never shown
  let view;

  const training = trainer(stage, kit, "gan-worker.mjs", {
    look: { side: FIELD },
    chosen,
    received(data) {
      view = data;
      history.remember(view.steps, view.losses, { reached: reached() });
    },
    draw,
    turned: (running) => (runButton.textContent = say(running ? "Pause" : "Run")),
  });
  const { ask } = training;

  /** How many clusters are covered, or what share of a drawing, in per cent. */
  const reached = () => {
    const count = view.covered.filter(Boolean).length;
    return pad.dots() ? percent(count / Math.max(1, view.covered.length)) : count;
  };

  function drawMap() {
    const { text } = kit.colours();
    const { blue } = twoColours();
    map.clear();
    const pixels = small.getContext("2d").createImageData(FIELD, FIELD);
    const sure = view.field.map((logit) => Math.tanh((logit - view.middle) / 2));
    const surest = sure.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-9);
    sure.forEach((value, i) => {
      pixels.data.set(value > 0 ? ORANGE : blue, 4 * i);
      pixels.data[4 * i + 3] = 170 * (Math.abs(value) / surest) ** 0.7; // so that the border between the two is seen
    });
    small.getContext("2d").putImageData(pixels, 0, 0);
    if (!pad.empty()) map.context.drawImage(small, 0, 0, SIDE, SIDE);
    if (pad.dots()) pad.paint();
    else map.circles(centres, NEAR, view.covered);
    map.points(view.samples, 500, 2, () => text);
  }

  function drawCurves() {
    const { blue, orange } = twoColours();
    const { text } = kit.colours();
    const [most, title] = pad.dots() ? [100, say("drawing covered, %")] : [8, say("clusters")];
    history.draw([
      { top: 20, bottom: 112, range: history.range(), title: say("loss"), lines: [["d", "D", css(blue), []], ["g", "G", css(orange), [4, 2]]] },
      { top: 140, bottom: 190, range: [0, most], title, lines: [["reached", "", text, []]] },
    ]);
  }

  function inWords() {
    if (pad.empty()) return say("Nothing is drawn yet: draw on the map.");
    if (!view.finite) return say("Step {0}: the numbers have run away. Reset, with a smaller rate or a penalty.", view.steps);
    if (!pad.dots()) return say("Step {0}: {1} of {2} clusters covered.", view.steps, reached(), centres.length);
    return say("Step {0}: {1} % of the drawing covered; {2} % of the samples lie on it.", view.steps, reached(), percent(view.near));
  }

  const times = [];
  let said = { at: 0 };
  function draw() {
    const started = performance.now();
    drawMap();
    drawCurves();
    const words = inWords();
    pad.label(say("Map of samples, data and D's opinion. {0}", words));
    const { d, g } = history.last() ?? {};
    const losses = d === undefined ? say("No step yet.") : say("Loss of D {0}, of G {1}.", d.toFixed(2), g.toFixed(2));
    history.canvas.setAttribute("aria-label", say("Losses and coverage over the steps. {0}", losses));
    const [lowest, highest] = [Math.min(...view.field), Math.max(...view.field)].map((logit) => logit.toFixed(2));
    legend.textContent = say("{0} {1} Logit of D from {2} to {3}.", words, losses, lowest, highest);
    Object.assign(stage.dataset, { steps: view.steps, reached: reached(), near: percent(view.near) });
    const news = !pad.dots() && reached() !== said.reached;
    const running = training.running();
    if (!running || ((news || view.steps >= said.steps + SAID) && started > said.at + BREATH)) {
      said = { reached: reached(), steps: view.steps, at: started };
      if (!pad.dots() || pad.empty() || running) announce(words); // of a drawing at rest, the pad tells
    }
    times.push(performance.now() - started);
    if (times.length > 100) times.shift();
  }

  function reset() {
    history.forget();
    training.reset(chosen.seed);
  }

  /** Another set starts anew; on a drawing that grows, training goes on. */
  function drawn(what) {
    for (const button of [runButton, stepButton, collapse, cure]) button.disabled = pad.empty();
    if (what !== "brush") training.teach(pad.dots());
    if (what === "set") reset();
    if (view) draw(); // at once: a view may come late, and seldom
  }

  function choose(changes) {
    Object.assign(chosen, changes);
    loss.value = chosen.loss;
    penalty.value = charged();
    if (chosen.r1) gamma.value = chosen.r1;
    weigh();
    rateG.value = asOctave(chosen.rateG);
    rateD.value = asOctave(chosen.rateD);
    beta1.value = chosen.beta1;
    ask();
  }

  const runButton = kit.button(say("Run"), () => training.run(!training.running()));
  const stepButton = kit.button(say("One step"), () => ask({ step: 1 }));
  const collapse = kit.button(say("Let it collapse"), () => {
    choose(COLLAPSE);
    reset();
    training.run(true);
  });
  const cure = kit.button(say("Cure it"), () => {
    choose(CURE);
    training.run(true);
  });
  const buttons = kit.make("div", { class: "buttons" }, runButton, stepButton, kit.button(say("Reset"), reset), collapse, cure);
  const change = (name) => (value) => {
    chosen[name] = value;
    ask();
  };
  const loss = kit.choice(
    {
      label: say("Loss"),
      options: Object.keys(LOSSES).map((name) => [name, say(name === "wasserstein" ? "wasserstein (needs a penalty)" : name.replace("_", "-"))]),
      value: chosen.loss,
    },
    change("loss"),
  );
  const charged = () => (chosen.r1 ? (chosen.r2 ? "both" : "r1") : "none");
  const weigh = () => (gamma.querySelector("input").disabled = penalty.value === "none"); // a weight of nothing
  const charge = () => {
    weigh();
    chosen.r1 = penalty.value === "none" ? 0 : gamma.value;
    chosen.r2 = penalty.value === "both" ? gamma.value : 0;
    ask();
  };
  const penalty = kit.choice(
    { label: say("Penalty"), options: [["none", say("none")], ["r1", "R1"], ["both", say("R1 and R2")]], value: charged() },
    charge,
  );
  const gamma = kit.slider({ label: say("Its weight γ"), min: 0.5, max: 10, step: 0.5, value: chosen.r1 || CURE.r1, show: String }, charge);
  weigh();
  // Rates in half octaves around a thousandth, so that all rates of the two buttons lie on the slider.
  const [asRate, asOctave] = [(octave) => 0.001 * 2 ** octave, (rate) => Math.log2(rate / 0.001)];
  const rate = (label, name) =>
    kit.slider(
      { label, min: -3, max: 4, step: 0.5, value: asOctave(chosen[name]), show: (octave) => String(+asRate(octave).toPrecision(2)) },
      (octave) => change(name)(asRate(octave)),
    );
  const rateG = rate(say("Learning rate of G"), "rateG");
  const rateD = rate(say("Learning rate of D"), "rateD");
  const beta1 = kit.slider({ label: say("Momentum β₁"), min: 0, max: 0.95, step: 0.05, value: chosen.beta1 }, change("beta1"));
  const seed = kit.slider({ label: say("Random start"), min: 0, max: 9, step: 1, value: chosen.seed, show: String }, (value) => {
    chosen.seed = value;
    reset();
  });
  const legend = kit.make("p", { class: "legend" });

  stage.prepend(
    kit.make(
      "p",
      { class: "hint" },
      say("Dots: samples. Circles: the data's clusters, bold where covered. Ground: D's opinion. Orange places are to it more like the data, blue ones more like the samples; the fuller the colour, the surer it is."),
    ),
    kit.make(
      "div",
      { class: "side-by-side" },
      kit.make("div", { class: "views" }, map.canvas, legend, buttons, history.canvas), // on a phone, all that one watches in one window
      kit.make("div", {}, pad.element, loss, penalty, gamma, rateG, rateD, beta1, seed),
    ),
  );

  reset();
  await training.started;
  return { times, state: () => ({ steps: view.steps, covered: view.covered, running: training.running(), chosen: { ...chosen } }) };
}
