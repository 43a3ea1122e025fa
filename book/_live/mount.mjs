// Brings explorers to life when they come near the window. Until then a page fetches nothing but this file and its words.
// One that is near from the first has a button instead: nobody who only opens a page pays for a model.

import { say } from "./words.mjs";

let first = true;
const near = new IntersectionObserver(
  (entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      near.unobserve(target);
      if (first) offer(target);
      else open(target);
    }
    first = false;
  },
  { rootMargin: "300px" },
);

function offer(explorer) {
  const button = document.createElement("button");
  button.textContent = say("Bring the figure to life (loads {0} MB)", explorer.dataset.megabytes);
  button.addEventListener("click", async () => {
    button.disabled = true;
    button.textContent = say("Loading");
    await open(explorer);
    button.remove();
    explorer.querySelector(".stage :is(input, button)")?.focus();
  });
  explorer.querySelector(".stage").append(button);
  explorer.dataset.state = "offered";
}

async function open(explorer) {
  const stage = explorer.querySelector(".stage");
  try {
    const settings = JSON.parse(explorer.querySelector("script[type='application/json']").textContent);
    const started = performance.now();
    const [{ mount }, kit, { loadModel }] = await Promise.all([
      import(new URL(`${explorer.dataset.kind}.mjs`, import.meta.url)),
      import(new URL("kit.mjs", import.meta.url)),
      import(new URL("load.mjs", import.meta.url)),
    ]);
    explorer.api = await mount(stage, settings, { ...kit, loadModel });
    explorer.dataset.coldStart = Math.round(performance.now() - started);
    explorer.dataset.state = "live";
  } catch (error) {
    explorer.dataset.state = "failed";
    stage.textContent = say("The live model could not be started here. The figure above shows the same model.");
    console.warn(error);
  }
}

for (const explorer of document.querySelectorAll(".explorer")) near.observe(explorer);
