// The link to the other edition keeps the reader's place: the last heading, claim or explorer that has come into view.
addEventListener("DOMContentLoaded", () => {
  const link = document.querySelector("a.language");
  const lead = () => {
    const places = [...document.querySelectorAll("article :is(section, .claim, .explorer)[id]")];
    const seen = places.filter((place) => place.getBoundingClientRect().top < innerHeight / 3);
    const here = scrollY > 0 && seen.length > 1 ? `#${seen.at(-1).id}` : "";
    link.href = link.href.split("#")[0] + here;
  };
  for (const act of ["pointerdown", "focus", "click", "mouseenter"]) link?.addEventListener(act, lead);
});
