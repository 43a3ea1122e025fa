// A sentence becomes a picture: the reader writes it or chooses its words, and the flow carries noise to its picture.

import { language, layout } from "./sentence-core.mjs";
import { say } from "./words.mjs";

const FACTOR = 9; // of the picture's pixels
const SMALL = 96; // CSS pixels of the pictures beside it
const PAUSE = 250; // ms without a key before a sentence is read
const SECONDS = 3; // from noise to picture, when played again
const COUNTS = [1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 40, 60]; // steps

export async function mount(stage, settings, kit) {
  const { shape, places, noise, scene: look } = settings;
  const [velocity, decode] = await Promise.all([kit.loadModel(settings.models.velocity), kit.loadModel(settings.models.decoder)]);
  const tongue = language(settings.language, kit.nearest);
  const words = settings.language.words;
  const here = document.documentElement.lang.startsWith("zh") ? "zh" : "en";
  const announce = kit.announcer(stage);
  const unseen = new Set(settings.unseen.map(String));

  let whole = tongue.read(settings.text).scene; // the last whole sentence: what the choices show
  let said = sentenceOf(tongue.write(whole, here)); // what is drawn
  let [steps, guidance, time] = [settings.steps, settings.guidance, 1];
  let [number, start] = [1, Float32Array.from(noise[0])];
  let way = [start]; // codes after each step
  let made; // what the large picture is of, once it is finished

  // The sentence, as text and word by word.
  const field = stage.querySelector("input"); // where the reader may be writing already
  if (field.value === settings.text) field.value = said.text;
  const problem = kit.make("p", { class: "problem", id: `${field.id}-problem` });
  field.setAttribute("aria-describedby", problem.id);
  const slots = [
    [say("First colour"), 1, (s) => s.colour, 0],
    [say("First shape"), 0, (s) => s.kind, 0],
    [say("Where it lies"), 2, (s) => s, "relation"],
    [say("Second colour"), 1, (s) => s.colour, 1],
    [say("Second shape"), 0, (s) => s.kind, 1],
  ];
  const named = (part, name) => (part === 2 ? settings.language.relations[name] : words[name][part]);
  const choices = slots.map(([label, part, list, at]) =>
    kit.choice({ label, options: named(part, here).map((word, i) => [String(i), word]), value: String(list(whole)[at]) }, (value) => {
      const next = structuredClone(whole);
      list(next)[at] = Number(value);
      writeOut(next);
    }),
  );

  function writeOut(scene) {
    field.value = tongue.write(scene, scene.name);
    take();
  }

  function sentenceOf(written) {
    const { numbers, scene, unknown, count } = tongue.read(written);
    return { text: written.trim(), numbers, scene, unknown, count };
  }

  /** Reads what is written, says what is not understood, and draws; gives nothing where there is nothing to draw. */
  function take() {
    const read = sentenceOf(field.value);
    const { unknown, count, scene } = read;
    const { length } = settings.language;
    const problems = unknown.map(([word, near]) => say("No word '{0}' here; the nearest is '{1}'.", word, near));
    if (count > length) problems.push(say("{0} words that say something; a sentence has at most {1}.", count, length));
    if (!count && !unknown.length) problems.push(say("Nothing is said yet."));
    field.setAttribute("aria-invalid", String(problems.length > 0));
    const fixes = unknown.map(([word, near]) =>
      kit.button(say("Use '{0}'", near), () => {
        field.value = tongue.replaced(field.value, word, near);
        field.focus();
        take();
      }),
    );
    problem.replaceChildren(problems.join(" "), ...fixes);
    if (problems.length) {
      stage.dataset.problem = problems.join(" ");
      announce(problems.join(" "));
      return undefined;
    }
    delete stage.dataset.problem;
    said = read;
    if (scene) show(scene);
    asked.parentElement.hidden = !scene;
    return draw();
  }

  function show(scene) {
    whole = scene;
    slots.forEach(([, part, list, at], i) => {
      const options = named(part, scene.name).map((word, j) => kit.make("option", { value: j }, word));
      choices[i].querySelector("select").replaceChildren(...options);
      choices[i].value = String(list(scene)[at]);
    });
    drawAsked(scene);
  }

  let pause;
  const soon = () => {
    clearTimeout(pause);
    pause = setTimeout(take, PAUSE);
  };
  field.addEventListener("input", (event) => event.isComposing || soon()); // letters that will be Chinese are no words
  field.addEventListener("compositionend", soon);
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing) return;
    clearTimeout(pause);
    take();
  });

  // The pictures.
  const large = kit.screen(shape[2], shape[1], FACTOR, "");
  const before = kit.screen(shape[2], shape[1], SMALL / shape[2], say("The picture before"));
  const { canvas: asked, context } = kit.sheet(SMALL, SMALL, "");
  const beforeSays = kit.make("figcaption");
  const legend = kit.make("p", { class: "legend" });

  /** What the sentence asks for, drawn by its words alone. */
  function drawAsked({ kind, colour, relation }) {
    const { line } = kit.colours();
    const radius = ((look.radius[0] + look.radius[1]) / 2) * SMALL;
    const first = relation === 0 || relation === 2 ? 0 : 1; // which is to the left or above
    context.clearRect(0, 0, SMALL, SMALL);
    context.strokeStyle = line;
    context.strokeRect(0.5, 0.5, SMALL - 1, SMALL - 1);
    for (const [i, side] of [[first, -1], [1 - first, 1]]) {
      const off = side * look.apart * SMALL;
      const [x, y] = [SMALL / 2 + (relation < 2 ? off : 0), SMALL / 2 + (relation < 2 ? 0 : off)];
      context.fillStyle = `hsl(${360 * look.hues[colour[i]]} 75% 48%)`;
      context.beginPath();
      if (words.en[0][kind[i]] === "ring") {
        context.arc(x, y, radius, 0, 2 * Math.PI);
        context.arc(x, y, radius * 0.55, 0, 2 * Math.PI, true);
      } else {
        const [corners, turn] = words.en[0][kind[i]] === "square" ? [4, Math.PI / 4] : [3, -Math.PI / 2];
        for (let k = 0; k < corners; k += 1) {
          const angle = turn + (2 * Math.PI * k) / corners;
          context.lineTo(x + radius * Math.cos(angle), y + radius * Math.sin(angle));
        }
      }
      context.fill();
    }
    asked.setAttribute("aria-label", say("Drawing of what is asked for: {0}", tongue.write(whole, whole.name)));
  }

  const at = (codes) => decode({ code: [codes, [1, ...places]] });

  /** The velocity of the code that the sentence says, guided away from that of no sentence. */
  function velocityOf(numbers, scale) {
    const told = Float32Array.from(numbers);
    const both = Float32Array.from([...numbers, ...numbers.map(() => 0)]);
    return async (x, t) => {
      if (scale === 1) return velocity({ x: [x, [1, ...places]], t: [Float32Array.of(t), [1]], words: [told, [1, told.length]] });
      const twice = new Float32Array(2 * x.length);
      twice.set(x);
      twice.set(x, x.length);
      const v = await velocity({ x: [twice, [2, ...places]], t: [Float32Array.of(t, t), [2]], words: [both, [2, told.length]] });
      return x.map((_, j) => v[x.length + j] + scale * (v[j] - v[x.length + j]));
    };
  }

  const draw = kit.redraws(async (stale) => {
    stop();
    const now = { ...said, steps, guidance, number };
    const old = made;
    const started = performance.now();
    stage.dataset.ready = "";
    const seen = async (codes) => {
      if (stale()) return true;
      if (codes.length > now.steps || kit.stillness()) return false;
      kit.paint(large, await at(codes.at(-1)), shape);
      clock.value = (codes.length - 1) / now.steps;
      await new Promise((done) => setTimeout(done)); // so that the page shows it
      return false;
    };
    const codes = await kit.carry(velocityOf(now.numbers, now.guidance), start, now.steps, settings.solver, seen);
    if (codes.length <= now.steps || stale()) return;
    const picture = await at(codes.at(-1));
    kit.paint(large, picture, shape);
    [way, time] = [codes, 1];
    clock.value = 1;
    if (old && JSON.stringify(described(old)) !== JSON.stringify(described(now))) {
      kit.paint(before, old.picture, shape);
      before.parentElement.hidden = false;
      const same = old.number === now.number ? say("same noise") : say("other noise");
      beforeSays.textContent = say("Before: {0} ({1})", old.text, same);
      before.setAttribute("aria-label", beforeSays.textContent);
    }
    made = { ...now, picture };
    large.setAttribute("aria-label", say("Picture of '{0}'", now.text));
    legend.textContent = shown(now);
    announce(`${say("Drawn: {0}.", now.text)} ${legend.textContent}`);
    stage.dataset.ready = described(now).join("|");
    stage.dataset.took = Math.round(performance.now() - started);
  });
  const described = ({ text, steps, guidance, number }) => [text, steps, guidance, number];

  function shown({ scene, steps, guidance, number }) {
    const calls = settings.solver === "heun" ? 2 * steps - 1 : steps;
    const by = say("Noise {0}, {1} evaluations of the network, guidance {2}.", number, calls, guidance);
    if (!scene) return `${by} ${say("That is not a whole sentence: training never showed one like it.")}`;
    const is = unseen.has(String(layout(scene, look.hues.length)));
    return `${by} ${say(is ? "Training never showed this sentence." : "Training showed this sentence, with other pictures.")}`;
  }

  /** The picture at a time on the way: on the straight line between two steps. */
  const lookBack = kit.redraws(async () => {
    if (way.length < 2 || draw.busy()) return;
    const t = time;
    const i = Math.min(way.length - 2, Math.floor(t * (way.length - 1)));
    const share = t * (way.length - 1) - i;
    kit.paint(large, await at(way[i].map((value, j) => value + share * (way[i + 1][j] - value))), shape);
    large.setAttribute("aria-label", t < 1 ? say("On the way to '{0}', at t = {1}", made.text, t.toFixed(2)) : say("Picture of '{0}'", made.text));
    stage.dataset.time = t.toFixed(3);
    if (!playing) announce(say("t = {0}: the noise of the code is {1} % gone.", t.toFixed(2), Math.round(100 * t)));
  });

  const clock = kit.slider({ label: say("Time t"), min: 0, max: 1, step: 0.01, value: 1 }, (value) => {
    stop();
    time = value;
    lookBack();
  });
  const counts = COUNTS.includes(steps) ? COUNTS : [...COUNTS, steps].sort((a, b) => a - b);
  const stepsRow = kit.slider(
    { label: say("Steps"), min: 0, max: counts.length - 1, step: 1, value: counts.indexOf(steps), show: (i) => String(counts[i]) },
    (i) => {
      steps = counts[i];
      draw();
    },
  );
  const guidanceRow = kit.slider(
    { label: say("Guidance"), min: 0, max: 6, step: 0.25, value: guidance },
    (value) => {
      guidance = value;
      draw();
    },
  );

  const other = kit.button(say("Other noise"), () => {
    number += 1;
    start = Float32Array.from(noise[number - 1] ?? noise[0].map(() => kit.gaussian()));
    draw();
  });
  const swap = kit.button(say("Same noise, other word"), () => {
    const next = structuredClone(whole);
    const [, part, list, place] = slots[Math.floor(Math.random() * slots.length)];
    const count = named(part, "en").length;
    list(next)[place] = (list(next)[place] + 1 + Math.floor(Math.random() * (count - 1))) % count;
    writeOut(next);
  });

  let playing = false;
  function stop() {
    if (playing) play.click();
  }
  const play = kit.button(say("From noise to picture"), () => {
    playing = !playing;
    play.textContent = say(playing ? "Stop" : "From noise to picture");
    if (!playing) return;
    const started = performance.now();
    const frame = (now) => {
      if (!playing) return;
      time = Math.max(0, Math.min(1, (now - started) / 1000 / SECONDS)); // a frame may have begun before the click
      clock.value = time;
      if (time === 1) stop();
      lookBack();
      if (playing) requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  });
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const obey = () => {
    play.hidden = still.matches; // the time slider shows the same, at the reader's own pace
    if (still.matches) stop();
  };
  still.addEventListener("change", obey);
  obey();

  field.parentElement.after(
    problem,
    kit.make(
      "div",
      { class: "side-by-side" },
      kit.make("div", { class: "views" }, large, kit.make("div", { class: "small" }, kit.make("figure", {}, asked, kit.make("figcaption", {}, say("Asked for"))), kit.make("figure", { hidden: true }, before, beforeSays))),
      kit.make("div", {}, kit.make("p", { class: "hint" }, say("Or choose its words. The noise stays until you ask for another.")), kit.make("div", { class: "slots" }, ...choices), clock, stepsRow, guidanceRow, kit.make("div", { class: "buttons" }, swap, other, play), legend),
    ),
  );
  show(whole);
  kit.onTheme(() => drawAsked(whole));
  await (("composing" in field.dataset ? undefined : take()) ?? draw());
  return { models: { velocity, decoder: decode }, times: lookBack.times, code: () => Array.from(way.at(-1)), picture: () => Array.from(made.picture) };
}
