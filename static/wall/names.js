// Wraps the titles of tiles, and finds their text size.

// A name may wrap after a space, - _ / or a dot, between camelCase words, and between
// characters of scripts without spaces.
export const BREAK = /(?<=[\s\-_/\u2e80-\u9fff\uac00-\ud7af])|(?<=\.)(?!ya?ml\b)|(?<=\p{Ll})(?=\p{Lu})/u;

// As in tile.css: the space between letters in the text size.
const SPACING = -0.02;

const context = document.createElement("canvas").getContext("2d");

// The width of a piece at a text size of 1px, with and without its trailing space. Cached,
// because names share pieces and are measured at many sizes.
const widths = new Map();
function widthsOf(piece, { weight, font }) {
  const key = `${weight} 100px ${font}\n${piece}`;
  if (!widths.has(key)) {
    [context.font] = key.split("\n");
    const width = (text) => context.measureText(text).width / 100 + SPACING * text.length;
    widths.set(key, [width(piece), width(piece.trimEnd())]);
  }
  return widths.get(key);
}

// The number of lines that the pieces take; Infinity when one is wider than a line. `space`
// has the font, and functions from a text size to the width of the first and other lines.
export function linesOf(pieces, size, space) {
  const { first, rest } = space;
  let lines = 1;
  let used = 0;
  const width = () => (lines > 1 ? rest : first)(size);
  for (const piece of pieces) {
    const [whole, bare] = widthsOf(piece, space);
    if (used && used + bare * size > width()) {
      lines += 1;
      used = 0;
    }
    if (bare * size > width()) return Infinity;
    used += whole * size;
  }
  return lines;
}

// The symbol is beside the first line, which is the repository's; only that is bold.
const below = (space) => ({ ...space, weight: 400, first: space.rest });

// The largest size at which all titles fit, but not below `small`: long ones are cut instead.
// A word that is wider than a line makes it smaller, down to `least`, if it has a line there.
// A title has two `names`, its `space` and, by size, its numbers of `lines`.
export function titleSize(titles, least, small, most) {
  const all = titles.map(({ names, lines, space }) => ({
    lines,
    names: names.map((name) => name.split(BREAK)),
    spaces: [space, below(space)],
  }));
  const linesAt = ({ names, spaces }, size) =>
    names.reduce((sum, pieces, index) => sum + linesOf(pieces, size, spaces[index]), 0);
  const wordy = all.filter((title) => linesAt(title, least) < Infinity);
  const fits = (size) => (title) =>
    linesAt(title, size) <= (size > small ? title.lines(size)[0] : Number.MAX_VALUE);
  let size = most;
  while (size > least && !wordy.every(fits(size))) size *= 0.96;
  return Math.max(least, size);
}

// Shortens names that do not fit; loaded when there are any. Until then they lose their end.
let cutter = null;
let isLoading = false;
let loads = 0;
// Grows when the names are to be wrapped again, also after an error.
export const countLoads = () => loads;
async function loadCutter() {
  if (isLoading) return;
  isLoading = true;
  cutter = await import("./cut.js").catch(() => null);
  isLoading = false;
  loads += 1;
  if (cutter) window.dispatchEvent(new Event("resize"));
}

// The pieces of a name, and that it takes from `least` to `lines` lines: tiles have edges of
// two widths.
export function wrapped(pieces, size, space, most) {
  const [least, lines] = [0.92, 1].map((part) => linesOf(pieces, part * size, space));
  return { skip: "", head: pieces, cut: "", tail: [], lines: Math.min(most, lines), least: Math.min(most, least), isWhole: lines <= most };
}

// Wraps titles, which are [repository, workflow]: first the repository, then the workflow in the
// lines that are left. Returns a function from a title and its numbers of lines to both.
export function wrapTitles(titles, size, space) {
  const cache = {};
  function wrap(index, most, name) {
    const own = index ? below(space) : space;
    const found = wrapped(name.split(BREAK), size, own, most);
    if (found.isWhole) return found;
    if (!cutter) {
      loadCutter();
      return found;
    }
    const key = `${index} ${most}`;
    cache[key] = cache[key] || cutter.cutApart(titles.map((title) => title[index]), size, own, most);
    return cache[key].get(name);
  }
  return ([repo, workflow], [usual, most = usual]) => {
    const first = wrap(0, most - 1, repo);
    const second = wrap(1, Math.max(1, usual - first.lines), workflow);
    return { repo: { ...first, name: repo }, workflow: second, least: first.least + second.least };
  };
}
