// Flow matching on points of the plane: a velocity, its loss, the way from noise to data. No page.
// tests/book/test_flow_core.py holds every gradient here to torch's.
//
// As in chapter 6: time runs from noise (t = 0) to data (t = 1), x_t = (1 - t) x_0 + t x_1, and the velocity is trained
// to be x_1 - x_0.

import { Adam, backward, forward, network, randomness, silu, zeros } from "./net.mjs";
import { REACH, arrived, ring } from "./plane.mjs";

const TURNS = [1, 2, 4].map((k) => k * Math.PI); // of the waves of t that the network gets beside t itself
const INPUTS = 3 + 2 * TURNS.length;

/** What the network gets of n points (n, 2) at n times, (n, INPUTS): the chapter's `Velocity`. */
export function features(x, times, n) {
  const all = new Float64Array(n * INPUTS);
  for (let i = 0; i < n; i += 1) {
    const t = times[i];
    const waves = [...TURNS.map((turn) => Math.cos(turn * t)), ...TURNS.map((turn) => Math.sin(turn * t))];
    all.set([x[2 * i], x[2 * i + 1], t, ...waves], i * INPUTS);
  }
  return all;
}

/** The velocity (n, 2) at n points, all at one time. */
export const velocity = (net, x, t, n) => forward(net, features(x, new Float64Array(n).fill(t), n), n, silu).out;

/**
 * The mean over n pairs of |v(x_t, t) - (x_1 - x_0)|^2, equation (6.5), and its gradient.
 * @returns {{loss: number, gradient: object[]}}
 */
export function flowGradient(net, x0, x1, times, n) {
  const between = Float64Array.from(x0, (noise, i) => noise + times[i >> 1] * (x1[i] - noise));
  const passed = forward(net, features(between, times, n), n, silu);
  const toward = passed.out.map((v, i) => (2 / n) * (v - (x1[i] - x0[i])));
  const gradient = zeros(net);
  backward(net, passed, toward, n, gradient);
  const loss = passed.out.reduce((sum, v, i) => sum + (v - (x1[i] - x0[i])) ** 2 / n, 0);
  return { loss, gradient };
}

/** Where n points (n, 2) are after each of some equal steps: Heun's, (6.8), and for the last one Euler's. */
export function carry(net, x, n, steps) {
  const way = [x];
  for (let k = 0; k < steps; k += 1) {
    const at = way[k];
    let v = velocity(net, at, k / steps, n);
    if (k < steps - 1) {
      const ahead = velocity(net, at.map((value, i) => value + v[i] / steps), (k + 1) / steps, n);
      v = v.map((value, i) => (value + ahead[i]) / 2);
    }
    way.push(at.map((value, i) => value + v[i] / steps));
  }
  return way;
}

/** Places (side^2, 2) in equal distances over the map, from its lower left. */
export function lattice(side) {
  const place = (k) => ((k + 0.5) / side) * 2 * REACH - REACH;
  return Float64Array.from({ length: 2 * side * side }, (_, i) => place(i % 2 ? Math.floor(i / 2 / side) : (i >> 1) % side));
}

/** The chapter's ring, on which a point within three deviations of a cluster's middle has come to it. */
export const wideRing = () => ring({ sigma: 0.15, near: 0.45 });

const RUN = 1500; // steps, over which the learning rate falls to nothing

/** One velocity in training, with data and noise of its own. */
export class Flow {
  constructor(seed, { hidden = [40, 40, 40], batch = 128, data = wideRing(), rate = 0.015, shown = 500 } = {}) {
    this.random = randomness(seed);
    Object.assign(this, { data, batch, rate });
    this.net = network([INPUTS, ...hidden, 2], this.random);
    this.adam = new Adam(this.net);
    this.steps = 0;
    this.left = RUN;
    // The points that are shown always start in the same places, drawn aside: looking must not change the run.
    const aside = randomness(seed + 1_000_003);
    this.shown = Float64Array.from({ length: 2 * shown }, aside.normal);
  }

  /** Other data: the network goes on from where it is, for a run as long as the first. */
  learn(data) {
    this.data = data;
    this.left = RUN;
  }

  /** One step. Returns the loss. */
  step() {
    const { batch: n, random } = this;
    const x0 = Float64Array.from({ length: 2 * n }, random.normal);
    const x1 = this.data.draw(n, random);
    const { loss, gradient } = flowGradient(this.net, x0, x1, Float64Array.from({ length: n }, random.uniform), n);
    this.adam.step(gradient, (this.rate * this.left) / RUN, 0.9);
    this.steps += 1;
    this.left = Math.max(0, this.left - 1);
    return loss;
  }

  /**
   * The way of the points that are shown, in so many steps; the velocities at the same times on a lattice of side^2
   * places; which centres are reached; the share of points that have come to one.
   */
  look(steps, side) {
    const n = this.shown.length / 2;
    const way = carry(this.net, this.shown, n, steps);
    const places = lattice(side);
    const field = way.map((_, k) => velocity(this.net, places, k / steps, side * side));
    const end = way.at(-1);
    return { way, field, covered: this.data.reached(end, n), near: arrived(end, n, this.data), finite: end.every(Number.isFinite) };
  }
}
