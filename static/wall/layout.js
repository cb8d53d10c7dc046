// Measures the screen, sets the sizes of the grid and its names, and hides parts that do not
// fit.

import { setAttr, setStyle } from "../shared/dom.js";
import { isLoud, nameOf } from "../shared/tile_text.js";
import { nameSize, wrapped } from "./names.js";
import { partsOf } from "./tile.js";

const PHONE_WIDTH = 700;
const LOW_HEIGHT = 480;
// The height of a group's label in rem.
const LABEL = 1.6;
// The text size of names: at least `least` rem, and at most `most` of the tile's text size and
// `share` of its height.
const NAME = { least: 1.25, most: 1.9, share: 0.21 };
// As in tile.css: the padding of both sides, and the width of the symbol next to a name.
const PADDING = 1.75;
const SYMBOL = { small: 1.25, large: 2.3 };
// The order in which parts of a quiet and of a loud tile are hidden or shortened; tile.css does
// it by these names.
const STEPS = {
  quiet: ["title", "foot", "strip", "repo", "facts", "short-why", "why"],
  loud: ["strip", "foot", "short-title", "title", "short-why", "repo", "why", "since"],
};
// The least height of the parts in the tile's text size. `name` counts in the name's text size.
const LEAST = { repo: 1.2, why: 1.2, title: 1.2, foot: 1.35, strip: 1.1 };
const ALWAYS = { name: 1.12, rest: 1.5 };

// On small windows the page scrolls instead of fitting the tiles.
export const isScrolling = () =>
  window.innerWidth < PHONE_WIDTH || window.innerHeight < LOW_HEIGHT;

// The space for the tiles.
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

export function scrollingPlan({ width, gap, rem }) {
  const columns = Math.max(1, Math.floor(width / (19 * rem)));
  const tileWidth = (width - gap * (columns - 1)) / columns;
  return { columns, rows: 0, width: tileWidth, wide: 1, high: 1, unit: rem, loudUnit: rem };
}

export function applyLayout(root, plan, { label }, messageHeight) {
  const { columns, rows, unit, loudUnit, wide, high, total } = plan;
  const above = messageHeight ? `${messageHeight}px ` : "";
  setAttr(root, "data-fits", String(rows > 0));
  setAttr(root, "data-large", String(wide > 1));
  root.style.gridTemplateColumns = `repeat(${columns}, minmax(0, 1fr))`;
  root.style.gridTemplateRows = rows
    ? `${above}repeat(${rows}, ${label ? `${label}px ` : ""}minmax(0, 1fr))` : "";
  root.style.height = rows ? `${Math.floor(total)}px` : "";
  setStyle(root, "--unit", `${unit}px`);
  setStyle(root, "--loud", `${loudUnit}px`);
  setStyle(root, "--wide", wide);
  setStyle(root, "--high", high);
}

// Finds one text size for the names of all quiet tiles and one for those of loud tiles, and
// wraps each name in its tile's width.
export function fitNames(root, plan, { rem, gap }, tiles) {
  const names = new Map();
  const least = NAME.least * rem;
  for (const loud of [false, true]) {
    const own = tiles.filter((tile) => isLoud(tile) === loud);
    const [wide, high, unit] = loud ? [plan.wide, plan.high, plan.loudUnit] : [1, 1, plan.unit];
    const symbol = wide > 1 ? SYMBOL.large : SYMBOL.small;
    // Slightly less, because the browser rounds widths differently.
    const width = 0.98 * (plan.width * wide + gap * (wide - 1) - PADDING * unit);
    const space = {
      font: getComputedStyle(root).fontFamily,
      first: (size) => width - symbol * size,
      rest: (size) => width - (wide > 1 ? symbol * size : 0),
    };
    const most = Math.min(NAME.most * unit, NAME.share * plan.height * high);
    const sameSize = plan.wide > 1 ? own : tiles;
    const size = nameSize(sameSize.map(nameOf), space, least, plan.rows ? most : least);
    root.style.setProperty(loud ? "--loud-name" : "--name", `${size}px`);
    for (const tile of own) names.set(tile, wrapped(nameOf(tile), size, space));
  }
  return names;
}

const stepsOf = (node) => STEPS[node.dataset.loud ? "loud" : "quiet"];

// The number of steps that a tile needs even if every text except its name has one line.
function leastSteps(node, lines, height, unit, name) {
  const parts = partsOf(node);
  const isShown = (part) => LEAST[part] && !parts[part].hidden;
  const canHide = (part) => isShown(part) && !(part === "foot" && node.dataset.activity);
  const heightOf = (part) => LEAST[part] * unit;
  let excess = Object.keys(LEAST).filter(isShown).reduce((sum, part) => sum + heightOf(part), 0)
    + ALWAYS.rest * unit + ALWAYS.name * name * lines - height;
  const steps = stepsOf(node);
  const enough = steps.findIndex((part) => {
    if (excess <= 1) return true;
    excess -= canHide(part) ? heightOf(part) : 0;
    return false;
  });
  return enough < 0 ? steps.length : enough;
}

// Hides parts of each tile, least important first, until the rest fits. Parts that cannot fit
// are hidden before anything is measured. `items` are [node, wrapped name].
export function collapseParts(root, { rows, height, high, unit, loudUnit }, { gap }, items) {
  const sizeOf = (name) => parseFloat(root.style.getPropertyValue(name));
  const quiet = [height, unit, sizeOf("--name")];
  const loud = [height * high + gap * (high - 1), loudUnit, sizeOf("--loud-name")];
  // Where the page scrolls (no rows), each tile is as high as it needs to be.
  const steps = new Map(items.map(([node, { lines }]) =>
    [node, rows ? leastSteps(node, lines, ...(node.dataset.loud ? loud : quiet)) : 0]));
  for (let changed = [...steps.keys()]; changed.length;) {
    for (const node of changed) {
      setAttr(node, "data-collapsed", stepsOf(node).slice(0, steps.get(node)).join(" "));
    }
    changed = changed.filter((node) => rows && steps.get(node) < stepsOf(node).length
      && node.scrollHeight > node.clientHeight + 1);
    for (const node of changed) steps.set(node, steps.get(node) + 1);
  }
}

// A tile's element for the strip; null when it has no room.
export function stripOf(node) {
  const { strip } = partsOf(node);
  return strip.hidden || node.dataset.collapsed.includes("strip") ? null : strip;
}
