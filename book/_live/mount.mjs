// Brings explorers to life when they come near the window. Until then a page fetches nothing but this file and its words.
// One that is near from the first has a button instead: nobody who only opens a page pays for a model. One that begins
// with what the reader writes has its field from the first, and is wanted when the first letter is written.

import { say } from "./words.mjs";

const settingsOf = (explorer) => JSON.parse(explorer.querySelector("script[type='application/json']").textContent);

/** The field of a sentence, under what it is for. The explorer finds it there and reads what has been written. */
function addField(stage, text) {
  stage.innerHTML = `<p class="hint"></p><div class="control sentence"><label></label><input type="text" autocomplete="off" autocapitalize="off" spellcheck="false"></div>`;
  const [hint, label, field] = ["p", "label", "input"].map((name) => stage.querySelector(name));
  hint.textContent = say("Write what to draw, in English or Chinese.");
  label.textContent = say("Sentence");
  field.id = label.htmlFor = `${stage.parentElement.id}-text`;
  field.value = text;
  field.addEventListener("compositionstart", () => (field.dataset.composing = "")); // letters that will be Chinese
  field.addEventListener("compositionend", () => delete field.dataset.composing);
  return field;
}

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
  const stage = explorer.querySelector(".stage");
  const { text } = settingsOf(explorer);
  const field = text && addField(stage, text);
  const button = document.createElement("button");
  const label = text ? "Draw this sentence (loads {0} MB)" : "Bring the figure to life (loads {0} MB)";
  button.textContent = say(label, explorer.dataset.megabytes);
  const start = async () => {
    if (button.disabled) return;
    button.disabled = true;
    button.textContent = say("Loading");
    await open(explorer);
    button.remove();
  };
  button.addEventListener("click", async () => {
    await start();
    stage.querySelector(":is(input, button)")?.focus();
  });
  field?.addEventListener("input", start);
  field?.addEventListener("keydown", ({ key }) => key === "Enter" && start());
  stage.append(button);
  explorer.dataset.state = "offered";
}

async function open(explorer) {
  const stage = explorer.querySelector(".stage");
  try {
    const settings = settingsOf(explorer);
    if (settings.text && !stage.querySelector("input")) addField(stage, settings.text);
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
    stage.textContent = say("The live model could not be started here. The figure shows the same model.");
    console.warn(error);
  }
}

for (const explorer of document.querySelectorAll(".explorer")) near.observe(explorer);
