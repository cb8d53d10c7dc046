// Arranges 1 to 200 tiles on screens of many sizes, puts them into a grid as CSS does, and
// returns what is wrong; the tests run it in the page.
async (windows) => {
  const { arrange, holeOf } = await import("/static/wall/arrange.js");
  const HEADERS = [2, 3.4, 8];
  const SHARES = [0, 0.04, 0.15, 0.4, 0.7, 1];

  // The cells of each row that stay empty, by `grid-auto-flow: row dense`.
  function place({ columns, rows, wide, high }, { loud, quiet }) {
    const isUsed = Array.from({ length: rows }, () => Array(columns).fill(false));
    const put = (width, height) => {
      for (let row = 0; row + height <= rows; row += 1) {
        for (let column = 0; column + width <= columns; column += 1) {
          const own = isUsed.slice(row, row + height);
          if (own.some((cells) => cells.slice(column, column + width).some(Boolean))) continue;
          for (const cells of own) cells.fill(true, column, column + width);
          return true;
        }
      }
      return false;
    };
    const isFull = [...Array(loud).fill([wide, high]), ...Array(quiet).fill([1, 1])]
      .every((size) => put(...size));
    return isFull && isUsed.map((cells) => cells.map((used, column) => (used ? -1 : column))
      .filter((column) => column >= 0));
  }

  function problemOf(plan, counts, screen) {
    const { columns, rows, width, height, wide, high, unit, loudUnit } = plan;
    const empty = place(plan, counts);
    if (!empty) return "a tile has no cell";
    const last = empty.pop();
    if (empty.some((cells) => cells.length)) return "an empty cell above the last row";
    if (last.length !== holeOf(plan, counts)) return "a wrong number of empty cells";
    if (last.length && last[0] !== columns - last.length) return "empty cells not at the end";
    if (last.length === columns) return "an empty row";
    if (width < 9.99 * screen.rem || height < 5.29 * screen.rem) return "too small tiles";
    if (columns * (width + screen.gap) - screen.gap > screen.width + 0.1) return "too wide";
    const rowHeight = height + screen.label + screen.gap;
    if (rows * rowHeight - screen.gap > screen.height + 0.1) return "too high";
    if (loudUnit < 0.73 * screen.rem || unit < 0.73 * screen.rem) return "too small text";
    if (counts.loud && wide === 1 && unit !== loudUnit) return "two text sizes in a size";
    return wide > 1 && !counts.quiet ? "large tiles only" : null;
  }

  const problems = [];
  let cases = 0;
  const fitting = {};
  for (const [innerWidth, innerHeight] of windows) {
    const rem = Math.max(15, Math.min(innerWidth / 100, innerHeight * 0.0178));
    const gap = 0.42 * rem;
    for (const header of HEADERS) {
      for (const share of SHARES) {
        for (const [cols, grows, label] of [[0, true, 0], [5, true, 0], [0, false, 1.6 * rem]]) {
          for (let tiles = 1; tiles <= 200; tiles += 1) {
            const loud = Math.round(share * tiles);
            const counts = { loud, quiet: tiles - loud };
            const screen = { width: innerWidth - 1.6 * rem, rem, gap, label, cols, grows,
              height: innerHeight - header * rem - gap };
            const plan = arrange(counts, screen);
            if (!plan) continue;
            cases += 1;
            const name = `${innerWidth}x${innerHeight}`;
            if (!cols && !label && !share) fitting[name] = Math.max(fitting[name] || 0, tiles);
            const problem = problemOf(plan, counts, screen);
            if (problem) problems.push([problem, name, header, counts, cols, plan]);
          }
        }
      }
    }
  }
  return { cases, fitting, problems: problems.slice(0, 5) };
}
