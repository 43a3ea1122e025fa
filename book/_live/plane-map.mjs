// A map of the plane: from -REACH to REACH both ways, up is up.

import { REACH } from "./plane.mjs";

export const SIDE = 340; // CSS pixels

export function planeMap(kit) {
  const { canvas, context } = kit.sheet(SIDE, SIDE, "");
  const across = (value) => ((value + REACH) / (2 * REACH)) * SIDE;
  const up = (value) => SIDE - across(value);

  function clear() {
    context.fillStyle = kit.colours().ground;
    context.fillRect(0, 0, SIDE, SIDE);
  }

  /** Circles around clusters, bold where covered. */
  function circles(centres, radius, covered) {
    const { text, muted } = kit.colours();
    centres.forEach(([a, b], k) => {
      context.beginPath();
      context.arc(across(a), up(b), across(radius) - across(0), 0, 2 * Math.PI);
      context.lineWidth = covered[k] ? 3 : 1.2;
      context.strokeStyle = covered[k] ? text : muted;
      context.stroke();
    });
  }

  /** Small squares at n points (n, 2), from `start` of a longer array on. */
  function points(values, n, size, colour, start = 0) {
    for (let i = 0; i < n; i += 1) {
      context.fillStyle = colour(i);
      const [a, b] = [values[start + 2 * i], values[start + 2 * i + 1]];
      context.fillRect(across(a) - size / 2, up(b) - size / 2, size, size);
    }
  }

  /** Where on the map something points, [a, b]. */
  function place({ clientX, clientY }) {
    const { left, top, width, height } = canvas.getBoundingClientRect(); // a phone shows it smaller
    return [((clientX - left) / width) * 2 * REACH - REACH, REACH - ((clientY - top) / height) * 2 * REACH];
  }

  return { canvas, context, across, up, clear, circles, points, place };
}
