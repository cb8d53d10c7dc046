// Measures the screen, sets the sizes of the grid and its names, and hides parts that do not
// fit.

import { setAttr, setStyle } from "../shared/dom.js";
import { isLoud, isUntested } from "../shared/tile_text.js";
import { titleSize, wrapTitles } from "./names.js";
import { partsOf } from "./tile.js";

const PHONE_WIDTH = 700;
const LOW_HEIGHT = 480;
// The height of a group's label in rem.
const LABEL = 1.6;
// The text size of titles: at least `least` rem, and at most `size` of the tile's text size and
// `share` of its height; a long title makes it no smaller than `smallest` of that. A title has
// at most `lines`, and `usual` of the tile's height: it leaves room for a strip. A long
// repository may need `most`, where the tile has neither an activity nor a reason to tell.
const NAME =
  { least: 1.25, size: 1.9, share: 0.21, smallest: 0.6, usual: 0.36, most: 0.76, lines: 4 };
// As in tile.css: the padding of both sides, and the width of the symbol next to a title.
const PADDING = { plain: 1.35, striped: 1.8 };
const SYMBOL = { small: 1.2, large: 2.3 };
// The order in which parts of a quiet and of a loud tile are hidden or shortened; tile.css does
// it by these names.
const STEPS = {
  quiet: ["short-title", "title", "foot", "facts", "since", "short-why", "why"],
  loud: ["foot", "short-title", "title", "usual-fix", "exit", "short-job", "same", "error", "facts",
    "by", "short-why", "broken", "why", "since"],
};
// The parts that are worth less than a strip.
const LESS_THAN_STRIP = {
  quiet: ["short-title", "title", "foot", "facts"],
  loud: ["short-title", "title", "usual-fix", "exit", "short-why"],
};
// The least height of the parts in the tile's text size. `name` counts in the name's text size.
const LEAST = {
  broken: 1.2, why: 1.2, error: 1.2, exit: 1.2, same: 1.2, title: 1.2, foot: 1.35, strip: 1.1,
  progress: 0.8,
};
const ALWAYS = { name: 1.05, rest: 1.5 };
// The parts that steps shorten; the other steps hide the part that they are named after.
const SHORTENED = {
  "short-title": "title", "usual-fix": "broken", by: "broken",
  facts: "state", since: "state", "short-why": "why", "short-job": "why",
};
// The parts whose heights say how much a step saves.
const MEASURED = ["broken", "error", "exit", "same", "title", "foot", "strip", "state", "why"];

// On small windows the page scrolls instead of fitting the tiles.
const LARGE = `(min-width: ${PHONE_WIDTH}px) and (min-height: ${LOW_HEIGHT}px)`;
// The size of the window would compute the layout.
export const isScrolling = () => !window.matchMedia(LARGE).matches;

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
  setStyle(root, "--message", `${messageHeight}px`);
}

// Finds one text size for the titles of all quiet tiles and one for those of loud tiles, and
// wraps each title in its tile's width. `titles` has the names of all tiles of the wall.
export function fitNames(root, plan, { rem, gap }, tiles, titles) {
  const names = new Map();
  const least = NAME.least * rem;
  for (const loud of [false, true]) {
    const own = tiles.filter((tile) => isLoud(tile) === loud);
    const [wide, high, unit] = loud ? [plan.wide, plan.high, plan.loudUnit] : [1, 1, plan.unit];
    const symbol = wide > 1 ? SYMBOL.large : SYMBOL.small;
    const height = plan.rows ? plan.height * high + gap * (high - 1) : Infinity;
    const [plain, striped] = [PADDING.plain, PADDING.striped].map((padding) => {
      // Slightly less, because the browser rounds widths differently.
      const width = 0.98 * (plan.width * wide + gap * (wide - 1) - padding * unit);
      return {
        font: `700 100px ${getComputedStyle(root).fontFamily}`,
        first: (size) => width - symbol * size,
        rest: (size) => width - (wide > 1 ? symbol * size : 0),
      };
    });
    const spaceOf = ({ alarm }) =>
      (alarm && alarm !== "stale" && alarm !== "invalid_file" ? striped : plain);
    const linesOf = (tile) => (size) => {
      const { activity } = tile;
      const free = height - unit * (2 + (activity ? LEAST.foot + LEAST.progress : 0));
      const rooms = [Math.min(NAME.usual * height, free - 1.4 * unit)];
      if (!activity && !isUntested(tile)) rooms.push(Math.min(NAME.most * height, free));
      return rooms.map((room) =>
        Math.max(2, Math.min(NAME.lines, Math.floor(room / (ALWAYS.name * size)))));
    };
    const most = Math.max(least, Math.min(NAME.size * unit, NAME.share * plan.height * high));
    const sameSize = plan.wide > 1 ? own : tiles;
    const all = sameSize.map((tile) =>
      ({ names: titles.get(tile), lines: linesOf(tile), space: spaceOf(tile) }));
    const size = plan.rows ? titleSize(all, least, NAME.smallest * most, most) : least;
    root.style.setProperty(loud ? "--loud-name" : "--name", `${size}px`);
    const wraps = new Map([plain, striped].map((space) =>
      [space, wrapTitles([...titles.values()], size, space)]));
    for (const tile of own) {
      names.set(tile, wraps.get(spaceOf(tile))(titles.get(tile), linesOf(tile)(size)));
    }
  }
  return names;
}

// The steps of a tile, which end or begin with hiding the strip.
function stepsOf(node, hasStrip) {
  const kind = node.dataset.loud ? "loud" : "quiet";
  return hasStrip ? [...LESS_THAN_STRIP[kind], "strip"] : ["strip", ...STEPS[kind]];
}

// The number of steps after which `excess` is gone if each step saves as much as it can: the
// height of the part that it hides, or all but one line of the part that it shortens.
function countSteps(steps, excess, heights, line) {
  const rest = { ...heights };
  const enough = steps.findIndex((step) => {
    if (excess <= 1) return true;
    const part = SHORTENED[step] || step;
    const saved = Math.max(0, (rest[part] || 0) - (step === part ? 0 : line));
    rest[part] -= saved;
    excess -= saved;
    return false;
  });
  return enough < 0 ? steps.length : enough;
}

// The number of steps that a tile needs even if every text except its name has one line.
function leastSteps(node, steps, lines, { height, unit, name }) {
  const parts = partsOf(node);
  // The reason of other states may stand behind their word.
  const isShown = (part) => parts[part] && !parts[part].hidden
    && (part !== "why" || node.dataset.state === "failing");
  const heights = {};
  let excess = ALWAYS.rest * unit + ALWAYS.name * name * lines - height;
  for (const part of Object.keys(LEAST).filter(isShown)) {
    heights[part] = LEAST[part] * unit;
    excess += heights[part];
  }
  if (node.dataset.activity) heights.foot = 0;
  return countSteps(steps, excess, heights, Infinity);
}

// The number of further steps that a tile needs at least, by the heights of its parts.
function furtherSteps(node, steps, { unit }) {
  const excess = node.scrollHeight - node.clientHeight;
  if (excess <= 1) return 0;
  const parts = partsOf(node);
  const heights = {};
  // Heights are rounded.
  for (const part of MEASURED) heights[part] = parts[part] ? parts[part].offsetHeight + 1 : 0;
  // The reason is a part of the state: below its other texts, or after them.
  if (node.dataset.state === "failing") heights.state -= heights.why;
  else heights.why = heights.state;
  if (node.dataset.activity) heights.foot = 0;
  return Math.max(1, countSteps(steps, excess, heights, LEAST.why * unit));
}

// Tiles whose strip has no room.
const tight = new WeakSet();

// Hides parts of tiles, least important first, until the rest fits. The tiles of a group all have
// strips, or none: `items` are [node, wrapped name] of all of them, `changed` of those to do.
// Without room for a strip, all lose theirs; with room again, all get theirs back. Parts that cannot fit are hidden before anything is measured. Each round measures the
// tiles of all groups at once, because the browser computes the layout each time.
function collapse(groups, sizeOf) {
  const begin = (group, items) => {
    group.tiles = items.map(([node, { least }]) => {
      const steps = stepsOf(node, group.hasStrips);
      const done = Math.max(leastSteps(node, steps, least, sizeOf(node)), group.hasStrips ? 0 : 1);
      return { node, steps, done, isOpen: true };
    });
  };
  const isTight = ({ node, steps, done }) => done === steps.length && !partsOf(node).strip.hidden;
  for (const group of groups) begin(group, group.changed);
  for (;;) {
    for (const group of groups.filter(({ hasStrips }) => hasStrips)) {
      const full = group.tiles.filter(isTight);
      for (const { node } of full) tight.add(node);
      group.hasStrips = !full.length;
      if (full.length) begin(group, group.hadStrips ? group.items : group.changed);
    }
    const open = groups.flatMap(({ tiles }) => tiles).filter(({ isOpen }) => isOpen);
    const others = groups.filter(({ hadStrips, hasStrips }) => hasStrips && !hadStrips);
    if (!open.length && !others.length) return;
    if (!open.length) {
      for (const group of others) {
        group.hadStrips = true;
        begin(group, group.items);
      }
    }
    for (const { node, steps, done } of open) {
      setAttr(node, "data-collapsed", steps.slice(0, done).join(" "));
    }
    for (const tile of open) {
      const { node, steps, done } = tile;
      const more = done < steps.length && furtherSteps(node, steps.slice(done), sizeOf(node));
      tile.done += more;
      tile.isOpen = more > 0;
    }
  }
}

// The size, text size and size of the names of the quiet and of the loud tiles.
function sizesOf(root, { height, high, unit, loudUnit }, gap) {
  const nameSizeOf = (name) => parseFloat(root.style.getPropertyValue(name));
  return [
    { height, unit, name: nameSizeOf("--name") },
    { height: height * high + gap * (high - 1), unit: loudUnit, name: nameSizeOf("--loud-name") },
  ];
}

// Hides what has no room in the `changed` tiles. `items` are [node, wrapped name] of all tiles.
export function collapseParts(root, plan, { gap }, items, changed) {
  // Where the page scrolls, each tile is as high as it needs to be.
  if (!plan.rows) {
    for (const node of changed) setAttr(node, "data-collapsed", "");
    return;
  }
  const [quiet, loud] = sizesOf(root, plan, gap);
  const sizeOf = ({ dataset }) => (dataset.loud ? loud : quiet);
  // Of the tiles of one size all have strips, or none.
  const kinds = plan.wide > 1 ? [quiet, loud].map((size) =>
    items.filter(([node]) => sizeOf(node) === size)) : [items];
  collapse(kinds.map((kind) => groupOf(kind, changed)), sizeOf);
}

function groupOf(items, changed) {
  const isTight = ([node]) => tight.has(node);
  const fresh = items.filter(([node]) => changed.has(node));
  const hadStrips = !items.some(isTight);
  for (const [node] of fresh) tight.delete(node);
  return { items, changed: fresh, hadStrips, hasStrips: !items.some(isTight) };
}

// A tile's element for the strip; null when it has no room.
export function stripOf(node) {
  const { strip } = partsOf(node);
  return strip.hidden || node.dataset.collapsed.includes("strip") ? null : strip;
}
