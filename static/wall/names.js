// Wraps the titles of tiles, and finds their text size.

// A name may wrap after a space, - _ / or a dot, between camelCase words, and between
// characters of scripts without spaces.
const BREAK = /(?<=[\s\-_/\u2e80-\u9fff\uac00-\ud7af])|(?<=\.)(?!ya?ml\b)|(?<=\p{Ll})(?=\p{Lu})/u;

// As in tile.css: the space between letters in the text size.
const SPACING = -0.02;

const context = document.createElement("canvas").getContext("2d");

// The width of a piece at a text size of 1px, with and without its trailing space. Cached by
// font, because names share pieces and are measured at many sizes.
const widths = new Map();
function measure(font, known, piece) {
  context.font = font;
  const width = (text) => context.measureText(text).width / 100 + SPACING * text.length;
  const [whole, bare] = [width(piece), piece.trimEnd()];
  const found = [whole, bare === piece ? whole : width(bare)];
  known.set(piece, found);
  return found;
}

// The pieces of a name. Cached, because they are the same for each size and width.
const pieces = new Map();
export function piecesOf(name) {
  if (!pieces.has(name)) pieces.set(name, name.split(BREAK));
  return pieces.get(name);
}

// The number of lines that the pieces take; Infinity when one is wider than a line. `space`
// has the font, and functions from a text size to the width of the first and other lines.
export function linesOf(some, size, { font, first, rest }) {
  if (!widths.has(font)) widths.set(font, new Map());
  const known = widths.get(font);
  let lines = 1;
  let used = 0;
  let width = first(size);
  for (const piece of some) {
    const [whole, bare] = known.get(piece) || measure(font, known, piece);
    if (used && used + bare * size > width) {
      lines += 1;
      used = 0;
      width = rest(size);
    }
    if (bare * size > width) return Infinity;
    used += whole * size;
  }
  return lines;
}

// The symbol is beside the first line, which is the repository's; only that is bold.
const below = ({ font, rest }) => ({ font: font.replace("700", "400"), first: rest, rest });

// The largest size at which all titles fit, but not below `small`: long ones are cut instead.
// A word that is wider than a line makes it smaller, down to `least`, if it has a line there.
// A title has two `names`, its `space` and, by size, its numbers of `lines`.
export function titleSize(titles, least, small, most) {
  const all = titles.map(({ names, lines, space }) => ({
    lines,
    names: names.map(piecesOf),
    spaces: [space, below(space)],
  }));
  const linesAt = ({ names, spaces }, size) =>
    names.reduce((sum, pieces, index) => sum + linesOf(pieces, size, spaces[index]), 0);
  const fits = (title, size) =>
    linesAt(title, size) <= (size > small ? title.lines(size)[0] : Number.MAX_VALUE);
  let size = most;
  for (const title of all) {
    // A title that fits also fits at a smaller size.
    if (!fits(title, size) && linesAt(title, least) < Infinity) {
      while (size > least && !fits(title, size)) size *= 0.96;
    }
  }
  return Math.max(least, size);
}

// Shortens names that do not fit; loaded when there are any, or with many tiles. Until then
// they lose their end.
let cutter = null;
let isLoading = false;
let loads = 0;
// Grows when the names are to be wrapped again, also after an error.
export const countLoads = () => loads;
export async function loadCutter() {
  if (cutter || isLoading) return;
  isLoading = true;
  cutter = await import("./cut.js").catch(() => null);
  isLoading = false;
  loads += 1;
  if (cutter) window.dispatchEvent(new Event("resize"));
}

// The pieces of a name, and that it takes from `least` to `lines` lines: tiles have edges of
// two widths.
export function wrapped(some, size, space, most) {
  const [least, lines] = [0.92, 1].map((part) => linesOf(some, part * size, space));
  return { skip: "", head: some, cut: "", tail: [], lines: Math.min(most, lines), least: Math.min(most, least), isWhole: lines <= most };
}

// Wraps titles, which are [repository, workflow]: first the repository, then the workflow in the
// lines that are left. Returns a function from a title and its numbers of lines to both.
export function wrapTitles(titles, size, space) {
  const cache = {};
  const spaces = [space, below(space)];
  function wrap(index, most, name) {
    const own = spaces[index];
    const found = wrapped(piecesOf(name), size, own, most);
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
