// Models of the site: fetched, with the runtime, when the first of a page is wanted.

import { gunzip, modelOf, ready } from "./kit.mjs";

const HERE = new URL(".", import.meta.url);

async function get(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url.pathname}: ${response.status}`);
  return response.arrayBuffer();
}

let runtime;

/** onnxruntime-web with its WebAssembly, once. */
function loadRuntime() {
  runtime ??= (async () => {
    const [ort, wasm] = await Promise.all([
      import(new URL("ort/ort.wasm.bundle.min.mjs", HERE)),
      get(new URL("ort/ort-wasm-simd-threaded.wasm.gz", HERE)).then(gunzip),
    ]);
    return ready(ort, wasm);
  })();
  return runtime;
}

/**
 * A model as a function of its inputs, see `modelOf`.
 * @param {string} file the model's name under models/
 */
export async function loadModel(file) {
  const [ort, bytes] = await Promise.all([loadRuntime(), get(new URL(`models/${file}`, HERE))]);
  return modelOf(ort, bytes);
}
