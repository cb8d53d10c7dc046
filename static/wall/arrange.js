// Computes how many tiles fit a screen, and how large they can be. It uses no DOM.

// The sizes of a loud tile in cells. `least` is the smallest size of a cell in rem: it has room
// for a name of two lines, a state and an activity. A larger tile is worth `weight` times the
// text size of the others.
const SPANS = [
  { wide: 2, high: 2, least: [11, 6.6], weight: 2 },
  { wide: 2, high: 1, least: [10, 5.3], weight: 1.2 },
  { wide: 1, high: 1, least: [10, 5.3], weight: 1 },
];
// The size that a tile needs, in its own text size, and the limits of that size in rem.
const QUIET = [18.5, 10.5];
// A loud tile of one row needs less height, because its texts need fewer lines.
const LOUD = [22, 14];
const LOUD_ROW = [30, 10.5];
const UNIT = { least: 0.74, most: 3 };
// Cells without a tile are filled by a panel. It is worth some text size to need none, and a
// small one is better than a large one.
const HOLE = { any: 0.15, share: 1 };

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

// The number of a plan's cells that have no tile.
export const holeOf = ({ columns, rows, wide, high }, { loud, quiet }) =>
  columns * rows - wide * high * loud - quiet;

// The plans of all numbers of columns whose empty cells are all at the end of the last row.
function plans({ loud, quiet }, screen, { wide, high, least, weight }) {
  const { gap, label, cols, rem } = screen;
  const most = limits(screen, least);
  const found = [];
  if (most.isTooNarrow && wide > 1) return found;
  for (let columns = cols ? most.columns : wide; columns <= most.columns; columns += 1) {
    const across = Math.floor(columns / wide);
    const bands = loud && Math.ceil(loud / across);
    const rows =
      Math.max(high * bands, Math.ceil((wide * high * loud + quiet) / columns), 1);
    const hole = holeOf({ columns, rows, wide, high }, { loud, quiet });
    const lastRow =
      rows > high * bands ? columns : columns - wide * (loud - across * (bands - 1));
    if (rows > most.rows || hole > lastRow) continue;
    const width = share(screen.width, columns, gap);
    const height = share(screen.height, rows, gap) - label;
    const size = fit(width, height, QUIET);
    const used = hole ? (1 - HOLE.any) * (1 - HOLE.share * hole / (columns * rows)) : 1;
    const score = weight * used * Math.min(size, UNIT.most * rem);
    found.push({ columns, rows, width, height, size, wide, high, score });
  }
  return found;
}

// The best plan for these numbers of loud and quiet tiles; null when they do not fit.
export function arrange(counts, screen) {
  const grows = counts.loud && counts.quiet && screen.grows;
  const best = (grows ? SPANS : SPANS.slice(2))
    .flatMap((span) => plans(counts, screen, span))
    .reduce((found, plan) => (found && found.score >= plan.score ? found : plan), null);
  if (!best) return null;
  const { width, height, wide, high } = best;
  const limited = (unit) =>
    screen.rem * Math.max(UNIT.least, Math.min(UNIT.most, unit / screen.rem));
  const loudUnit = limited(fit(width * wide, height * high, wide > high ? LOUD_ROW : LOUD));
  // Cells of the same size have text of the same size.
  const unit = counts.loud && wide === 1 ? loudUnit : limited(best.size);
  return { ...best, total: screen.height, unit, loudUnit };
}
