// A GAN on eight clusters that trains in the page: let it collapse, then cure it.

import { COLLAPSE, CURE, LOSSES, ring } from "./gan-core.mjs";
import { say } from "./words.mjs";

const SIDE = 340; // CSS pixels of the map
const REACH = 3;
const FIELD = 36; // places of D's field along a side
const [WIDE, HIGH] = [340, 210]; // CSS pixels of the curves
const LEFT = 34; // room for their axis
const KEPT = 600; // points of a curve at most: beyond, two are made one
const STILL = 1000; // milliseconds between two views, where less motion is wanted
const SAID = 500; // steps after which the count of clusters is said again, if it has stayed the same
const BREATH = 3000; // milliseconds between two things said while it trains

/** Blue and orange, which most people can tell apart: of Okabe and Ito's, those that show on this ground as lines. */
const ORANGE = [230, 159, 0];
const twoColours = () =>
  document.documentElement.dataset.theme === "dark"
    ? { blue: [86, 180, 233], orange: ORANGE }
    : { blue: [0, 114, 178], orange: [213, 94, 0] };
const short = (value) => +(Math.abs(value) < 1 ? value.toFixed(2) : value.toPrecision(2)); // fits beside the axis
const css = ([red, green, blue]) => `rgb(${red} ${green} ${blue})`;

export async function mount(stage, settings, kit) {
  const chosen = { ...COLLAPSE, seed: 0 };
  for (const name of Object.keys(chosen)) chosen[name] = settings[name] ?? chosen[name];
  const { centres } = ring();
  const announce = kit.announcer(stage);
  const worker = new Worker(new URL("gan-worker.mjs", import.meta.url), { type: "module" });
  const { canvas: map, context: onMap } = kit.sheet(SIDE, SIDE, "");
  const { canvas: curves, context: onCurves } = kit.sheet(WIDE, HIGH, "");
  const small = kit.make("canvas", { width: FIELD, height: FIELD }); // D's field, a pixel for each place; never shown
  let view;
  let running = false;
  let seen; // of losses and clusters: [steps, d, g, clusters], thinned out as they grow
  let round = 0; // counts resets
  let each; // steps that one point of the curves stands for

  const ask = (message = {}) => worker.postMessage({ settings: { ...chosen }, ...message, show: true });

  function remember({ steps, d, g, covered }) {
    const clusters = covered.filter(Boolean).length;
    const first = steps - d.length;
    for (let i = 0; i < d.length; i += 1) {
      const step = first + i + 1;
      const last = seen.at(-1);
      if (last && last.count < each) {
        last.d += (d[i] - last.d) / (last.count + 1);
        last.g += (g[i] - last.g) / (last.count + 1);
        Object.assign(last, { step, clusters, count: last.count + 1 });
      } else seen.push({ step, d: d[i], g: g[i], clusters, count: 1 });
    }
    if (seen.length > KEPT) {
      each *= 2;
      seen = seen.flatMap((a, i) => {
        const b = seen[i + 1];
        if (i % 2) return [];
        return b ? [{ ...b, d: (a.d + b.d) / 2, g: (a.g + b.g) / 2, count: a.count + b.count }] : [a];
      });
    }
  }

  const across = (value) => ((value + REACH) / (2 * REACH)) * SIDE;

  function drawMap() {
    const { text, ground, muted } = kit.colours();
    const { blue } = twoColours();
    onMap.fillStyle = ground;
    onMap.fillRect(0, 0, SIDE, SIDE);
    const pixels = small.getContext("2d").createImageData(FIELD, FIELD);
    const sure = view.field.map((logit) => Math.tanh((logit - view.middle) / 2));
    const surest = sure.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-9);
    sure.forEach((value, i) => {
      pixels.data.set(value > 0 ? ORANGE : blue, 4 * i);
      pixels.data[4 * i + 3] = 170 * (Math.abs(value) / surest) ** 0.7; // so that the border between the two is seen
    });
    small.getContext("2d").putImageData(pixels, 0, 0);
    onMap.drawImage(small, 0, 0, SIDE, SIDE);
    centres.forEach(([a, b], k) => {
      onMap.beginPath();
      onMap.arc(across(a), SIDE - across(b), across(0.2) - across(0), 0, 2 * Math.PI);
      onMap.lineWidth = view.covered[k] ? 3 : 1.2;
      onMap.strokeStyle = view.covered[k] ? text : muted;
      onMap.stroke();
    });
    onMap.fillStyle = text;
    for (let i = 0; i < 2 * 500; i += 2) {
      onMap.fillRect(across(view.samples[i]) - 1, SIDE - across(view.samples[i + 1]) - 1, 2, 2);
    }
  }

  function drawCurves() {
    const { text, ground, line } = kit.colours();
    const { blue, orange } = twoColours();
    onCurves.fillStyle = ground;
    onCurves.fillRect(0, 0, WIDE, HIGH);
    onCurves.lineJoin = "round"; // no spikes beyond the values
    onCurves.font = "11px system-ui, sans-serif";
    const last = seen.at(-1);
    const steps = Math.max(100, last?.step ?? 0);
    const x = (step) => LEFT + (step / steps) * (WIDE - LEFT - 6);
    // Above, the losses, between what they reached in the last half: the first steps may be far off.
    const late = seen.filter(({ step }) => step >= last.step / 2).flatMap(({ d, g }) => [d, g]);
    const [low, high] = [Math.min(0, ...late), Math.max(1, ...late)];
    panel(20, 112, low, high, say("loss"), [["d", "D", css(blue), []], ["g", "G", css(orange), [4, 2]]]);
    panel(140, 190, 0, 8, say("clusters"), [["clusters", "", text, []]]);
    onCurves.fillStyle = text;
    onCurves.textAlign = "left";
    onCurves.fillText("0", LEFT, HIGH - 5);
    onCurves.textAlign = "right";
    onCurves.fillText(say("{0} steps", steps), WIDE - 6, HIGH - 5);

    function panel(top, bottom, least, most, title, lines) {
      const y = (value) => bottom - ((Math.max(least, Math.min(most, value)) - least) / (most - least)) * (bottom - top);
      onCurves.strokeStyle = line;
      onCurves.lineWidth = 1;
      onCurves.strokeRect(LEFT, top, WIDE - LEFT - 6, bottom - top);
      onCurves.fillStyle = text;
      onCurves.textAlign = "right";
      onCurves.fillText(short(most), LEFT - 4, top + 8);
      onCurves.fillText(short(least), LEFT - 4, bottom);
      onCurves.textAlign = "left";
      onCurves.fillText(title, LEFT, top - 5);
      let right = WIDE - 8;
      for (const [name, label, colour, dashes] of lines.toReversed()) {
        onCurves.setLineDash(dashes);
        onCurves.strokeStyle = colour;
        onCurves.lineWidth = 1.5;
        onCurves.beginPath();
        for (const point of seen) onCurves.lineTo(x(point.step), y(point[name]));
        onCurves.stroke();
        if (last) {
          onCurves.fillStyle = colour; // where the curve has come to: seen from the first step on
          onCurves.fillRect(x(last.step) - 2, y(last[name]) - 2, 4, 4);
          onCurves.fillStyle = text;
        }
        if (!label) continue;
        onCurves.beginPath();
        onCurves.moveTo(right - 34, top - 9);
        onCurves.lineTo(right - 14, top - 9);
        onCurves.stroke();
        onCurves.fillText(label, right - 10, top - 5);
        right -= 44;
      }
      onCurves.setLineDash([]);
    }
  }

  const times = [];
  let said = { at: 0 };
  function draw() {
    const started = performance.now();
    drawMap();
    drawCurves();
    const clusters = view.covered.filter(Boolean).length;
    const words = view.finite
      ? say("Step {0}: {1} of {2} clusters covered.", view.steps, clusters, centres.length)
      : say("Step {0}: the numbers have run away. Reset, with a smaller rate or a penalty.", view.steps);
    map.setAttribute("aria-label", say("Map of samples, clusters and D's opinion. {0}", words));
    const { d, g } = seen.at(-1) ?? {};
    const losses = d === undefined ? say("No step yet.") : say("Loss of D {0}, of G {1}.", d.toFixed(2), g.toFixed(2));
    curves.setAttribute("aria-label", say("Losses and clusters over the steps. {0}", losses));
    const [lowest, highest] = [Math.min(...view.field), Math.max(...view.field)].map((logit) => logit.toFixed(2));
    legend.textContent = say("{0} {1} Logit of D from {2} to {3}.", words, losses, lowest, highest);
    Object.assign(stage.dataset, { steps: view.steps, clusters });
    const news = clusters !== said.clusters || view.steps >= said.steps + SAID;
    if (!running || (news && started > said.at + BREATH)) {
      said = { clusters, steps: view.steps, at: started };
      announce(words);
    }
    times.push(performance.now() - started);
    if (times.length > 100) times.shift();
  }

  let drawnOnce;
  const first = new Promise((resolve) => (drawnOnce = resolve));
  let shown = 0;
  let timer;
  worker.onmessage = ({ data }) => {
    if (data.round !== round) return; // of the run before the last reset
    view = data;
    remember(data);
    if (running && !data.finite) setRunning(false);
    const wait = running && kit.stillness() ? STILL - (performance.now() - shown) : 0;
    clearTimeout(timer); // what comes before the last view was drawn takes its place
    timer = setTimeout(
      () =>
        requestAnimationFrame(() => {
          shown = performance.now();
          draw();
          drawnOnce();
          if (running) ask();
        }),
      wait,
    );
  };
  const failed = new Promise((_, reject) => {
    worker.onerror = (error) => reject(new Error(error.message));
  });

  function setRunning(wanted) {
    running = wanted;
    runButton.textContent = say(running ? "Pause" : "Run");
    ask({ run: running });
  }
  function reset() {
    running = false;
    runButton.textContent = say("Run");
    [seen, each] = [[], 1];
    round += 1;
    ask({ run: false, reset: { seed: chosen.seed, round } });
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

  const runButton = kit.button(say("Run"), () => setRunning(!running));
  const buttons = kit.make(
    "div",
    { class: "buttons" },
    runButton,
    kit.button(say("One step"), () => ask({ step: 1 })),
    kit.button(say("Reset"), reset),
    kit.button(say("Let it collapse"), () => {
      choose(COLLAPSE);
      reset();
      setRunning(true);
    }),
    kit.button(say("Cure it"), () => {
      choose(CURE);
      setRunning(true);
    }),
  );
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
      say("Dots: samples. Circles: the data's clusters, bold where covered. Ground: D's opinion. Orange places are to it more like the clusters, blue ones more like the samples; the fuller the colour, the surer it is."),
    ),
    kit.make(
      "div",
      { class: "side-by-side" },
      kit.make("div", { class: "views" }, map, legend, buttons, curves), // on a phone, all that one watches in one window
      kit.make("div", {}, loss, penalty, gamma, rateG, rateD, beta1, seed),
    ),
  );

  // Nobody watches: nothing is computed.
  const hide = () => running && setRunning(false);
  document.addEventListener("visibilitychange", () => document.hidden && hide());
  new IntersectionObserver(([entry]) => !entry.isIntersecting && hide()).observe(stage);
  kit.onTheme(() => view && draw());

  worker.postMessage({ field: { side: FIELD, reach: REACH } });
  reset();
  await Promise.race([first, failed]);
  return { times, state: () => ({ steps: view.steps, covered: view.covered, running, chosen: { ...chosen } }) };
}
