// Computes how many tiles fit a screen, and how large they can be. It uses no DOM.

// A loud tile gets as many cells as the quiet tiles can spare. `least` is the smallest size of
// a cell in rem: it has room for a name of two lines, a state and an activity.
const SPANS = [
  { wide: 2, high: 2, least: [11, 6.6] },
  { wide: 2, high: 1, least: [10, 5.3] },
  { wide: 1, high: 1, least: [10, 5.3] },
];
// The size that a tile needs, in its own text size, and the limits of that size in rem.
const QUIET = [17, 9];
const LOUD = [22, 14];
const UNIT = { least: 0.74, most: 3 };

const share = (space, parts, gap) => (space - gap * (parts - 1)) / parts;
const fit = (width, height, need) => Math.min(width / need[0], height / need[1]);

// The largest number of columns and rows. `screen` has width, height, gap, the height of the
// labels above a row, the root's text size (rem), and the requested columns (cols).
export function limits({ width, height, gap, label, rem, cols }, least = SPANS[2].least) {
  const most = (space, size) =>
    Math.max(1, Math.floor((space + gap) / (size + gap) + 1e-6));
  const columns = most(width, least[0] * rem);
  return {
    columns: Math.min(columns, cols || columns),
    rows: most(height, least[1] * rem + label),
    isTooNarrow: cols > columns,
  };
}

function plan({ loud, quiet }, screen, { wide, high, least }) {
  const { gap, label, cols } = screen;
  const most = limits(screen, least);
  let best = null;
  if (most.isTooNarrow && wide > 1) return null;
  for (let columns = cols ? most.columns : 1; columns <= most.columns; columns += 1) {
    const across = Math.floor(columns / wide);
    const rows = Math.max(
      loud && high * Math.ceil(loud / across),
      Math.ceil((wide * high * loud + quiet) / columns),
      1,
    );
    if (rows > most.rows) continue;
    const width = share(screen.width, columns, gap);
    const height = share(screen.height, rows, gap) - label;
    const size = fit(width, height, QUIET);
    if (!best || size > best.size) best = { columns, rows, width, height, size, wide, high };
  }
  return best;
}

// The plan with the largest text for these numbers of loud and quiet tiles; null when they do
// not fit.
export function arrange(counts, screen) {
  const spans = counts.quiet && screen.grows ? SPANS : SPANS.slice(2);
  const best = spans.reduce((found, span) => found || plan(counts, screen, span), null);
  if (!best) return null;
  const { width, height, wide, high } = best;
  const limited = (unit) =>
    screen.rem * Math.max(UNIT.least, Math.min(UNIT.most, unit / screen.rem));
  const loudUnit = limited(fit(width * wide, height * high, LOUD));
  // Cells of the same size have text of the same size.
  const unit = counts.loud && wide === 1 ? loudUnit : limited(best.size);
  return { ...best, total: screen.height, unit, loudUnit };
}
