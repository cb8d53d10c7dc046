// Names of up to two lines: where they wrap, how large they can be, how they are cut.

// After a space, - _ / or a dot, between camel's humps, in scripts without spaces.
const BREAK = /(?<=[\s\-_/\u2e80-\u9fff\uac00-\ud7af])|(?<=\.)(?!ya?ml$)|(?<=\p{Ll})(?=\p{Lu})/u;
const CUT = "…";

const context = document.createElement("canvas").getContext("2d");

// At a text size of one, with and without the space at its end. Names share their pieces,
// and are measured at many sizes.
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

// `room` has the font, and the widths of the first and the second line at a text size.
// No number of lines is enough for a piece that is wider than one.
function linesOf(pieces, size, { font, first, rest }) {
  let lines = 1;
  let used = 0;
  const room = () => (lines > 1 ? rest : first)(size);
  for (const piece of pieces) {
    const [whole, bare] = widthsOf(piece, font);
    if (used && used + bare * size > room()) {
      lines += 1;
      used = 0;
    }
    if (bare * size > room()) return Infinity;
    used += whole * size;
  }
  return lines;
}

const fits = (pieces, size, room, most = 2) => linesOf(pieces, size, room) <= most;

// One size for all names: the largest with which all of them fit that can.
export function nameSize(names, room, least, most) {
  const able = [...new Set(names)].map((name) => name.split(BREAK))
    .filter((pieces) => fits(pieces, least, room));
  let size = most;
  while (size > least && !able.every((pieces) => fits(pieces, size, room))) size *= 0.96;
  return Math.max(least, size);
}

// Without pieces of its middle, as the end often tells a name from others.
function shortened(pieces, size, room, most) {
  const tail = [...pieces];
  const head = tail.splice(0, Math.ceil(tail.length / 2));
  while (head.length + tail.length > 2 && !fits([...head, CUT, ...tail], size, room, most)) {
    if (tail.length > 1 && (head.length < 2 || tail.join("").length > head.join("").length)) {
      tail.shift();
    } else head.pop();
  }
  return { head, cut: pieces.slice(head.length, pieces.length - tail.length), tail };
}

// The name in pieces between which it may wrap, those in `cut` have no room; and the lines
// that it takes at least, as the browser rounds in its own way.
export function wrapped(name, size, room) {
  const pieces = name.split(BREAK);
  const lines = linesOf(pieces, 0.97 * size, room);
  const least = { lines: lines === Infinity ? 1 : Math.min(lines, 2) };
  if (fits(pieces, size, room)) return { head: pieces, cut: [], tail: [], ...least };
  const short = shortened(pieces, size, room);
  // One word longer than the tile is wide has one line, and is cut in its own middle.
  return fits([...short.head, CUT, ...short.tail], size, room)
    ? { ...short, ...least } : { ...shortened([...name], size, room, 1), lines: 1 };
}
