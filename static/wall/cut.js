// Shortens names that have no room, so that different ones stay different.

import { linesOf, piecesOf, wrapped } from "./names.js";

const ELLIPSIS = "…";

// What a reader sees as single characters, such as a flag. Chromium 86 has no Segmenter, and a
// slow machine needs 0.1 s to load it, for which ASCII has no use.
const charactersOf = (text) => (Intl.Segmenter && /[^ -~]/.test(text)
  ? Array.from(new Intl.Segmenter().segment(text), ({ segment }) => segment) : [...text]);

// Cuts pieces out of the middle, because names often differ at their end; `skip` are cut at
// the start.
function shortened(skip, pieces, fits) {
  const lead = skip ? [ELLIPSIS] : [];
  const tail = [...pieces];
  const head = tail.splice(0, Math.ceil(tail.length / 2));
  const isFitting = () => fits([...lead, ...head, ELLIPSIS, ...tail]);
  const lengthOf = (some) => some.join("").length;
  while (head.length + tail.length > 2 && !isFitting()) {
    // The start says more than the end.
    const isLong = 1.5 * lengthOf(tail) < lengthOf(head);
    if (tail.length > 1 && (head.length < 2 || !isLong)) tail.shift();
    else head.pop();
  }
  const cut = pieces.slice(head.length, pieces.length - tail.length).join("");
  return { skip, head, cut, tail, isFitting: isFitting() };
}

// A name in at most `most` lines, without its first `skipped` characters.
function shorten(name, size, space, most, skipped = 0) {
  const [skip, rest] = [name.slice(0, skipped), name.slice(skipped)];
  const pieces = piecesOf(rest);
  const whole = wrapped(skip ? [ELLIPSIS, ...pieces] : pieces, size, space, most);
  if (whole.isWhole) return { ...whole, skip, head: pieces };
  const fits = (limit) => (some) => linesOf(some, size, space) <= limit;
  const short = shortened(skip, pieces, fits(most));
  // A single word wider than the tile gets one line, and is cut in its middle.
  return short.isFitting
    ? { ...short, lines: most, least: Number.isFinite(linesOf(whole.head, size, space)) ? whole.least : 1 }
    : { ...shortened(skip, charactersOf(rest), fits(1)), lines: 1, least: 1 };
}

const shownText = ({ skip, head, cut, tail }) =>
  [skip && ELLIPSIS, ...head, cut && ELLIPSIS, ...tail].join("");

function commonStart([first, ...others]) {
  let length = 0;
  while (length < first.length && others.every((name) => name[length] === first[length])) {
    length += 1;
  }
  return length;
}

// Returns a map from each name to its parts. Names that would be cut to the same text are cut
// at their start instead: before the word, and then before the character, that differs.
export function cutApart(names, size, space, most) {
  const found =
    new Map([...new Set(names)].map((name) => [name, shorten(name, size, space, most)]));
  for (const part of [/[^\s\-_/.]*$/, /$/]) {
    const groups = new Map();
    for (const [name, parts] of found) {
      const text = shownText(parts);
      groups.set(text, [...(groups.get(text) || []), name]);
    }
    for (const group of [...groups.values()].filter((same) => same.length > 1)) {
      const start = group[0].slice(0, commonStart(group)).replace(part, "").length;
      for (const name of group) found.set(name, shorten(name, size, space, most, start));
    }
  }
  return found;
}
