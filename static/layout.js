// How many columns, and how large the text, so that every tile fits the screen.

// What a tile needs at each density, in units of its text size, with the smallest name:
// width and height; and how large that unit must be, in the page's root text size, for
// the density to be used.
const DENSITIES = [
  { name: "full", width: 21, height: 12.4, least: 0.95 },
  { name: "medium", width: 19, height: 10.1, least: 0.78 },
  { name: "compact", width: 16, height: 6.6, least: 0.62 },
];
const LARGEST_UNIT = 3;
const PHONE_WIDTH = 700;
const NAME_UNITS = { largest: 2, smallest: 1.45 };
const CHARACTER_WIDTH = 0.56;
const NAME_LINE = 1.22;

export function fit(grid, names) {
  const root = parseFloat(getComputedStyle(document.documentElement).fontSize);
  const box = grid.getBoundingClientRect();
  const gap = parseFloat(getComputedStyle(grid).columnGap) || 0;
  const room = {
    width: grid.clientWidth,
    height: window.innerHeight - box.top - window.scrollY - gap,
  };
  const plan = window.innerWidth < PHONE_WIDTH
    ? { columns: 1, rows: 0, unit: root, width: room.width, spare: root, name: "full" }
    : plans(names.length, room, gap, root);
  const size = nameSize(plan, Math.max(1, ...names.map((name) => name.length)));
  grid.dataset.density = plan.name;
  grid.dataset.fits = plan.rows > 0;
  grid.style.setProperty("--columns", plan.columns);
  grid.style.setProperty("--rows", plan.rows || 1);
  grid.style.setProperty("--unit", `${plan.unit.toFixed(2)}px`);
  grid.style.setProperty("--name", `${size.toFixed(2)}px`);
  grid.style.setProperty("--height", `${Math.floor(room.height)}px`);
}

// One size for all names: as large as the longest, and the room above the rest, allow.
function nameSize({ unit, width, spare }, longest) {
  const smallest = NAME_UNITS.smallest * unit;
  const free = (width - 4.6 * unit) / (longest * CHARACTER_WIDTH);
  return Math.min(
    NAME_UNITS.largest * unit, smallest + spare / NAME_LINE, Math.max(smallest, free),
  );
}

function plans(count, room, gap, root) {
  for (const density of DENSITIES) {
    const best = bestColumns(count, room, gap, density);
    if (best.unit >= density.least * root) {
      const unit = Math.min(best.unit, LARGEST_UNIT * root);
      const spare = Math.max(0, best.height - density.height * unit);
      return { ...best, unit, spare, name: density.name };
    }
  }
  return scrolling(room, gap, root);
}

function bestColumns(count, room, gap, density) {
  let best = { unit: 0 };
  for (let columns = 1; columns <= Math.max(1, count); columns += 1) {
    const rows = Math.ceil(count / columns) || 1;
    const width = (room.width - gap * (columns - 1)) / columns;
    const height = (room.height - gap * (rows - 1)) / rows;
    const unit = Math.min(width / density.width, height / density.height);
    if (unit > best.unit) best = { columns, rows, unit, width, height };
  }
  return best;
}

// Too many tiles for the screen at a readable size: keep the size, and scroll.
function scrolling(room, gap, root) {
  const density = DENSITIES[DENSITIES.length - 1];
  const unit = density.least * root;
  const columns = Math.max(
    1, Math.floor((room.width + gap) / (density.width * unit + gap)),
  );
  const width = (room.width - gap * (columns - 1)) / columns;
  return { columns, rows: 0, unit, width, spare: unit, name: density.name };
}
