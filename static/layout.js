// How many columns, and how large the text, so that every tile fits the screen.

// What a tile needs at each density, in units of its text size: width and height; and
// how large that unit must be, in the page's root text size, for the density to be used.
const DENSITIES = [
  { name: "full", width: 21, height: 13.2, least: 0.95 },
  { name: "medium", width: 19, height: 9.9, least: 0.78 },
  { name: "compact", width: 16, height: 6.6, least: 0.62 },
];
const LARGEST_UNIT = 3;
const PHONE_WIDTH = 700;
const NAME_UNITS = { largest: 2, smallest: 1.45 };
const CHARACTER_WIDTH = 0.56;

export function fit(grid, names) {
  const root = parseFloat(getComputedStyle(document.documentElement).fontSize);
  const box = grid.getBoundingClientRect();
  const gap = parseFloat(getComputedStyle(grid).columnGap) || 0;
  const room = {
    width: grid.clientWidth,
    height: window.innerHeight - box.top - window.scrollY - gap,
  };
  const plan = window.innerWidth < PHONE_WIDTH
    ? { columns: 1, rows: 0, unit: root, width: room.width, name: "full" }
    : plans(names.length, room, gap, root);
  const longest = Math.max(1, ...names.map((name) => name.length));
  const free = plan.width - 4.6 * plan.unit;
  const size = Math.min(
    NAME_UNITS.largest * plan.unit,
    Math.max(NAME_UNITS.smallest * plan.unit, free / (longest * CHARACTER_WIDTH)),
  );
  grid.dataset.density = plan.name;
  grid.dataset.fits = plan.rows > 0;
  grid.style.setProperty("--columns", plan.columns);
  grid.style.setProperty("--rows", plan.rows || 1);
  grid.style.setProperty("--unit", `${plan.unit.toFixed(2)}px`);
  grid.style.setProperty("--name", `${size.toFixed(2)}px`);
  grid.style.setProperty("--height", `${Math.floor(room.height)}px`);
}

function plans(count, room, gap, root) {
  for (const density of DENSITIES) {
    const best = bestColumns(count, room, gap, density);
    if (best.unit >= density.least * root) {
      const unit = Math.min(best.unit, LARGEST_UNIT * root);
      return { ...best, unit, name: density.name };
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
    if (unit > best.unit) best = { columns, rows, unit, width };
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
  return { columns, rows: 0, unit, width, name: density.name };
}
