// Wraps names into at most two lines, finds their text size, and shortens long ones.

// A name may wrap after a space, - _ / or a dot, between camelCase words, and between
// characters of scripts without spaces.
const BREAK = /(?<=[\s\-_/\u2e80-\u9fff\uac00-\ud7af])|(?<=\.)(?!ya?ml$)|(?<=\p{Ll})(?=\p{Lu})/u;
const ELLIPSIS = "…";

// What a reader sees as single characters, such as a flag. Chromium 86 has no Segmenter.
const charactersOf = (text) => (Intl.Segmenter
  ? Array.from(new Intl.Segmenter().segment(text), ({ segment }) => segment) : [...text]);

const context = document.createElement("canvas").getContext("2d");

// The width of a piece at a text size of 1px, with and without its trailing space. Cached,
// because names share pieces and are measured at many sizes.
const widths = new Map();
function widthsOf(piece, font) {
  const key = `700 100px ${font}\n${piece}`;
  if (!widths.has(key)) {
    [context.font] = key.split("\n");
    const width = (text) => context.measureText(text).width / 100;
    widths.set(key, [width(piece), width(piece.trimEnd())]);
  }
  return widths.get(key);
}

// The number of lines that the pieces take; Infinity when one is wider than a line. `space`
// has the font, and functions from a text size to the width of the first and other lines.
function linesOf(pieces, size, { font, first, rest }) {
  let lines = 1;
  let used = 0;
  const width = () => (lines > 1 ? rest : first)(size);
  for (const piece of pieces) {
    const [whole, bare] = widthsOf(piece, font);
    if (used && used + bare * size > width()) {
      lines += 1;
      used = 0;
    }
    if (bare * size > width()) return Infinity;
    used += whole * size;
  }
  return lines;
}

const fits = (pieces, size, space, most = 2) => linesOf(pieces, size, space) <= most;

// The largest size at which all names fit; names that cannot fit at all do not count.
export function nameSize(names, space, least, most) {
  const fitting = [...new Set(names)].map((name) => name.split(BREAK))
    .filter((pieces) => fits(pieces, least, space));
  let size = most;
  while (size > least && !fitting.every((pieces) => fits(pieces, size, space))) size *= 0.96;
  return Math.max(least, size);
}

// Cuts pieces out of the middle, because names often differ at their end.
function shortened(pieces, size, space, most) {
  const tail = [...pieces];
  const head = tail.splice(0, Math.ceil(tail.length / 2));
  while (head.length + tail.length > 2 && !fits([...head, ELLIPSIS, ...tail], size, space, most)) {
    if (tail.length > 1 && (head.length < 2 || tail.join("").length > head.join("").length)) {
      tail.shift();
    } else head.pop();
  }
  return { head, cut: pieces.slice(head.length, pieces.length - tail.length), tail };
}

// The pieces of a name: `cut` are those that have no room. `lines` is a lower bound, because the
// browser rounds widths differently.
export function wrapped(name, size, space) {
  const pieces = name.split(BREAK);
  const lines = linesOf(pieces, 0.97 * size, space);
  const least = { lines: lines === Infinity ? 1 : Math.min(lines, 2) };
  if (fits(pieces, size, space)) return { head: pieces, cut: [], tail: [], ...least };
  const short = shortened(pieces, size, space);
  // A single word wider than the tile gets one line, and is cut in its middle.
  return fits([...short.head, ELLIPSIS, ...short.tail], size, space)
    ? { ...short, ...least } : { ...shortened(charactersOf(name), size, space, 1), lines: 1 };
}
