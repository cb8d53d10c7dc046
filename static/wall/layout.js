// Measures the screen, and gives the grid and its names their sizes.

import { set, setStyle } from "../shared/dom.js";
import { nameSize, wrapped } from "./names.js";
import { partsOf } from "./tile.js";
import { isLoud, nameOf } from "../shared/words.js";

const PHONE_WIDTH = 700;
const LOW_HEIGHT = 480;
const LABEL = 1.6;
// The smallest name in the root's text size; the largest in the tile's, and of its height.
const NAME = { least: 1.25, most: 1.9, share: 0.21 };
// As in tile.css: the padding at both sides, and the symbol beside a name.
const PADDING = 1.75;
const SYMBOL = { small: 1.25, large: 2.3 };
// As in tile.css: the part that each step leaves out of a quiet and of a loud tile, and
// what parts need of the height at least, in the tile's text size. A name's is its own.
const STEPS = {
  quiet: ["title", "foot", "strip", "place", "", "", "why", ""],
  loud: ["strip", "foot", "", "title", "", "place", "why", ""],
};
const LEAST = { place: 1.2, why: 1.2, title: 1.2, foot: 1.35, strip: 1.1 };
const ALWAYS = { name: 1.12, rest: 1.5 };

// Below a television's size the page scrolls.
export const isScrolling = () =>
  window.innerWidth < PHONE_WIDTH || window.innerHeight < LOW_HEIGHT;

// What the tiles may fill.
export function screenOf(root, { cols, sort }, isGrouped) {
  const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
  const gap = parseFloat(getComputedStyle(root).columnGap);
  const top = root.getBoundingClientRect().top + window.scrollY;
  return {
    scrolls: isScrolling(),
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
  set(root, "data-fits", String(rows > 0));
  set(root, "data-large", String(wide > 1));
  root.style.gridTemplateColumns = `repeat(${columns}, minmax(0, 1fr))`;
  root.style.gridTemplateRows = rows
    ? `${above}repeat(${rows}, ${label ? `${label}px ` : ""}minmax(0, 1fr))` : "";
  root.style.height = rows ? `${Math.floor(total)}px` : "";
  setStyle(root, "--unit", `${unit}px`);
  setStyle(root, "--loud", `${loudUnit}px`);
  setStyle(root, "--wide", wide);
  setStyle(root, "--high", high);
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

const stepsOf = (node) => STEPS[node.dataset.loud ? "loud" : "quiet"];

// The steps that a tile needs even if each text but its name has one line only.
function leastSteps(node, lines, height, unit, name) {
  const its = partsOf(node);
  const isThere = (part) => part && !its[part].hidden;
  const isLeft = (part) => isThere(part) && !(part === "foot" && node.dataset.activity);
  const sum = (parts) => parts.reduce((total, part) => total + LEAST[part] * unit, 0);
  let over = sum(Object.keys(LEAST).filter(isThere)) + ALWAYS.rest * unit
    + ALWAYS.name * name * lines - height;
  const steps = stepsOf(node);
  const enough = steps.findIndex((part) => {
    if (over <= 1) return true;
    over -= isLeft(part) ? LEAST[part] * unit : 0;
    return false;
  });
  return enough < 0 ? steps.length : enough;
}

// Leaves out of each tile what matters least, until the rest fits: see tile.css. What is
// known to have no room is left out before anything is measured. `items` are nodes, each
// with what `fitNames` has for its name.
export function thinOut(root, { rows, height, high, unit, loudUnit }, { gap }, items) {
  const sizeOf = (name) => parseFloat(root.style.getPropertyValue(name));
  const least = rows ? {
    quiet: [height, unit, sizeOf("--name")],
    loud: [height * high + gap * (high - 1), loudUnit, sizeOf("--loud-name")],
  } : null;
  const leaveOut = (node, steps) => set(node, "data-less", "12345678".slice(0, steps));
  for (const [node, { lines }] of items) {
    const kind = node.dataset.loud ? "loud" : "quiet";
    leaveOut(node, least && leastSteps(node, lines, ...least[kind]));
  }
  // Where the page scrolls, each tile has the height that it needs.
  for (let full = rows ? items.map(([node]) => node) : []; full.length;) {
    full = full.filter(({ dataset, scrollHeight, clientHeight }) =>
      dataset.less.length < STEPS.loud.length && scrollHeight > clientHeight + 1);
    for (const node of full) leaveOut(node, node.dataset.less.length + 1);
  }
}

// The place of a tile's strip, when it has room for one.
export function stripOf(node) {
  const { strip } = partsOf(node);
  return strip.hidden || node.dataset.less.length > stepsOf(node).indexOf("strip")
    ? null : strip;
}
