// The page of a run: its own model draws in the reader's browser, by a double click, with nothing to fetch.
// `ort` and `kit` have been put in before; genimg/runs/page.py says what the settings hold.

const { kit, ort } = globalThis;
const root = document.documentElement;
const live = document.getElementById("live");
const state = document.getElementById("state");

const text = (id) => document.getElementById(id).textContent;
const pause = () => new Promise((done) => setTimeout(done)); // lets the page answer between two pieces of work

function bytes(base64) {
  const letters = atob(base64);
  const found = new Uint8Array(letters.length);
  for (let i = 0; i < found.length; i += 1) found[i] = letters.charCodeAt(i);
  return found;
}
const floats = (base64) => new Float32Array(bytes(base64).buffer);

const settings = JSON.parse(text("settings"));
const { shape, noise, places, classes, free, told } = settings; // `told` is null, but of a model that reads captions
const [channels, height, width] = shape;
const length = noise.reduce((product, side) => product * side, 1);
const flows = settings.networks.includes("velocity");
const decodes = flows && settings.networks.includes("picture"); // where the flow ends is a code
const quick = !flows; // a picture takes one pass, not two for each step
const REACH = 3; // of the sliders, in deviations of the noise
const WIDE = 288; // CSS pixels of a large picture, about
const GALLERY = quick ? 12 : 6; // pictures drawn at once
const STOPS = quick ? 60 : 16; // pictures of a walk
const SECONDS = 4; // that it takes at least
const GLANCE = 80; // milliseconds between two looks at a picture that forms
const BUTTONS = 24; // classes; more are a list
const PAUSE = 300; // milliseconds without a key before a caption is read

const random = () => Float32Array.from({ length }, kit.gaussian);
const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);
const directions = floats(settings.directions);
const axes = Array.from({ length: directions.length / length }, (_, k) => directions.subarray(k * length, (k + 1) * length));

const networks = {};
let steps = settings.steps;
let label = free ? classes.length : 0; // of a class; as many as there are stands for none
let [sentence, guidance] = told ? [read(told.some[0]).numbers, told.guidance] : [];
let pictures = new WeakMap(); // noise -> the picture that was drawn of it
const times = []; // milliseconds that each took

let last = Promise.resolve();
/** One piece of work after the other: at once they would only keep each other waiting. */
function inTurn(work) {
  const mine = last.then(work);
  last = mine.catch(() => {});
  return mine;
}

/** The picture (C, H, W) of one noise. Of a flow, `show` is given what it is heading for; null if no longer wanted. */
async function draw(z, stale = () => false, show = () => {}) {
  const known = pictures;
  return known.get(z) ?? inTurn(async () => {
    if (known.has(z) || stale()) return known.get(z) ?? null;
    const started = performance.now();
    const x = flows ? await follow(z, stale, show) : await networks.picture({ z: [z, [1, length]], ...asked() });
    if (!x) return null;
    times.push(performance.now() - started);
    known.set(z, x);
    return x;
  });
}

function asked() {
  if (told) return { words: [Float32Array.from(sentence), [1, told.length]], guidance: [Float32Array.of(guidance), [1]] };
  return classes.length ? { label: [Float32Array.of(label), [1]] } : {};
}

/** From noise to a picture along the velocity, as genimg.models.ode.carry. */
async function follow(z, stale, show) {
  const [count, kind] = [steps, asked()];
  const velocity = (x, t) => networks.velocity({ x: [x, [1, ...places]], t: [Float32Array.of(t), [1]], ...kind });
  const picture = (x) => (decodes ? networks.picture({ code: [x, [1, ...places]] }) : x);
  let looked = performance.now();
  const look = async (way) => {
    if (way.length > count || performance.now() - looked < GLANCE) return false;
    const [before, now] = way.slice(-2);
    const left = count + 2 - way.length; // steps, if the last is taken back
    show(await picture(before.map((value, j) => value + left * (now[j] - value))));
    await pause();
    looked = performance.now();
    return stale();
  };
  const way = await kit.carry(velocity, z, count, "heun", look);
  return way.length > count ? picture(way.at(-1)) : null;
}

const screen = (across, label) => kit.screen(width, height, Math.max(1, Math.round(across / Math.max(width, height))), label);
const paint = (canvas, x) => kit.paint(canvas, x, shape);
const announce = kit.announcer(live);

// New pictures, of which one is chosen.

let drawn = [floats(settings.example.z), ...Array.from({ length: GALLERY - 1 }, random)];
let current = drawn[0];
const gallery = kit.make("div", { class: "gallery", role: "group", "aria-label": "New pictures: press one to change it by hand" });
const thumbs = drawn.map((_, i) => {
  const canvas = screen(72, `New picture ${i + 1}`);
  const thumb = kit.make("button", { type: "button", "aria-pressed": "false", onclick: () => choose(i) }, canvas);
  gallery.append(thumb);
  return { canvas, thumb };
});

const fill = kit.redraws(async (stale) => {
  for (const [i, z] of drawn.entries()) {
    const x = await draw(z, stale, (preview) => paint(thumbs[i].canvas, preview));
    if (!x || stale()) return;
    paint(thumbs[i].canvas, x);
    await pause();
  }
});

const more = kit.button("New pictures", () => {
  drawn = drawn.map(random);
  choose(0);
  [ends.from, ends.to] = drawn;
  otherWalk();
  announce(`${drawn.length} new pictures`);
  return fill();
});

function choose(i) {
  thumbs.forEach(({ thumb }, k) => thumb.setAttribute("aria-pressed", String(k === i)));
  current = drawn[i];
  axes.forEach((axis, k) => (sliders[k].value = dot(current, axis)));
  return one();
}

// One picture, changed along the directions in which pictures change most.

const large = screen(WIDE, "");
const one = kit.redraws(async (stale) => {
  const x = await draw(current, stale, (preview) => paint(large, preview));
  if (!x) return;
  paint(large, x);
  const words = sliders.map((slider, k) => `direction ${k + 1} at ${slider.value.toFixed(1)}`).join(", ");
  large.setAttribute("aria-label", `The chosen picture, ${words}`);
  large.dataset.drawn = Number(large.dataset.drawn ?? 0) + 1;
});

function move(k, value) {
  const by = value - dot(current, axes[k]);
  current = current.map((old, i) => old + by * axes[k][i]);
}

const sliders = axes.map((_, k) =>
  kit.slider({ label: `Direction ${k + 1}`, min: -REACH, max: REACH, step: 0.1, value: 0, show: (v) => v.toFixed(1) }, (value) => {
    move(k, value);
    one();
  }),
);
const level = kit.button("All directions to zero", () => {
  axes.forEach((_, k) => {
    move(k, 0);
    sliders[k].value = 0;
  });
  one();
});

// A walk between two.

const ends = { from: drawn[0], to: drawn[1] };
const [first, second, between] = [screen(72, "Where the walk starts"), screen(72, "Where the walk ends"), screen(WIDE, "")];
let place = 0;
let onTheWay = new Map(); // place -> picture

const stop = kit.redraws(async (stale) => {
  const at = place;
  const way = onTheWay;
  if (!way.has(at)) {
    const z = at === 0 ? ends.from : at === STOPS ? ends.to : kit.between(ends.from, ends.to, at / STOPS);
    const x = await draw(z, stale, (preview) => paint(between, preview));
    if (!x) return;
    way.set(at, x);
  }
  paint(between, way.get(at));
  between.setAttribute("aria-label", `${Math.round((100 * at) / STOPS)} % of the walk`);
  between.dataset.place = at;
});
const showEnds = kit.redraws(async (stale) => {
  for (const [canvas, z] of [[first, ends.from], [second, ends.to]]) {
    const x = await draw(z, stale);
    if (x) paint(canvas, x);
  }
});
function otherWalk() {
  onTheWay = new Map();
  showEnds();
  stop();
}

const way = kit.slider(
  { label: "Way from start to end", min: 0, max: STOPS, step: 1, value: 0, show: (v) => `${Math.round((100 * v) / STOPS)} %` },
  (value) => {
    place = value;
    stop();
  },
);
const start = kit.button("Start at the picture above", () => {
  ends.from = current;
  otherWalk();
});
const end = kit.button("End at the picture above", () => {
  ends.to = current;
  otherWalk();
});

let walking = false;
const walk = kit.button("Walk", async () => {
  walking = !walking;
  walk.textContent = walking ? "Stop" : "Walk";
  for (let by = place < STOPS ? 1 : -1; walking; by = place <= 0 ? 1 : place >= STOPS ? -1 : by) {
    place += by;
    way.value = place;
    await Promise.all([stop(), new Promise((done) => setTimeout(done, (1000 * SECONDS) / STOPS))]);
  }
});
const still = matchMedia("(prefers-reduced-motion: reduce)");
const obey = () => {
  walk.hidden = still.matches; // the slider walks as well, at the reader's own pace
  if (still.matches && walking) walk.click();
};
still.addEventListener("change", obey);
obey();

function anew() {
  pictures = new WeakMap();
  one();
  fill();
  otherWalk();
}

const solver = kit.slider({ label: "Steps from noise to picture", min: 1, max: 40, step: 1, value: steps, show: String }, (value) => {
  steps = value;
  anew();
});

// Of which class the pictures are.

function ask(value) {
  label = Number(value);
  kinds.querySelectorAll("button").forEach((each, i) => each.setAttribute("aria-pressed", String(i === label)));
  announce(`Pictures of ${names[label]}`);
  return anew();
}
const names = classes.length && free ? [...classes, "any class"] : classes;
const kinds =
  names.length > BUTTONS
    ? kit.choice({ label: "Class", options: names.map((name, i) => [String(i), name]), value: String(label) }, ask)
    : kit.make("div", { class: "buttons", role: "group", "aria-label": "Class" }, ...names.map((name, i) => kit.button(name, () => ask(i))));
kinds.querySelectorAll("button").forEach((each, i) => each.setAttribute("aria-pressed", String(i === label)));

// What the pictures show, in words.

/** The words of a text, as genimg.data.captions.split. */
function split(text) {
  const plain = text.normalize("NFKC").toLowerCase().replaceAll("ß", "ss").replaceAll("ς", "σ");
  const parts = plain.replace(/\p{Unified_Ideograph}/gu, " $& ").match(/[\p{L}\p{M}\p{N}]+/gu) ?? [];
  return parts.filter((part) => /[\p{L}\p{N}]/u.test(part));
}

/** The numbers of a text's words, filled up with 0, how many there are, and the unknown ones with the nearest known. */
function read(text) {
  const words = split(text);
  const unknown = [...new Set(words)].filter((word) => !told.words.includes(word)).map((word) => [word, kit.nearest(word, told.words)]);
  const numbers = words.map((word) => told.words.indexOf(word) + 1);
  return { numbers: [...numbers, ...Array(Math.max(0, told.length - words.length)).fill(0)], count: words.length, unknown };
}

function captions() {
  const field = kit.make("input", { type: "text", id: "caption", value: told.some[0], autocomplete: "off", autocapitalize: "off", spellcheck: "false" });
  const problem = kit.make("p", { class: "problem", id: "problem" });
  field.setAttribute("aria-describedby", problem.id);
  const take = () => {
    clearTimeout(timer);
    const { numbers, count, unknown } = read(field.value);
    const problems = unknown.map(([word, near]) => `None of its captions has the word '${word}'; the nearest is '${near}'.`);
    if (count > told.length) problems.push(`These are ${count} words; its longest caption has ${told.length}.`);
    const use = ([word, near]) => kit.button(`Use '${near}'`, () => put(split(field.value).map((one) => (one === word ? near : one)).join(" ")));
    problem.replaceChildren(problems.join(" "), ...unknown.map(use));
    field.setAttribute("aria-invalid", String(problems.length > 0));
    if (problems.length) return announce(problems.join(" "));
    if (String(numbers) === String(sentence)) return undefined;
    sentence = numbers;
    announce(count ? `Pictures of '${field.value.trim()}'` : "Pictures of no caption in particular");
    return anew();
  };
  const put = (text) => {
    field.value = text;
    field.focus();
    return take();
  };
  let timer;
  field.addEventListener("input", ({ isComposing }) => {
    clearTimeout(timer);
    if (!isComposing) timer = setTimeout(take, PAUSE); // letters that will be Chinese are no words
  });
  field.addEventListener("compositionend", take);
  field.addEventListener("keydown", ({ key, isComposing }) => key === "Enter" && !isComposing && take());
  const strength = kit.slider({ label: "Guidance: how far to go in what it says", min: 0, max: 6, step: 0.25, value: guidance }, (value) => {
    guidance = value;
    anew();
  });
  return [
    kit.make("div", { class: "control" }, kit.make("label", { for: field.id }, `Caption, of the ${told.words.length.toLocaleString("en")} words that it knows`), field),
    problem,
    kit.make("div", { class: "buttons", role: "group", "aria-label": "Captions of training" }, ...told.some.map((text) => kit.button(text, () => put(text)))),
    strength,
  ];
}

async function settled() {
  while ([fill, one, stop, showEnds].some((work) => work.busy())) await pause();
}

const heading = (words) => kit.make("h2", {}, words);
const hint = (words) => kit.make("p", { class: "muted" }, words);
const buttons = (...all) => kit.make("div", { class: "buttons" }, ...all);
const controls = (...all) => kit.make("div", { class: "controls" }, ...all);
const beside = (...all) => kit.make("div", { class: "side-by-side" }, ...all);

const stage = kit.make(
  "div", { inert: true }, // its place is kept from the first: nothing moves when the model is there
  heading("New pictures"), ...(told ? captions() : names.length ? [kinds] : []), gallery, buttons(more),
  heading("One picture by hand"),
  hint("Press a picture above to choose it, then move it along the directions in which this model's pictures change most."),
  beside(large, controls(...sliders, ...(quick ? [] : [solver]), buttons(level))),
  heading("A walk between two"),
  beside(between, controls(kit.make("div", { class: "ends" }, first, second), way, buttons(walk, start, end))),
);
live.append(stage);

try {
  await pause();
  const runtime = kit.ready(ort, await kit.gunzip(bytes(text("wasm")).buffer));
  for (const name of settings.networks) {
    networks[name] = await kit.modelOf(runtime, await kit.gunzip(bytes(text(`model-${name}`)).buffer));
  }
  const x = await draw(drawn[0]);
  root.dataset.first = Math.round(performance.now()); // milliseconds since the page was opened
  const expected = bytes(settings.example.picture);
  const levels = Uint8ClampedArray.from(x, (value) => 127.5 * (1 + value));
  root.dataset.off = levels.reduce((most, level, i) => Math.max(most, Math.abs(level - expected[i])), 0);
  root.api = { draw, times, settled, ort, read };
  stage.inert = false;
  root.dataset.state = "live";
  const same = `Its first picture differs from the one that PyTorch drew by at most ${root.dataset.off} of 255 levels.`;
  state.textContent = `The model runs in this page. ${same}`;
  await Promise.all([choose(0), fill(), showEnds(), stop()]);
  const milliseconds = [...times].sort((a, b) => a - b)[times.length >> 1];
  const took = milliseconds < 10 ? milliseconds.toFixed(1) : milliseconds.toFixed(0);
  state.textContent = `The model runs in this page, ${took} ms a picture here. ${same}`;
} catch (error) {
  stage.remove();
  root.dataset.state = "failed";
  state.textContent = "The model could not be started in this browser. The pictures below were drawn before, by the same model.";
  console.warn(error);
}
