// The page's side of training.mjs: a worker asked for views, which are drawn in the page's own time.

const STILL = 1000; // milliseconds between two views, where less motion is wanted

/**
 * @param {string} file the worker's module
 * @param {object} what `look` goes to the worker once; `chosen`, settings that go with every question; `every`,
 *   milliseconds between two views at least; `received(view, current)`, of the data of now or of earlier ones, `draw()`
 *   and `turned(running)` are called
 */
export function trainer(stage, kit, file, { look, chosen = {}, every = 0, received, draw, turned }) {
  const worker = new Worker(new URL(file, import.meta.url), { type: "module" });
  let running = false;
  let wanted = false; // by the reader, who is not asked again where training rests by itself
  let [round, lesson] = [0, 0]; // count resets and data
  let shown = 0;
  let timer;
  let drawnOnce;
  const first = new Promise((resolve) => (drawnOnce = resolve));
  const failed = new Promise((_, reject) => {
    worker.onerror = (error) => reject(new Error(error.message));
  });

  const ask = (message = {}) => worker.postMessage({ settings: { ...chosen }, ...message, show: true });

  function turn(on) {
    running = on;
    turned(running);
    ask({ run: running });
  }

  /** As the reader wishes. */
  function run(on) {
    wanted = on;
    turn(on);
  }

  /** Other data. Training rests while there are none, and goes on with them if the reader has let it run. */
  function teach(dots) {
    lesson += 1;
    const go = wanted && dots?.length !== 0;
    ask({ dots, lesson, run: go }); // in one: no step is made of nothing
    if (go !== running) turned((running = go));
  }

  function reset(seed) {
    wanted = false;
    round += 1;
    ask({ reset: { seed, round } });
    turn(false);
  }

  worker.onmessage = ({ data }) => {
    if (data.round !== round) return; // of the run before the last reset
    received(data, data.lesson === lesson);
    if (running && !data.finite) run(false);
    const pause = kit.stillness() ? STILL : every;
    const wait = running ? pause - (performance.now() - shown) : 0;
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

  // Nobody watches: nothing is computed.
  const hide = () => running && run(false);
  document.addEventListener("visibilitychange", () => document.hidden && hide());
  new IntersectionObserver(([entry]) => !entry.isIntersecting && hide()).observe(stage);
  kit.onTheme(() => stage.dataset.steps && draw());

  worker.postMessage({ look });
  return { ask, run, rest: () => turn(false), teach, reset, running: () => running, started: Promise.race([first, failed]) };
}
