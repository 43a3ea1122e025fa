// What all live pages share: models, labelled controls, pictures, words for screen readers, motion.

/** Bytes as they were before gzip, or as they are where they have been unpacked already. */
export async function gunzip(bytes) {
  const [first, second] = new Uint8Array(bytes, 0, 2);
  if (first !== 0x1f || second !== 0x8b) return bytes;
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}

/** onnxruntime-web, ready to run: its module, with its WebAssembly as bytes. */
export function ready(ort, wasm) {
  ort.env.wasm.wasmBinary = wasm;
  ort.env.wasm.numThreads = 1; // more would need headers that static hosts cannot set
  return ort;
}

/**
 * A model as a function of its inputs.
 * @param {object} ort from `ready`
 * @param {ArrayBuffer} bytes the model in ONNX
 * @returns {Promise<(inputs: Object<string, [Float32Array, number[]]>) => Promise<Float32Array>>}
 *   takes each input's values and shape, gives the first output's values
 */
export async function modelOf(ort, bytes) {
  const session = await ort.InferenceSession.create(new Uint8Array(bytes), { executionProviders: ["wasm"] });
  return async (inputs) => {
    const feeds = {};
    for (const [name, [values, shape]] of Object.entries(inputs)) feeds[name] = new ort.Tensor("float32", values, shape);
    return (await session.run(feeds))[session.outputNames[0]].data;
  };
}

/** An element with attributes and children; `on…` attributes are listeners. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

let counter = 0;
const fresh = (prefix) => `${prefix}-${(counter += 1)}`;

/**
 * A labelled slider with its value beside it.
 * @param {{label: string, min: number, max: number, step: number, value: number, show?: (v: number) => string}} options
 * @param {(v: number) => void} changed called while it moves
 * @returns {HTMLElement & {value: number}} a row; setting `value` moves the slider and calls nothing
 */
export function slider({ label, min, max, step, value, show = (v) => v.toFixed(2) }, changed) {
  const id = fresh("slider");
  const input = make("input", { type: "range", id, min, max, step });
  const output = make("output", { for: id });
  const put = (v) => {
    input.value = v;
    output.textContent = show(Number(input.value));
    input.setAttribute("aria-valuetext", output.textContent);
  };
  input.addEventListener("input", () => {
    put(input.value);
    changed(Number(input.value));
  });
  put(value);
  const row = make("div", { class: "control" }, make("label", { for: id }, label), input, output);
  Object.defineProperty(row, "value", { get: () => Number(input.value), set: put });
  return row;
}

/**
 * A labelled choice.
 * @param {{label: string, options: [string, string][], value: string}} options values and their names
 * @returns {HTMLElement & {value: string}}
 */
export function choice({ label, options, value }, changed) {
  const id = fresh("choice");
  const select = make("select", { id }, ...options.map(([v, name]) => make("option", { value: v }, name)));
  select.value = value;
  select.addEventListener("change", () => changed(select.value));
  const row = make("div", { class: "control" }, make("label", { for: id }, label), select);
  Object.defineProperty(row, "value", { get: () => select.value, set: (v) => (select.value = v) });
  return row;
}

/** A labelled box to tick. */
export function tick({ label, value }, changed) {
  const id = fresh("tick");
  const input = make("input", { type: "checkbox", id, onchange: () => changed(input.checked) });
  input.checked = value;
  const row = make("div", { class: "control tick" }, input, make("label", { for: id }, label));
  Object.defineProperty(row, "value", { get: () => input.checked, set: (v) => (input.checked = v) });
  return row;
}

export function button(label, pressed) {
  return make("button", { type: "button", class: "control", onclick: pressed }, label);
}

/** Says what changed, to screen readers: once the changes have paused for a moment. */
export function announcer(stage) {
  const line = make("p", { class: "announcement", role: "status", "aria-live": "polite" });
  stage.append(line);
  let timer;
  return (text) => {
    clearTimeout(timer);
    timer = setTimeout(() => (line.textContent = text), 400);
  };
}

/** Whether the reader asked for less motion. Read it each time: the setting can change. */
export const stillness = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/** A canvas for pictures of `size` pixels, drawn `scale` times as large; its label says what it shows. */
export function screen(width, height, scale, label) {
  const canvas = make("canvas", { width, height, role: "img", "aria-label": label, class: "pixels" });
  canvas.style.width = `${width * scale}px`;
  return canvas;
}

/**
 * Draws one picture, (C, H, W) values in [-1, 1] with C of 1, 3 or 4, with its top left corner at (x, y). Of 4 the last
 * is opacity, by which the others are multiplied.
 */
export function paint(canvas, values, [channels, height, width], x = 0, y = 0) {
  const context = canvas.getContext("2d");
  const picture = context.createImageData(width, height);
  const plane = height * width;
  for (let i = 0; i < plane; i += 1) {
    const opacity = channels === 4 ? (1 + values[3 * plane + i]) / 2 : 1;
    for (let c = 0; c < 3; c += 1) {
      const colour = 127.5 * (1 + values[(channels === 1 ? 0 : c * plane) + i]);
      picture.data[4 * i + c] = opacity > 0 ? colour / opacity : 0;
    }
    picture.data[4 * i + 3] = 255 * opacity;
  }
  context.putImageData(picture, x, y);
}

/** A drawing surface of `width` by `height` CSS pixels that is sharp on fine screens. */
export function sheet(width, height, label) {
  const canvas = make("canvas", { role: "img", "aria-label": label });
  const ratio = Math.min(3, window.devicePixelRatio || 1);
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  canvas.style.width = `${width}px`;
  canvas.style.aspectRatio = `${width} / ${height}`;
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  return { canvas, context };
}

/**
 * Runs `work` once now and, if asked again meanwhile, once more afterwards: fast drags never queue up. Work that takes
 * long may ask, by the function that it is given, whether it is no longer wanted.
 * The milliseconds that each run took are kept in `redraws.times` (the last hundred); `redraws.busy` asks.
 */
export function redraws(work) {
  let busy = false;
  let again = false;
  const run = async () => {
    if (busy) {
      again = true;
      return;
    }
    busy = true;
    try {
      do {
        again = false;
        const started = performance.now();
        await work(() => again);
        run.times.push(performance.now() - started);
        if (run.times.length > 100) run.times.shift();
      } while (again);
    } finally {
      busy = false;
    }
  };
  run.times = [];
  run.busy = () => busy;
  return run;
}

/** The colours of the page, so that drawings follow light and dark. */
export function colours() {
  const style = getComputedStyle(document.documentElement);
  const read = (name, otherwise) => style.getPropertyValue(name).trim() || otherwise;
  return {
    text: read("--pst-color-text-base", "#323232"),
    muted: read("--pst-color-text-muted", "#646464"),
    ground: read("--pst-color-background", "#ffffff"),
    line: read("--pst-color-border", "#c9c9c9"),
  };
}

/** Calls `redraw` whenever the page turns light or dark. */
export function onTheme(redraw) {
  new MutationObserver(redraw).observe(document.documentElement, { attributeFilter: ["data-theme"] });
}

/** The colours of the book's figures: of classes, as matplotlib's tab10, and Okabe and Ito's, whose last is black. */
export const CLASSES = ["#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#a0695c", "#e377c2", "#7f7f7f", "#aaab20", "#17becf"];
export const okabeIto = () => ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F7F7F", colours().text];

/** A draw from N(0, 1), by Box and Muller. */
export const gaussian = () => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());

/** The point at a share of the arc from one vector to another, as `genimg.plots.between`. */
export function between(from, to, share) {
  const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);
  const cosine = dot(from, to) / Math.sqrt(dot(from, from) * dot(to, to));
  const angle = Math.acos(Math.max(-1, Math.min(1, cosine)));
  if (angle < 1e-4) return from.map((value, i) => value + share * (to[i] - value));
  const [a, b] = [Math.sin((1 - share) * angle), Math.sin(share * angle)];
  return from.map((value, i) => (a * value + b * to[i]) / Math.sin(angle));
}

/**
 * Follows a flow from noise to what it draws as genimg.models.ode.carry does: the last step is Euler's.
 * @param {(x: Float32Array, t: number) => Promise<Float32Array>} velocity
 * @param {(way: Float32Array[]) => boolean | Promise<boolean>} seen called after each step; what it gives ends the way
 * @returns {Promise<Float32Array[]>} the places after 0, 1, … steps
 */
export async function carry(velocity, noise, steps, solver, seen = () => false) {
  const way = [noise];
  for (let i = 0; i < steps; i += 1) {
    const x = way[i];
    let v = await velocity(x, i / steps);
    if (solver === "heun" && i < steps - 1) {
      const ahead = await velocity(x.map((value, j) => value + v[j] / steps), (i + 1) / steps);
      v = v.map((value, j) => (value + ahead[j]) / 2);
    }
    way.push(x.map((value, j) => value + v[j] / steps));
    if (await seen(way)) break;
  }
  return way;
}

/**
 * How alike two words are, from 0 to 1: twice what they share over their length, by the longest shared pieces (Ratcliff
 * and Obershelp), as Python's difflib has it.
 */
export function likeness(a, b) {
  const shared = (a, b) => {
    let [size, i, j] = [0, 0, 0];
    for (let p = 0; p < a.length; p += 1) {
      for (let q = 0; q < b.length; q += 1) {
        let k = 0;
        while (p + k < a.length && q + k < b.length && a[p + k] === b[q + k]) k += 1;
        if (k > size) [size, i, j] = [k, p, q];
      }
    }
    if (!size) return 0;
    return size + shared(a.slice(0, i), b.slice(0, j)) + shared(a.slice(i + size), b.slice(j + size));
  };
  return (2 * shared(a, b)) / (a.length + b.length);
}

/** Of the known words the one that is most like a word, as genimg.data.sentences.nearest. */
export function nearest(word, known) {
  let [best, most] = [undefined, -1];
  for (const one of known) {
    const like = likeness(one, word);
    if (like > most || (like === most && one > best)) [best, most] = [one, like];
  }
  return best;
}
