// Flow matching in the plane: points carried from noise to data by a learned velocity, in steps that the reader chooses.

import { player } from "./player.mjs";
import { say } from "./words.mjs";

const SIDE = 340; // CSS pixels of the map
const TRAILS = 40; // points whose way is drawn
const SECONDS = 3; // from noise to data

export async function mount(stage, settings, kit) {
  const { noise, modes, colours, near, reach } = settings;
  const velocity = await kit.loadModel(settings.models.velocity);
  const n = noise.length;
  const announce = kit.announcer(stage);
  const { canvas, context } = kit.sheet(SIDE, SIDE, "");
  const across = (value) => ((value + reach) / (2 * reach)) * SIDE;
  let [steps, solver, time] = [8, "euler", 1];
  let way = [Float32Array.from(noise.flat())]; // positions (n, 2) after each step

  const at = (x, t) => velocity({ x: [x, [n, 2]], t: [new Float32Array(n).fill(t), [n]] });

  /** All steps from noise to data. One step is one or two calls of the network; the page stays free between them. */
  async function travel() {
    const [count, method] = [steps, solver];
    const seen = [way[0]];
    for (let i = 0; i < count; i += 1) {
      const x = seen[i];
      let v = await at(x, i / count);
      if (method === "heun") {
        const ahead = await at(x.map((value, j) => value + v[j] / count), (i + 1) / count);
        v = v.map((value, j) => (value + ahead[j]) / 2);
      }
      seen.push(x.map((value, j) => value + v[j] / count));
    }
    way = seen;
    if (count === steps && method === solver) stage.dataset.ready = `${method} ${count}`;
  }

  /** Where the points are at a time: on the straight line between two steps. */
  function positions(t) {
    const i = Math.min(way.length - 2, Math.floor(t * (way.length - 1)));
    const share = t * (way.length - 1) - i;
    return way[i].map((value, j) => value + share * (way[i + 1][j] - value));
  }

  function arrived(x) {
    let count = 0;
    for (let i = 0; i < n; i += 1) {
      count += modes.some(([a, b]) => (x[2 * i] - a) ** 2 + (x[2 * i + 1] - b) ** 2 < near * near);
    }
    return count / n;
  }

  const draw = kit.redraws(async () => {
    if (way.length < 2) return;
    const { muted, line } = kit.colours();
    const palette = kit.okabeIto();
    const x = positions(time);
    context.clearRect(0, 0, SIDE, SIDE);
    context.strokeStyle = muted;
    context.lineWidth = 1;
    for (const [a, b] of modes) {
      context.beginPath();
      context.arc(across(a), SIDE - across(b), across(near) - across(0), 0, 2 * Math.PI);
      context.stroke();
    }
    context.strokeStyle = line;
    for (let i = 0; i < Math.min(TRAILS, n); i += 1) {
      context.beginPath();
      way.forEach((place, k) => {
        if (k / (way.length - 1) <= time) context.lineTo(across(place[2 * i]), SIDE - across(place[2 * i + 1]));
      });
      context.lineTo(across(x[2 * i]), SIDE - across(x[2 * i + 1]));
      context.stroke();
    }
    for (let i = 0; i < n; i += 1) {
      context.fillStyle = palette[colours[i] % palette.length];
      context.fillRect(across(x[2 * i]) - 1.5, SIDE - across(x[2 * i + 1]) - 1.5, 3, 3);
    }
    const share = Math.round(100 * arrived(x));
    const calls = steps * (solver === "heun" ? 2 : 1);
    const words = say("t = {0}: {1} % of the points lie in a circle. {2} evaluations of the network in all.", time.toFixed(2), share, calls);
    stage.dataset.time = time.toFixed(3);
    stage.dataset.share = share;
    legend.textContent = words;
    canvas.setAttribute("aria-label", say("Map of {0} points. {1}", n, words));
    if (!play.playing) announce(words);
  });
  const again = kit.redraws(async () => {
    await travel();
    await draw();
  });

  const legend = kit.make("p", { class: "legend" });
  const clock = kit.slider({ label: say("Time t"), min: 0, max: 1, step: 0.01, value: time }, (value) => {
    time = value;
    draw();
  });
  const counts = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64];
  const number = kit.slider(
    { label: say("Steps"), min: 0, max: counts.length - 1, step: 1, value: counts.indexOf(steps), show: (i) => String(counts[i]) },
    (i) => {
      steps = counts[i];
      again();
    },
  );
  const method = kit.choice(
    { label: say("Method"), options: [["euler", say("Euler")], ["heun", say("Heun")]], value: solver },
    (value) => {
      solver = value;
      again();
    },
  );

  const play = player(kit, [say("From noise to data"), say("Stop")], SECONDS, (share) => {
    time = share;
    clock.value = time;
    draw();
  });

  stage.prepend(
    kit.make("p", { class: "hint" }, say("Choose how many steps to take and how, then move the time. Circles: the data's modes. Lines: the way of a few points.")),
    kit.make("div", { class: "side-by-side" }, canvas, kit.make("div", {}, clock, number, method, kit.make("div", { class: "buttons" }, play), legend)),
  );
  kit.onTheme(draw);
  await again();
  return { models: { velocity }, times: draw.times, ends: () => Array.from(way[way.length - 1]) };
}
