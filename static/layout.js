// Measures the screen, and gives the grid and its names their sizes.

import { nameSize, wrapped } from "./names.js";
import { isLoud, nameOf } from "./words.js";

const PHONE_WIDTH = 700;
const LOW_HEIGHT = 480;
const LABEL = 1.6;
// The smallest name in the root's text size; the largest in the tile's, and of its height.
const NAME = { least: 1.25, most: 1.9, share: 0.21 };
// As in tile.css: the padding at both sides, and the symbol beside a name.
const PADDING = 1.75;
const SYMBOL = { small: 1.25, large: 2.3 };

// What the tiles may fill. Below a television's size the page scrolls.
export function screenOf(root, { cols, sort }, isGrouped) {
  const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
  const gap = parseFloat(getComputedStyle(root).columnGap);
  const top = root.getBoundingClientRect().top + window.scrollY;
  return {
    scrolls: window.innerWidth < PHONE_WIDTH || window.innerHeight < LOW_HEIGHT,
    width: root.clientWidth,
    height: window.innerHeight - top - gap,
    label: isGrouped ? LABEL * rem : 0,
    grows: sort === "state" && !isGrouped,
    gap, rem, cols,
  };
}

export function scrolling({ width, gap, rem }) {
  const columns = Math.max(1, Math.floor(width / (19 * rem)));
  const each = (width - gap * (columns - 1)) / columns;
  return { columns, rows: 0, width: each, wide: 1, high: 1, unit: rem, loudUnit: rem };
}

// `band` is what stands above the tiles.
export function apply(root, plan, { label }, band) {
  const { columns, rows, unit, loudUnit, wide, high, total } = plan;
  const above = band ? `${band}px ` : "";
  const { style } = root;
  root.dataset.fits = rows > 0;
  root.dataset.large = wide > 1;
  style.gridTemplateColumns = `repeat(${columns}, minmax(0, 1fr))`;
  style.gridTemplateRows = rows
    ? `${above}repeat(${rows}, ${label ? `${label}px ` : ""}minmax(0, 1fr))` : "";
  style.height = rows ? `${Math.floor(total)}px` : "";
  style.setProperty("--unit", `${unit}px`);
  style.setProperty("--loud", `${loudUnit}px`);
  style.setProperty("--wide", wide);
  style.setProperty("--high", high);
}

// One size for all names, and one for those of larger tiles; each then wraps in the width
// that its tile gives it.
export function fitNames(root, plan, { rem, gap }, tiles) {
  const names = new Map();
  const least = NAME.least * rem;
  for (const loud of [false, true]) {
    const ours = tiles.filter((tile) => isLoud(tile) === loud);
    const [wide, high, unit] = loud ? [plan.wide, plan.high, plan.loudUnit] : [1, 1, plan.unit];
    const symbol = wide > 1 ? SYMBOL.large : SYMBOL.small;
    // A hair less, as the browser rounds in its own way.
    const width = 0.98 * (plan.width * wide + gap * (wide - 1) - PADDING * unit);
    const room = {
      font: getComputedStyle(root).fontFamily,
      first: (size) => width - symbol * size,
      rest: (size) => width - (wide > 1 ? symbol * size : 0),
    };
    const most = Math.min(NAME.most * unit, NAME.share * plan.height * high);
    const alike = plan.wide > 1 ? ours : tiles;
    const size = nameSize(alike.map(nameOf), room, least, plan.rows ? most : least);
    root.style.setProperty(loud ? "--loud-name" : "--name", `${size}px`);
    for (const tile of ours) names.set(tile, wrapped(nameOf(tile), size, room));
  }
  return names;
}

// Leaves out of each tile what matters least, until the rest fits: see tile.css.
export function thinOut(nodes) {
  for (const node of nodes) node.dataset.less = "";
  let full = nodes;
  for (const step of "12345678") {
    full = full.filter((node) => node.scrollHeight > node.clientHeight + 1);
    for (const node of full) node.dataset.less += step;
  }
}
