// Brings explorers to life when they come near the window. Until then a page fetches nothing but this file.

const near = new IntersectionObserver(
  (entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      near.unobserve(target);
      open(target);
    }
  },
  { rootMargin: "300px" },
);

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
    stage.textContent = "The live model could not be started here. The figure above shows the same model.";
    console.warn(error);
  }
}

for (const explorer of document.querySelectorAll(".explorer")) near.observe(explorer);
