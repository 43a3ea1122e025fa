// Trains the velocity of flow-core.mjs beside the page, as training.mjs says. A view holds the way of the points
// (steps + 1, n, 2), the field (steps + 1, side^2, 2), which centres are covered, the share of points that have come to
// one, and how many steps are left.

import { Flow, wideRing } from "./flow-core.mjs";
import { serve } from "./training.mjs";

const joined = (arrays) => Float32Array.from(arrays.flatMap((array) => Array.from(array)));

serve({
  create: (seed) => new Flow(seed),
  ring: wideRing,
  learn: (flow, data) => flow.learn(data),
  step: (flow) => ({ loss: flow.step() }),
  view(flow, { steps, side }) {
    const { way, field, ...more } = flow.look(steps, side);
    return { way: joined(way), field: joined(field), left: flow.left, ...more };
  },
  done: (flow) => flow.left === 0,
});
