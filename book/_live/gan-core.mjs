// A GAN on points of the plane: its losses, its penalty, its steps. No page. tests/book/test_gan_core.py holds every
// gradient here to torch's.

import { Adam, backward, forward, network, randomness, through, zeros } from "./net.mjs";
import { arrived, ring } from "./plane.mjs";

/**
 * The penalty gamma / 2 * mean |grad_x l|^2 on the slope of the discriminator's logit at n points (R1 at real ones, R2
 * at generated ones), with the gradient of the penalty added to `into`.
 *
 * The slope is itself a pass through the network, backwards: with m_k the slopes of LeakyReLU (1 or 0.2),
 *   v_last = 1,   u_k = W_k' v_k,   v_(k-1) = m_(k-1) * u_k,   and u_1 is grad_x l.
 * It is linear in every W_k, and the m_k are steps, flat almost everywhere. So its gradient is one pass forwards, from
 * q = gamma / n * u_1:   dW_k = v_k q_k',   q_(k+1) = m_k * (W_k q_k). No bias appears in it.
 */
export function slopePenalty(net, passed, n, gamma, into) {
  const back = []; // back[k] = v at layer k's output, (n, outputs)
  back[net.length - 1] = new Float64Array(n).fill(1);
  let u;
  for (let k = net.length - 1; k >= 0; k -= 1) {
    const { inputs, outputs, w } = net[k];
    u = new Float64Array(n * inputs);
    for (let i = 0; i < n; i += 1) {
      for (let o = 0; o < outputs; o += 1) {
        const v = back[k][i * outputs + o];
        for (let j = 0; j < inputs; j += 1) u[i * inputs + j] += v * w[o * inputs + j];
      }
    }
    if (k > 0) back[k - 1] = through(u, passed.slopes[k - 1]);
  }
  const penalty = ((gamma / 2) * u.reduce((sum, value) => sum + value * value, 0)) / n;

  let q = u.map((value) => (gamma / n) * value);
  net.forEach(({ inputs, outputs, w }, k) => {
    const next = new Float64Array(n * outputs);
    for (let i = 0; i < n; i += 1) {
      for (let o = 0; o < outputs; o += 1) {
        const v = back[k][i * outputs + o];
        let sum = 0;
        for (let j = 0; j < inputs; j += 1) {
          into[k].w[o * inputs + j] += v * q[i * inputs + j];
          sum += w[o * inputs + j] * q[i * inputs + j];
        }
        next[i * outputs + o] = sum;
      }
    }
    q = k < net.length - 1 ? through(next, passed.slopes[k]) : next;
  });
  return penalty;
}

const sigmoid = (l) => (l >= 0 ? 1 / (1 + Math.exp(-l)) : Math.exp(l) / (1 + Math.exp(l)));
const softplus = (l) => Math.max(l, 0) + Math.log1p(Math.exp(-Math.abs(l)));

/**
 * The losses of one pair of logits, as in genimg.gan.LOSSES, with their slopes: D's as [loss, d/d real, d/d fake], G's
 * as [loss, d/d fake].
 */
export const LOSSES = {
  minimax: {
    d: (real, fake) => [softplus(-real) + softplus(fake), -sigmoid(-real), sigmoid(fake)],
    g: (real, fake) => [-softplus(fake), -sigmoid(fake)],
  },
  non_saturating: {
    d: (real, fake) => [softplus(-real) + softplus(fake), -sigmoid(-real), sigmoid(fake)],
    g: (real, fake) => [softplus(-fake), -sigmoid(-fake)],
  },
  hinge: {
    d: (real, fake) => [
      Math.max(0, 1 - real) + Math.max(0, 1 + fake),
      real < 1 ? -1 : 0,
      fake > -1 ? 1 : 0,
    ],
    g: (real, fake) => [-fake, -1],
  },
  wasserstein: {
    d: (real, fake) => [fake - real, -1, 1],
    g: (real, fake) => [-fake, -1],
  },
  relativistic: {
    d: (real, fake) => [softplus(fake - real), -sigmoid(fake - real), sigmoid(fake - real)],
    g: (real, fake) => [softplus(real - fake), -sigmoid(real - fake)],
  },
};

/**
 * D's mean loss on n real and n generated points, with penalties, and its gradient.
 * @returns {{loss: number, gradient: object[]}} `loss` without the penalties
 */
export function discriminatorGradient(D, xReal, xFake, n, { loss: name, r1 = 0, r2 = 0 }) {
  const [real, fake] = [forward(D, xReal, n), forward(D, xFake, n)];
  const gradient = zeros(D);
  const [toReal, toFake] = [new Float64Array(n), new Float64Array(n)];
  let loss = 0;
  for (let i = 0; i < n; i += 1) {
    const [value, slopeReal, slopeFake] = LOSSES[name].d(real.out[i], fake.out[i]);
    loss += value / n;
    toReal[i] = slopeReal / n;
    toFake[i] = slopeFake / n;
  }
  backward(D, real, toReal, n, gradient);
  backward(D, fake, toFake, n, gradient);
  if (r1) slopePenalty(D, real, n, r1, gradient);
  if (r2) slopePenalty(D, fake, n, r2, gradient);
  return { loss, gradient };
}

/** G's mean loss on n noise vectors (and n real points, which the relativistic loss looks at), and its gradient. */
export function generatorGradient(G, D, z, xReal, n, { loss: name }) {
  const made = forward(G, z, n);
  const fake = forward(D, made.out, n);
  const real = name === "relativistic" ? forward(D, xReal, n).out : fake.out;
  const gradient = zeros(G);
  const toFake = new Float64Array(n);
  let loss = 0;
  for (let i = 0; i < n; i += 1) {
    const [value, slope] = LOSSES[name].g(real[i], fake.out[i]);
    loss += value / n;
    toFake[i] = slope / n;
  }
  const toPoints = backward(D, fake, toFake, n, null); // D passes the gradient on and takes no step
  backward(G, made, toPoints, n, gradient);
  return { loss, gradient };
}

/** What the reader may choose, and what stands at first: a run that collapses, as G is four times as fast as D. */
export const COLLAPSE = { loss: "hinge", r1: 0, r2: 0, rateG: 0.002, rateD: 0.0005, beta1: 0.5 };
/** The cure: the penalty, and nothing else. */
export const CURE = { ...COLLAPSE, r1: 10 };

/** One generator against one discriminator, with data and noise of its own. */
export class Game {
  constructor(seed, { hidden = 32, batch = 96, data = ring() } = {}) {
    this.random = randomness(seed);
    this.data = data;
    this.batch = batch;
    this.G = network([2, hidden, hidden, 2], this.random);
    this.D = network([2, hidden, hidden, 1], this.random);
    [this.adamG, this.adamD] = [new Adam(this.G), new Adam(this.D)];
    this.steps = 0;
    // The samples that are shown are always made of the same noise, drawn aside: looking must not change the run.
    const aside = randomness(seed + 1_000_003);
    this.shown = Float64Array.from({ length: 2 * 1000 }, aside.normal);
  }

  noise() {
    return Float64Array.from({ length: 2 * this.batch }, this.random.normal);
  }

  /** One step of D, then one of G. Returns both losses, without penalties. */
  step(settings) {
    const { batch: n, random } = this;
    const xFake = forward(this.G, this.noise(), n).out;
    const d = discriminatorGradient(this.D, this.data.draw(n, random), xFake, n, settings);
    this.adamD.step(d.gradient, settings.rateD, settings.beta1);
    const g = generatorGradient(this.G, this.D, this.noise(), this.data.draw(n, random), n, settings);
    this.adamG.step(g.gradient, settings.rateG, settings.beta1);
    this.steps += 1;
    return { d: d.loss, g: g.loss };
  }

  /** Samples (1000, 2), which centres they cover, the share near to one, and whether all is still finite. */
  look() {
    const points = forward(this.G, this.shown, 1000).out;
    const covered = this.data.reached(points, 1000);
    return { points, covered, near: arrived(points, 1000, this.data), finite: points.every(Number.isFinite) };
  }

  /** D's logit on a lattice of side^2 places over the square from -reach to reach, rows from the top. */
  field(side, reach) {
    const places = new Float64Array(2 * side * side);
    for (let row = 0; row < side; row += 1) {
      for (let column = 0; column < side; column += 1) {
        const i = 2 * (row * side + column);
        places[i] = ((column + 0.5) / side) * 2 * reach - reach;
        places[i + 1] = reach - ((row + 0.5) / side) * 2 * reach;
      }
    }
    return forward(this.D, places, side * side).out;
  }

  /**
   * The logit half-way between D's mean opinions of the data's centres and of samples (n, 2). Losses of differences leave D's
   * level open, and so does the hinge where D is unsure: what says something is where D lies above and below this.
   */
  middle(samples) {
    return (this.opinion(Float64Array.from(this.data.centres.flat())) + this.opinion(samples)) / 2;
  }

  /** D's mean logit at some points. */
  opinion(points) {
    const n = points.length / 2;
    return forward(this.D, points, n).out.reduce((sum, logit) => sum + logit / n, 0);
  }
}
