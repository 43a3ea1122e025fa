// Small networks without a library: dense layers, their gradients by hand, Adam, random numbers with a seed.
//
// A batch of n points is one Float64Array, row after row. A network is a list of dense layers; layer k has weights
// (out, in) and biases (out), as in torch.nn.Linear. tests/book/test_net.py holds every gradient here to torch's.

/** A random generator of its own, so that a seed repeats a run: mulberry32, uniform in [0, 1). */
export function randomness(seed) {
  let state = seed >>> 0;
  const uniform = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  // Box and Muller
  const normal = () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  return { uniform, normal };
}

/** A network with the given layer sizes, started as torch starts nn.Linear: uniform within 1 / sqrt(in). */
export function network(sizes, { uniform }) {
  const layers = [];
  for (let k = 0; k + 1 < sizes.length; k += 1) {
    const [inputs, outputs] = [sizes[k], sizes[k + 1]];
    const draw = (n) => Float64Array.from({ length: n }, () => (2 * uniform() - 1) / Math.sqrt(inputs));
    layers.push({ inputs, outputs, w: draw(outputs * inputs), b: draw(outputs) });
  }
  return layers;
}

/** Zeros in the shape of a network's weights. */
export const zeros = (net) =>
  net.map(({ w, b }) => ({ w: new Float64Array(w.length), b: new Float64Array(b.length) }));

// What stands between two layers: changes values in place, and puts the slope at each into `slopes`.

/** LeakyReLU(0.2). */
export function leakyRelu(values, slopes) {
  for (let i = 0; i < values.length; i += 1) {
    slopes[i] = values[i] > 0 ? 1 : 0.2;
    values[i] *= slopes[i];
  }
}

/** SiLU: h times sigmoid(h). */
export function silu(values, slopes) {
  for (let i = 0; i < values.length; i += 1) {
    const h = values[i];
    const s = 1 / (1 + Math.exp(-h));
    slopes[i] = s * (1 + h * (1 - s));
    values[i] = h * s;
  }
}

// The three products below are where the time goes. Each does four at once, which a processor computes side by side.

/** W x + b for n inputs. */
function affine({ inputs, outputs, w, b }, from, n) {
  const to = new Float64Array(n * outputs);
  for (let i = 0; i < n; i += 1) {
    const start = i * inputs, put = i * outputs;
    let o = 0;
    for (; o + 3 < outputs; o += 4) {
      const w0 = o * inputs, w1 = (o + 1) * inputs, w2 = (o + 2) * inputs, w3 = (o + 3) * inputs;
      let s0 = b[o], s1 = b[o + 1], s2 = b[o + 2], s3 = b[o + 3];
      for (let j = 0; j < inputs; j += 1) {
        const x = from[start + j];
        s0 += w[w0 + j] * x;
        s1 += w[w1 + j] * x;
        s2 += w[w2 + j] * x;
        s3 += w[w3 + j] * x;
      }
      to[put + o] = s0;
      to[put + o + 1] = s1;
      to[put + o + 2] = s2;
      to[put + o + 3] = s3;
    }
    for (; o < outputs; o += 1) {
      let sum = b[o];
      for (let j = 0; j < inputs; j += 1) sum += w[o * inputs + j] * from[start + j];
      to[put + o] = sum;
    }
  }
  return to;
}

/** W' g for n gradients g. */
function transposed({ inputs, outputs, w }, g, n) {
  const before = new Float64Array(n * inputs);
  for (let i = 0; i < n; i += 1) {
    const start = i * outputs, put = i * inputs;
    let o = 0;
    for (; o + 3 < outputs; o += 4) {
      const w0 = o * inputs, w1 = (o + 1) * inputs, w2 = (o + 2) * inputs, w3 = (o + 3) * inputs;
      const g0 = g[start + o], g1 = g[start + o + 1], g2 = g[start + o + 2], g3 = g[start + o + 3];
      for (let j = 0; j < inputs; j += 1) {
        before[put + j] = before[put + j] + g0 * w[w0 + j] + g1 * w[w1 + j] + g2 * w[w2 + j] + g3 * w[w3 + j];
      }
    }
    for (; o < outputs; o += 1) {
      for (let j = 0; j < inputs; j += 1) before[put + j] += g[start + o] * w[o * inputs + j];
    }
  }
  return before;
}

/** Adds to the gradients of one layer what n points say: of a weight, the gradient behind times the value before. */
function addProducts({ w, b }, g, from, n) {
  const outputs = b.length, inputs = w.length / b.length;
  for (let o = 0; o < outputs; o += 1) {
    const put = o * inputs;
    let i = 0;
    for (; i + 3 < n; i += 4) {
      const x0 = i * inputs, x1 = (i + 1) * inputs, x2 = (i + 2) * inputs, x3 = (i + 3) * inputs;
      const g0 = g[i * outputs + o], g1 = g[(i + 1) * outputs + o], g2 = g[(i + 2) * outputs + o], g3 = g[(i + 3) * outputs + o];
      b[o] = b[o] + g0 + g1 + g2 + g3;
      for (let j = 0; j < inputs; j += 1) {
        w[put + j] = w[put + j] + g0 * from[x0 + j] + g1 * from[x1 + j] + g2 * from[x2 + j] + g3 * from[x3 + j];
      }
    }
    for (; i < n; i += 1) {
      b[o] += g[i * outputs + o];
      for (let j = 0; j < inputs; j += 1) w[put + j] += g[i * outputs + o] * from[i * inputs + j];
    }
  }
}

/**
 * Runs n points through a network.
 * @param {function} activate one of the above
 * @returns {{out: Float64Array, into: Float64Array[], slopes: Float64Array[]}} what comes out, (n, size of the last
 *   layer); what goes into each layer; and the slopes of what stands behind each layer but the last
 */
export function forward(net, x, n, activate = leakyRelu) {
  const [into, slopes] = [[], []];
  let from = x;
  net.forEach((layer, k) => {
    const to = affine(layer, from, n);
    if (k < net.length - 1) {
      slopes.push(new Float64Array(to.length));
      activate(to, slopes[k]);
    }
    into.push(from);
    from = to;
  });
  return { out: from, into, slopes };
}

/** Multiplies a gradient by the slopes of an activation, in place. */
export function through(gradient, slopes) {
  for (let i = 0; i < gradient.length; i += 1) gradient[i] *= slopes[i];
  return gradient;
}

/**
 * Backpropagation.
 * @param {object} passed from `forward`
 * @param {Float64Array} gradient of the loss with respect to the output, (n, out)
 * @param {object[]} into gradients of the weights are added to these, or nowhere if null
 * @returns {Float64Array} the gradient with respect to the input, (n, in)
 */
export function backward(net, passed, gradient, n, into) {
  let toward = gradient;
  for (let k = net.length - 1; k >= 0; k -= 1) {
    if (k < net.length - 1) toward = through(toward, passed.slopes[k]);
    if (into) addProducts(into[k], toward, passed.into[k], n);
    toward = transposed(net[k], toward, n);
  }
  return toward;
}

/** Adam (Kingma and Ba 2014, https://arxiv.org/abs/1412.6980), as in torch. */
export class Adam {
  constructor(net) {
    this.net = net;
    this.first = zeros(net);
    this.second = zeros(net);
    this.steps = 0;
  }

  step(gradient, rate, beta1, beta2 = 0.99) {
    this.steps += 1;
    const [fix1, fix2] = [1 - beta1 ** this.steps, 1 - beta2 ** this.steps];
    this.net.forEach((layer, k) => {
      for (const part of ["w", "b"]) {
        const [weights, g] = [layer[part], gradient[k][part]];
        const [m, v] = [this.first[k][part], this.second[k][part]];
        for (let i = 0; i < weights.length; i += 1) {
          m[i] = beta1 * m[i] + (1 - beta1) * g[i];
          v[i] = beta2 * v[i] + (1 - beta2) * g[i] * g[i];
          weights[i] -= (rate * (m[i] / fix1)) / (Math.sqrt(v[i] / fix2) + 1e-8);
        }
      }
    });
  }
}
