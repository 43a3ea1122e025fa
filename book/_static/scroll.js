// What scrolls inside itself can be reached by keyboard, and so be scrolled with the arrow keys.
const reachable = () => {
  for (const part of document.querySelectorAll("article :is(table, div.math, mjx-container[display='true'], pre)")) {
    if (part.scrollWidth > part.clientWidth) part.tabIndex = 0;
    else part.removeAttribute("tabindex");
  }
};
addEventListener("load", reachable);
addEventListener("resize", reachable);
document.addEventListener("toggle", reachable, true); // a folded part has no width until it is opened
addEventListener("DOMContentLoaded", () => {
  new ResizeObserver(reachable).observe(document.body); // formulas are set after the page has loaded
});
