// Sentences without the page: read as genimg.data.sentences reads them, written as it writes them.

/** Opposites of the relations, in their order. */
const OPPOSITE = [1, 0, 3, 2];

/** What a slot of a phrasing asks for: which list of words, and which of the two shapes. */
const SLOTS = { a: [1, 0], b: [0, 0], c: [1, 1], d: [0, 1], r: [2], o: [2] };

/**
 * Everything about sentences, from `settings.language`: words of each language, phrasings, relations, silent words.
 * `nearest` is the kit's.
 */
export function language({ words, phrasings, relations, silent, length }, nearest) {
  // [word, language, list, place in its list]; a word's number is its place here and one more
  const vocabulary = Object.entries(words).flatMap(([name, lists]) =>
    lists.flatMap((list, part) => list.map((word, place) => [word, name, part, place])),
  );
  const known = vocabulary.map(([word]) => word);
  const numberOf = new Map(vocabulary.map(([word], i) => [word, i + 1]));
  const chinese = [...vocabulary.filter((entry) => entry[1] === "zh").map(([word]) => word), ...silent.filter((word) => /[^a-z]/.test(word))];
  const literally = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const cut = new RegExp(`${chinese.sort((a, b) => b.length - a.length).map(literally).join("|")}|..?`, "gu");

  /** The words of a text, silent ones too, each with its place; Chinese is cut by the longest word that is known. */
  function pieces(text) {
    const chinese = /[\u4e00-\u9fff]/.test(text);
    const found = chinese ? text.matchAll(cut) : text.matchAll(/[\p{L}\p{N}_]+|[^\p{L}\p{N}_\s]/gu);
    return Array.from(found, (match) => [chinese ? match[0] : match[0].toLowerCase(), match.index]);
  }
  const split = (text) => pieces(text).map(([word]) => word);

  /** The text with another word in the first place of one. */
  function replaced(text, word, other) {
    const [, place] = pieces(text).find(([piece]) => piece === word);
    return text.slice(0, place) + other + text.slice(place + word.length);
  }

  /** A text's numbers, filled up with 0, and its unknown words with the nearest that is known. */
  function read(text) {
    const [said, unknown] = [[], []];
    for (const word of split(text)) {
      if (numberOf.has(word)) said.push(numberOf.get(word));
      else if (!silent.includes(word)) unknown.push([word, nearest(word, known)]);
    }
    const numbers = [...said, ...Array(Math.max(0, length - said.length)).fill(0)];
    return { numbers, unknown, count: said.length, scene: sceneOf(said) };
  }

  /** What a whole sentence says, {kind: [_, _], colour: [_, _], relation, name: its language}; else null. */
  function sceneOf(numbers) {
    const entries = numbers.map((number) => vocabulary[number - 1]);
    for (const [name, ways] of Object.entries(phrasings)) {
      for (const way of ways) {
        const slots = [...way.matchAll(/\{(\w)\}/g)].map((match) => match[1]);
        if (slots.length !== entries.length) continue;
        if (!slots.every((slot, i) => entries[i][1] === name && entries[i][2] === SLOTS[slot][0])) continue;
        const at = Object.fromEntries(slots.map((slot, i) => [slot, entries[i][3]]));
        if (at.o !== undefined && at.o !== OPPOSITE[at.r]) continue;
        return { kind: [at.b, at.d], colour: [at.a, at.c], relation: at.r, name };
      }
    }
    return null;
  }

  /** The sentence for a scene, in its first phrasing. */
  function write({ kind, colour, relation }, name) {
    const [kinds, colours] = words[name];
    const parts = {
      a: colours[colour[0]], b: kinds[kind[0]], c: colours[colour[1]], d: kinds[kind[1]],
      r: relations[name][relation], o: relations[name][OPPOSITE[relation]],
    };
    return phrasings[name][0].replace(/\{(\w)\}/g, (_, slot) => parts[slot]);
  }

  return { split, replaced, read, write };
}

/** What the picture has to show, as genimg.data.scenes.layout: left or upper shape, the other, whether one lies above. */
export function layout({ kind, colour, relation }, colours) {
  const both = kind.map((k, i) => k * colours + colour[i]);
  if (relation === 1 || relation === 3) both.reverse();
  return [...both, relation >= 2 ? 1 : 0];
}
