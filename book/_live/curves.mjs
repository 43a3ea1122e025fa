// Losses over the steps of a training, and what goes with them: kept, thinned out as they grow, drawn in panels.

import { say } from "./words.mjs";

const WIDE = 340; // CSS pixels
const LEFT = 34; // room for the axis
const KEPT = 600; // points of a curve at most: beyond, two are made one

const short = (value) => +(Math.abs(value) < 1 ? value.toFixed(2) : value.toPrecision(2)); // fits beside the axis

export function curves(kit, high) {
  const { canvas, context } = kit.sheet(WIDE, high, "");
  let seen; // a point: { step, count, and a value for each name }
  let each; // steps that one point stands for
  let names; // of the losses, which are averaged; what goes with them is not

  function forget() {
    [seen, each] = [[], 1];
  }
  forget();

  /**
   * @param {number} steps made so far
   * @param {Object<string, number[]>} losses of the last of them, a list for each name
   * @param {object} beside what goes with each of them
   */
  function remember(steps, losses, beside = {}) {
    const lists = Object.entries(losses);
    if (!lists.length) return;
    names = Object.keys(losses);
    const count = lists[0][1].length;
    for (let i = 0; i < count; i += 1) {
      const step = steps - count + i + 1;
      const last = seen.at(-1);
      if (last && last.count < each) {
        for (const [name, list] of lists) last[name] += (list[i] - last[name]) / (last.count + 1);
        Object.assign(last, { step, count: last.count + 1 }, beside);
      } else seen.push({ step, count: 1, ...Object.fromEntries(lists.map(([name, list]) => [name, list[i]])), ...beside });
    }
    if (seen.length > KEPT) {
      each *= 2;
      seen = seen.flatMap((a, i) => {
        const b = seen[i + 1];
        if (i % 2) return [];
        if (!b) return [a];
        const means = Object.fromEntries(names.map((name) => [name, (a[name] + b[name]) / 2]));
        return [{ ...b, ...means, count: a.count + b.count }];
      });
    }
  }

  /** Least and greatest value of the losses in the last half of the steps, and 0 and 1: the first may be far off. */
  function range() {
    const late = seen.filter(({ step }) => step >= seen.at(-1).step / 2).flatMap((point) => names.map((name) => point[name]));
    return [Math.min(0, ...late), Math.max(1, ...late)];
  }

  /**
   * @param {object[]} panels { top, bottom, range: [least, most], title, lines: [[name, label, colour, dashes], ...] }
   */
  function draw(panels) {
    const { text, ground } = kit.colours();
    context.fillStyle = ground;
    context.fillRect(0, 0, WIDE, high);
    context.lineJoin = "round"; // no spikes beyond the values
    context.font = "11px system-ui, sans-serif";
    const steps = Math.max(100, seen.at(-1)?.step ?? 0);
    for (const panel of panels) drawPanel(panel, (step) => LEFT + (step / steps) * (WIDE - LEFT - 6));
    context.fillStyle = text;
    context.textAlign = "left";
    context.fillText("0", LEFT, high - 5);
    context.textAlign = "right";
    context.fillText(say("{0} steps", steps), WIDE - 6, high - 5);
  }

  function drawPanel({ top, bottom, range: [least, most], title, lines }, x) {
    const { text, line } = kit.colours();
    const last = seen.at(-1);
    const y = (value) => bottom - ((Math.max(least, Math.min(most, value)) - least) / (most - least)) * (bottom - top);
    context.strokeStyle = line;
    context.lineWidth = 1;
    context.strokeRect(LEFT, top, WIDE - LEFT - 6, bottom - top);
    context.fillStyle = text;
    context.textAlign = "right";
    context.fillText(short(most), LEFT - 4, top + 8);
    context.fillText(short(least), LEFT - 4, bottom);
    context.textAlign = "left";
    context.fillText(title, LEFT, top - 5);
    let right = WIDE - 8;
    for (const [name, label, colour, dashes] of lines.toReversed()) {
      context.setLineDash(dashes);
      context.strokeStyle = colour;
      context.lineWidth = 1.5;
      context.beginPath();
      for (const point of seen) context.lineTo(x(point.step), y(point[name]));
      context.stroke();
      if (last) {
        context.fillStyle = colour; // where the curve has come to: seen from the first step on
        context.fillRect(x(last.step) - 2, y(last[name]) - 2, 4, 4);
        context.fillStyle = text;
      }
      if (!label) continue;
      context.beginPath();
      context.moveTo(right - 34, top - 9);
      context.lineTo(right - 14, top - 9);
      context.stroke();
      context.fillText(label, right - 10, top - 5);
      right -= 44;
    }
    context.setLineDash([]);
  }

  return { canvas, forget, remember, range, draw, last: () => seen.at(-1) };
}
