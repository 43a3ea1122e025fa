// Points of the plane to learn from: clusters on a ring, or what the reader has drawn.
//
// A data set has `centres`, where its points lie, and `near`: a sample that near to a centre has come to it. `draw(n,
// random)` gives n random points (n, 2); `reached(points, n)` says for each centre whether samples have come to it.

export const REACH = 3; // the maps show the square from -REACH to REACH
export const NEAR = 0.2;
export const BRUSH = 0.06; // deviation of the points around a drawn dot

/** A data set of equally many points around each of some centres. */
function around(centres, sigma, near, least) {
  const draw = (n, { uniform, normal }) => {
    const x = new Float64Array(2 * n);
    for (let i = 0; i < n; i += 1) {
      const [a, b] = centres[Math.floor(uniform() * centres.length)];
      x[2 * i] = a + sigma * normal();
      x[2 * i + 1] = b + sigma * normal();
    }
    return x;
  };
  return { centres, near, draw, reached: (points, n) => covered(points, n, centres, near, least) };
}

/** K clusters of deviation `sigma` on a circle. A cluster is reached by more than one sample in a hundred. */
export function ring({ clusters = 8, radius = 2, sigma = 0.02, near = NEAR } = {}) {
  const centres = Array.from({ length: clusters }, (_, k) => {
    const angle = (2 * Math.PI * k) / clusters;
    return [radius * Math.cos(angle), radius * Math.sin(angle)];
  });
  return around(centres, sigma, near, 0.01);
}

/** A drawing: points around each of its dots [[a, b], ...]. A dot is reached by a single sample: there are many dots. */
export const sketch = (dots) => around(dots, BRUSH, NEAR, 0);

/** Centres with more than a share of the n samples near them: one boolean for each. */
export function covered(points, n, centres, near = NEAR, share = 0.01) {
  return centres.map(([a, b]) => {
    let count = 0;
    for (let i = 0; i < n; i += 1) count += Math.hypot(points[2 * i] - a, points[2 * i + 1] - b) < near;
    return count / n > share;
  });
}

/** The share of n samples that have come to some centre of a data set. */
export function arrived(points, n, { centres, near }) {
  let count = 0;
  for (let i = 0; i < n; i += 1) {
    count += centres.some(([a, b]) => (points[2 * i] - a) ** 2 + (points[2 * i + 1] - b) ** 2 < near * near);
  }
  return count / n;
}
