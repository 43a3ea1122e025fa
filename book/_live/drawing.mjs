// The reader draws the data on a map: with mouse, pen or finger, or with arrow keys and space. What is drawn stays in
// the reader's browser, and is sent nowhere.

import { BRUSH, REACH } from "./plane.mjs";
import { say } from "./words.mjs";

const KEY = "images-from-noise.drawing"; // in the browser's own store
const APART = 0.08; // between the dots of a stroke
const MOST = 800; // dots
const [STRIDE, LITTLE] = [0.2, 0.04]; // of the brush, by an arrow key alone and with Shift
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

const inside = (value) => Math.round(1000 * Math.max(-REACH, Math.min(REACH, value))) / 1000;

/** Adds the dots of a stroke between two places to `dots`; of one place alone, that place. */
export function stroke(dots, to, from = to) {
  const steps = Math.max(1, Math.round(Math.hypot(to[0] - from[0], to[1] - from[1]) / APART));
  for (let k = 1; k <= steps && dots.length < MOST; k += 1) {
    dots.push([0, 1].map((i) => inside(from[i] + ((to[i] - from[i]) * k) / steps)));
  }
}

/** The dots of a text that was kept; none if it holds anything else. */
export function read(text) {
  try {
    const dots = JSON.parse(text);
    const good = Array.isArray(dots) && dots.every((dot) => dot?.length === 2 && dot.every((v) => Math.abs(v) <= REACH));
    return good ? dots.slice(0, MOST) : [];
  } catch {
    return [];
  }
}

/** A store may be forbidden, or full: then a drawing lasts as long as its page. */
const kept = {
  load() {
    try {
      return read(localStorage.getItem(KEY));
    } catch {
      return [];
    }
  },
  save(dots) {
    try {
      localStorage.setItem(KEY, JSON.stringify(dots));
    } catch {
      // as said above
    }
  },
};

/**
 * The choice between the clusters and a drawing, and the map to draw on.
 * @param {object} map from `planeMap`
 * @param {(text: string) => void} announce
 * @param {(what: "set" | "dots" | "brush") => void} changed the reader chose the other set, drew, or moved the brush
 */
export function drawing(map, kit, announce, changed) {
  const { canvas, context } = map;
  const dots = kept.load();
  let [chosen, brush, pen] = [false, [0, 0], false];

  const choice = kit.choice(
    { label: say("Data"), options: [["ring", say("eight clusters")], ["drawn", say("draw your own")]], value: "ring" },
    (value) => choose(value === "drawn"),
  );
  const clear = kit.button(say("Clear the drawing"), () => {
    dots.length = 0;
    kept.save(dots);
    changed("dots");
  });
  const help = kit.make(
    "p",
    { class: "hint" },
    say("Draw on the map with mouse, pen or finger. By keyboard: arrow keys move the brush, with Shift a little; space puts a dot, and draws while it is held down. The drawing stays in this browser."),
  );
  const element = kit.make("div", { class: "drawing" }, choice, help, kit.make("div", { class: "buttons" }, clear));

  function choose(drawn) {
    chosen = drawn;
    for (const part of [help, clear.parentElement]) part.hidden = !drawn;
    canvas.classList.toggle("pad", drawn);
    canvas.setAttribute("role", drawn ? "application" : "img"); // so that arrow keys reach it
    if (drawn) canvas.setAttribute("tabindex", "0");
    else canvas.removeAttribute("tabindex");
    changed("set");
  }

  const told = () => say("{0} dots. Brush at ({1}, {2}).", dots.length, ...brush.map((value) => value.toFixed(1)));

  function draw(from) {
    const before = dots.length;
    stroke(dots, brush, from);
    if (dots.length > before) changed("dots");
    else announce(say("No more dots fit in: the drawing is full."));
  }

  canvas.addEventListener("pointerdown", (event) => {
    if (!chosen || event.button) return;
    canvas.setPointerCapture(event.pointerId);
    pen = true;
    brush = map.place(event).map(inside);
    draw();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!chosen || !pen || !canvas.hasPointerCapture(event.pointerId)) return;
    if (!event.buttons) {
      lift(); // where the window did not see it
      return;
    }
    const to = map.place(event).map(inside);
    if (Math.hypot(to[0] - brush[0], to[1] - brush[1]) < APART) return;
    const from = brush;
    brush = to;
    draw(from);
  });
  const lift = () => {
    if (!pen) return;
    pen = false;
    kept.save(dots);
    announce(told());
  };
  for (const end of ["pointerup", "pointercancel", "blur"]) canvas.addEventListener(end, lift);
  canvas.addEventListener("keyup", ({ key }) => key === " " && lift());
  canvas.addEventListener("keydown", (event) => {
    if (!chosen || event.ctrlKey || event.altKey || event.metaKey) return;
    const way = ARROWS[event.key];
    if (!way && event.key !== " ") return;
    event.preventDefault(); // the page would scroll
    if (!way) {
      if (!event.repeat) {
        pen = true;
        draw();
      }
      return;
    }
    const from = brush;
    brush = brush.map((value, i) => inside(value + way[i] * (event.shiftKey ? LITTLE : STRIDE)));
    if (pen) draw(from);
    else {
      changed("brush");
      announce(told());
    }
  });
  for (const name of ["focus", "blur"]) canvas.addEventListener(name, () => chosen && changed("brush"));

  /** Draws what is drawn, and the brush where keys move it. */
  function paint() {
    if (!chosen) return;
    const { text, muted } = kit.colours();
    const size = (value) => map.across(value) - map.across(0);
    context.globalAlpha = 0.4;
    context.fillStyle = muted;
    context.beginPath(); // one path for all: where dots overlap they are no darker
    for (const [a, b] of dots) {
      context.moveTo(map.across(a), map.up(b));
      context.arc(map.across(a), map.up(b), size(2 * BRUSH), 0, 2 * Math.PI);
    }
    context.fill();
    context.globalAlpha = 1;
    if (document.activeElement !== canvas) return;
    context.strokeStyle = text;
    context.lineWidth = 1.5;
    context.beginPath();
    context.arc(map.across(brush[0]), map.up(brush[1]), size(2 * BRUSH) + 3, 0, 2 * Math.PI);
    context.stroke();
  }

  /** Names the map for those who do not see it: what it shows, and how to draw where one can. */
  function label(shows) {
    const words = chosen ? say("To draw: arrow keys move the brush, space puts a dot. {0} {1}", told(), shows) : shows;
    canvas.setAttribute("aria-label", words);
  }

  for (const part of [help, clear.parentElement]) part.hidden = true;
  return {
    element,
    paint,
    label,
    dots: () => (chosen ? dots : null),
    empty: () => chosen && !dots.length,
  };
}
