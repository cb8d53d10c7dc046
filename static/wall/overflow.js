// For tiles that do not fit, and for other views than the usual one: pages, sort orders,
// groups, and messages in place of tiles.

import { setStyle, setText } from "../shared/dom.js";
import { countLoud, isLoud, nameOf, stateOf } from "../shared/tile_text.js";
import { labelOf, STATES } from "../shared/vocabulary.js";
import { arrange, limits } from "./arrange.js";
import { loadStyle } from "./load_style.js";

const PAGE_SECONDS = 15;
// The height of the page number in rem.
const PAGER = 1.7;
// The item that counts the tiles not shown is two cells wide.
const MORE_CELLS = 2;
const SVG = "http://www.w3.org/2000/svg";

const byText = (of) => (a, b) => of(a).localeCompare(of(b), "en", { numeric: true });
const startOf = (tile) => Date.parse(tile.started_at) || 0;

// The server sends the tiles ordered by state.
const ORDERS = {
  state: () => 0,
  name: byText(nameOf),
  repo: byText((tile) => `${tile.repo} ${nameOf(tile)}`),
  newest: (a, b) => startOf(b) - startOf(a),
};

function sortTiles(tiles, { sort, group }) {
  const sorted = [...tiles].sort(ORDERS[sort]);
  if (!group) return sorted;
  const repos = [...new Set(sorted.map((tile) => tile.repo))];
  return [].concat(...repos.map((repo) => sorted.filter((tile) => tile.repo === repo)));
}

function make(tag, className, ...children) {
  const node = document.createElement(tag);
  node.className = className;
  node.append(...children);
  return node;
}

function makeSymbol(name) {
  const svg = document.createElementNS(SVG, "svg");
  const use = document.createElementNS(SVG, "use");
  svg.setAttribute("class", "symbol");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `#symbol-${name}`);
  svg.append(use);
  return svg;
}

// [state, number of tiles] for each state among the tiles, worst first.
function countStates(tiles) {
  const counts = {};
  for (const tile of tiles) counts[stateOf(tile)] = (counts[stateOf(tile)] || 0) + 1;
  return STATES.map((state) => [state, counts[state]]).filter(([, total]) => total);
}

const summaryOf = (tiles) => countStates(tiles).reverse()
  .map(([state, total]) => `${total} ${state === "unknown" ? "without result" : labelOf(state)}`)
  .join(", ");

// Each page has all loud tiles and some of the others. When not even the loud tiles fit, all
// tiles are spread over the pages. Without `isPaged`, quiet tiles beyond the first page are
// hidden.
export function splitPages(tiles, cells, isPaged) {
  const loud = tiles.filter(isLoud);
  const isPinned = loud.length < cells - MORE_CELLS;
  const pinned = isPinned ? loud : [];
  const others = isPinned ? tiles.filter((tile) => !isLoud(tile)) : tiles;
  const isCut = isPinned && !isPaged;
  const size = cells - pinned.length - (isCut ? MORE_CELLS : 0);
  const pages = [];
  for (let start = 0; start < (isCut ? 1 : others.length); start += size) {
    const chosen = new Set([...pinned, ...others.slice(start, start + size)]);
    pages.push(tiles.filter((tile) => chosen.has(tile)));
  }
  return { pages, hidden: isCut ? others.slice(size) : [] };
}

function paginate(tiles, screen, seconds) {
  const shorter = { ...screen, height: screen.height - PAGER * screen.rem };
  const cells = ({ columns, rows }) => columns * rows;
  const cut = splitPages(tiles, cells(limits(screen)), false);
  const isCut = cut.hidden.length > 0 && !seconds;
  const parts = isCut ? cut : splitPages(tiles, cells(limits(shorter)), true);
  const counts = countLoud(parts.pages[0]);
  if (isCut) counts.quiet += MORE_CELLS;
  const plan = arrange(counts, { ...(isCut ? screen : shorter), grows: false });
  return { ...parts, plan, seconds: seconds || PAGE_SECONDS };
}

function makeMessage(allTiles, isCalm, { age = "" }) {
  const text = isCalm ? `All ${allTiles.length} passing` : summaryOf(allTiles);
  const heading = make("h2", "", text);
  if (isCalm) heading.prepend(makeSymbol("passing"));
  const message = make("li", "message", heading, make("p", "", age));
  message.dataset.calm = isCalm;
  return message;
}

function makeMore(hidden) {
  const query = new URLSearchParams(location.search);
  query.set("page", `${PAGE_SECONDS}s`);
  const bar = make("span", "more__bar");
  const list = make("span", "more__list");
  for (const [state, total] of countStates(hidden)) {
    const part = make("i", "");
    part.dataset.state = state;
    part.style.flexGrow = total;
    bar.append(part);
    list.append(make("span", "", makeSymbol(state), ` ${total} ${labelOf(state)}`));
  }
  const link = make("a", "more", make("b", "", `+${hidden.length} not shown`), list, bar);
  link.href = `?${query}`;
  link.title = "Show them on further pages";
  return make("li", "more__item", link);
}

function setCell(node, row, column) {
  setStyle(node, "grid-row-start", row);
  setStyle(node, "grid-column-start", column);
}

// Puts each repository's name above its tiles, again in every row, as wide as its tiles there.
function addLabels(nodes, tiles, { columns, rows }) {
  const items = [];
  tiles.forEach(({ repo }, index) => {
    const column = index % columns;
    const row = 2 * Math.floor(index / columns) + 1;
    setCell(nodes[index], rows ? row + 1 : "", rows ? column + 1 : "");
    if (!index || tiles[index - 1].repo !== repo || (rows && !column)) {
      const rest = tiles.slice(index, index - column + columns);
      const other = rest.findIndex((tile) => tile.repo !== repo);
      const span = other < 0 ? rest.length : other;
      const label = make("li", "group", repo);
      if (rows) label.style.gridArea = `${row} / ${column + 1} / auto / span ${span}`;
      items.push(label);
    }
    items.push(nodes[index]);
  });
  return items;
}

export async function makeOverflow(root) {
  // Unstyled, the items would take the space of the tiles.
  await loadStyle("overflow");
  const pager = make("p", "pager");
  root.after(pager);

  // By the server's clock, so that all screens turn pages together.
  const pageIndexOf = ({ pages, seconds }, now) =>
    (pages.length > 1 ? Math.floor(now / seconds) % pages.length : 0);

  // Adds the labels, the message and the number of hidden tiles. Equal ones are reused.
  let oldExtras = [];
  function addItems(nodes, tiles, { hidden, message, plan }, { group }) {
    if (!group) for (const node of nodes) setCell(node, "", "");
    const items = [
      ...(message ? [message] : []),
      ...(group ? addLabels(nodes, tiles, plan) : nodes),
      ...(hidden.length ? [makeMore(hidden)] : []),
    ].map((item) => oldExtras.find((extra) => extra.isEqualNode(item)) || item);
    oldExtras = items.filter((item) => !nodes.includes(item));
    return items;
  }

  function tick(layout, { now, age }) {
    const { message, pages, seconds } = layout;
    if (message && age) setText(message.lastChild, age);
    const text = pages.length > 1 ? `${pageIndexOf(layout, now) + 1}/${pages.length}` : "";
    if (pager.textContent === text) return;
    const line = make("i", "pager__line");
    line.style.setProperty("--seconds", `${seconds}s`);
    line.style.setProperty("--delay", `${-(now % seconds)}s`);
    pager.replaceChildren(...(text ? [line, text] : []));
  }

  return { addItems, makeMessage, paginate, pageIndexOf, sortTiles, tick };
}
