// Panels in place of tiles: the number of tiles that are not shown, and the latest changes in
// the empty cells of the last row.

import { setText } from "../shared/dom.js";
import { make, symbol } from "../shared/elements.js";
import { ago, count, seconds } from "../shared/format.js";
import { nameOf, stateOf } from "../shared/tile_text.js";
import { labelOf, STATES } from "../shared/vocabulary.js";

// In a panel's text size: the height of a line and of everything else, and the width of a
// column of lines. overflow.css has the same.
const LINE = 1.4;
const REST = 3.2;
const COLUMN = 22;
// The width of a count.
const COUNT = 8;

const linesOf = (height, unit) => Math.max(1, Math.floor((height / unit - REST) / LINE));

// [state, number of tiles] for each state among the tiles, worst first.
function countByState(tiles) {
  const counts = {};
  for (const tile of tiles) counts[stateOf(tile)] = (counts[stateOf(tile)] || 0) + 1;
  return STATES.map((state) => [state, counts[state]]).filter(([, total]) => total);
}

// The numbers of tiles by state as words, in lines that have room, and as a bar.
function makeCounts(tiles, { height, unit }) {
  const bar = make("span", "more__bar");
  const list = make("span", "more__list");
  list.style.setProperty("--lines", linesOf(height, unit));
  for (const [state, total] of countByState(tiles)) {
    const part = make("i", "");
    part.dataset.state = state;
    part.style.flexGrow = total;
    bar.append(part);
    list.append(make("span", "", symbol(state), ` ${total} ${labelOf(state)}`));
  }
  return [list, bar];
}

function makeItem(panel, cells) {
  const item = make("li", "panel__item", panel);
  item.style.gridColumnEnd = `span ${cells}`;
  return item;
}

// Links to the address of further pages.
export function makeMore(hidden, cells, plan, address) {
  const title = make("b", "", `+${hidden.length} not shown`);
  const link = make("a", "more", title, ...makeCounts(hidden, plan));
  link.href = address;
  link.title = "Show them on further pages";
  return makeItem(link, cells);
}

// The tiles whose result has changed last. In another state the result may be out of date.
const latestChanges = (tiles) =>
  tiles.filter((tile) => tile.since_at && ["passing", "failing"].includes(stateOf(tile)))
    .sort((a, b) => seconds(b.since_at) - seconds(a.since_at));

function makeChange(tile) {
  const name = `${tile.repo.split("/")[1]} · ${nameOf(tile)}`;
  const age = make("time", "change__age");
  age.dateTime = tile.since_at;
  const line = make("li", "change", age, symbol(stateOf(tile)),
    make("bdi", "change__name", name), make("span", "unseen", ` ${labelOf(stateOf(tile))}`));
  line.title = `${name}: ${labelOf(stateOf(tile))} since ${tile.since_at}`;
  line.dataset.result = stateOf(tile);
  return line;
}

// Writes the ages of the changes in a panel or among the tiles.
export function drawAges(node, now) {
  for (const age of node.querySelectorAll(".change__age")) {
    setText(age, ago(seconds(age.dateTime), now).replace(" ago", ""));
  }
}

function makeSection(title, share, ...content) {
  const section = make("section", "", make("h2", "", title), ...content);
  section.style.flexGrow = share;
  return section;
}

// As many of the latest changes as `cells` cells have room for; none without any.
function makeChanges(tiles, cells, { width, height, unit }) {
  const columns = Math.max(1, Math.floor((width * cells) / unit / COLUMN));
  const lines = linesOf(height, unit);
  const changes = latestChanges(tiles).slice(0, columns * lines);
  if (!changes.length) return [];
  const list = make("ol", "changes", ...changes.map(makeChange));
  list.style.setProperty("--lines", lines);
  list.style.columnCount = columns;
  return [makeSection("Latest changes", cells, list)];
}

// The content of `cells` empty cells: the latest changes, and in the kiosk, which has
// no counts on top, the number of tiles in each state.
export function makeSummary(tiles, cells, plan, hasCounts) {
  const { width, height, unit } = plan;
  const columns = Math.ceil(countByState(tiles).length / linesOf(height, unit));
  const counts = Math.min(cells, Math.ceil((columns * COUNT * unit) / width));
  const changes = hasCounts ? cells - counts : cells;
  const sections = changes ? makeChanges(tiles, changes, plan) : [];
  if (hasCounts || !sections.length) {
    sections.unshift(
      makeSection(count(tiles.length, "tile"), counts, ...makeCounts(tiles, plan)));
  }
  return makeItem(make("div", "summary", ...sections), cells);
}
