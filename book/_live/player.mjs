// A motion that starts when asked for, stops when asked to, and is not offered to readers who want less motion.

/**
 * @param {[string, string]} names of the button: at rest, and while it plays
 * @param {number} seconds from 0 to 1
 * @param {(share: number) => void} at called for each frame
 * @returns {HTMLElement & {playing: boolean, play: () => void, stop: () => void}} the button
 */
export function player(kit, [rest, stop], seconds, at) {
  let playing = false;
  const button = kit.button(rest, () => set(!playing));
  function set(wanted) {
    if (wanted === playing) return;
    playing = wanted;
    button.textContent = playing ? stop : rest;
    if (!playing) return;
    const started = performance.now();
    const frame = (now) => {
      if (!playing) return;
      const share = Math.max(0, Math.min(1, (now - started) / 1000 / seconds)); // a frame may have begun before the click
      if (share === 1) set(false);
      at(share);
      if (playing) requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  }
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const obey = () => {
    button.hidden = still.matches; // a slider shows the same, at the reader's own pace
    if (still.matches) set(false);
  };
  still.addEventListener("change", obey);
  obey();
  Object.defineProperty(button, "playing", { get: () => playing });
  return Object.assign(button, { play: () => still.matches || set(true), stop: () => set(false) });
}
