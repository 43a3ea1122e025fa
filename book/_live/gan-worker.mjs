// Trains the game of gan-core.mjs beside the page, as training.mjs says. A view holds samples (1000, 2), the field (side^2) of
// D's logit, its middle, which centres are covered, the share of samples near one.

import { Game } from "./gan-core.mjs";
import { REACH, ring } from "./plane.mjs";
import { serve } from "./training.mjs";

serve({
  create: (seed) => new Game(seed),
  ring,
  learn: (game, data) => (game.data = data),
  step: (game, settings) => game.step(settings),
  view(game, { side }) {
    const { points, ...more } = game.look();
    const field = Float32Array.from(game.field(side, REACH));
    return { samples: Float32Array.from(points), field, middle: game.middle(points), ...more };
  },
});
