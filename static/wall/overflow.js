// Many tiles at once: their order, groups, pages, what is not shown, that all is well.

import { arrange, limits } from "./arrange.js";
import { setStyle, setText } from "../shared/dom.js";
import { countLoud, isLoud, nameOf, STATES, stateOf, word } from "../shared/words.js";

const PAGE_SECONDS = 15;
const PAGER = 1.7;
// The tile that says what is not shown is two cells wide.
const MORE = 2;
const SVG = "http://www.w3.org/2000/svg";

const byText = (of) => (a, b) => of(a).localeCompare(of(b), "en", { numeric: true });
const startOf = (tile) => Date.parse(tile.started_at) || 0;

// The server's order is the one by state.
const ORDERS = {
  state: () => 0,
  name: byText(nameOf),
  repo: byText((tile) => `${tile.repo} ${nameOf(tile)}`),
  newest: (a, b) => startOf(b) - startOf(a),
};

function inOrder(tiles, { sort, group }) {
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
  svg.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `#symbol-${name}`);
  svg.append(use);
  return svg;
}

// The states among the tiles, the worst first, each with how many are in it.
function countStates(tiles) {
  const counts = {};
  for (const tile of tiles) counts[stateOf(tile)] = (counts[stateOf(tile)] || 0) + 1;
  return STATES.map(([state]) => [state, counts[state]]).filter(([, total]) => total);
}

function inWords(tiles) {
  const lost = tiles.filter((tile) => tile.lost_run_id).length;
  return [
    ...countStates(tiles).reverse().map(([state, total]) =>
      `${total} ${state === "unknown" ? "never ran" : word(state)}`),
    ...(lost ? [`${lost} not tested`] : []),
  ].join(", ");
}

// Each page has the loud tiles and some others. When not even the loud ones fit, all of
// them are paged through; otherwise, without a wish for pages, the rest is not shown.
export function paginate(tiles, cells, isPaged) {
  const loud = tiles.filter(isLoud);
  const isPinned = loud.length < cells - MORE;
  const kept = isPinned ? loud : [];
  const rest = isPinned ? tiles.filter((tile) => !isLoud(tile)) : tiles;
  const isCut = isPinned && !isPaged;
  const size = cells - kept.length - (isCut ? MORE : 0);
  const pages = [];
  for (let start = 0; start < (isCut ? 1 : rest.length); start += size) {
    const chosen = new Set([...kept, ...rest.slice(start, start + size)]);
    pages.push(tiles.filter((tile) => chosen.has(tile)));
  }
  return { pages, hidden: isCut ? rest.slice(size) : [] };
}

function overflow(tiles, screen, seconds) {
  const shorter = { ...screen, height: screen.height - PAGER * screen.rem };
  const cells = ({ columns, rows }) => columns * rows;
  const cut = paginate(tiles, cells(limits(screen)), false);
  const isCut = cut.hidden.length > 0 && !seconds;
  const parts = isCut ? cut : paginate(tiles, cells(limits(shorter)), true);
  const counts = countLoud(parts.pages[0]);
  if (isCut) counts.quiet += MORE;
  const plan = arrange(counts, { ...(isCut ? screen : shorter), grows: false });
  return { ...parts, plan, seconds: seconds || PAGE_SECONDS };
}

function messageOf(every, isCalm, { age = "" }) {
  const heading = make("h2", "", isCalm ? `All ${every.length} passing` : inWords(every));
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
    list.append(make("span", "", makeSymbol(state), ` ${total} ${word(state)}`));
  }
  const link = make("a", "more", make("b", "", `+${hidden.length} not shown`), list, bar);
  link.href = `?${query}`;
  link.title = "Turn pages to see them";
  return make("li", "more__place", link);
}

function putInto(node, row, column) {
  setStyle(node, "grid-row-start", row);
  setStyle(node, "grid-column-start", column);
}

// Above each row stands whose tiles come below; a label is as wide as its tiles.
function labelled(nodes, tiles, { columns, rows }) {
  const items = [];
  tiles.forEach(({ repo }, index) => {
    const column = index % columns;
    const row = 2 * Math.floor(index / columns) + 1;
    putInto(nodes[index], rows ? row + 1 : "", rows ? column + 1 : "");
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

// Without their style, these would take the tiles' places.
function loadStyle(href) {
  const style = make("link", "");
  Object.assign(style, { rel: "stylesheet", href });
  return new Promise((done, fail) => {
    style.onload = done;
    style.onerror = () => {
      style.remove();
      fail(new Error(href));
    };
    document.head.append(style);
  });
}

export async function makeCrowd({ root, base }) {
  await loadStyle(`${base}static/wall/overflow.css`);
  const pager = make("p", "pager");
  root.after(pager);

  // By the server's clock, so that all screens turn together.
  const turnOf = ({ pages, seconds }, now) =>
    (pages.length > 1 ? Math.floor(now / seconds) % pages.length : 0);

  // What is no tile, as it was where it would be the same.
  let others = [];
  function among(nodes, tiles, { hidden, message, plan }, { group }) {
    if (!group) for (const node of nodes) putInto(node, "", "");
    const items = [
      ...(message ? [message] : []),
      ...(group ? labelled(nodes, tiles, plan) : nodes),
      ...(hidden.length ? [makeMore(hidden)] : []),
    ].map((item) => others.find((other) => other.isEqualNode(item)) || item);
    others = items.filter((item) => !nodes.includes(item));
    return items;
  }

  function tick(laid, { now, age }) {
    const { message, pages, seconds } = laid;
    if (message && age) setText(message.lastChild, age);
    const text = pages.length > 1 ? `${turnOf(laid, now) + 1}/${pages.length}` : "";
    if (pager.textContent === text) return;
    const line = make("i", "pager__line");
    line.style.setProperty("--seconds", `${seconds}s`);
    line.style.setProperty("--late", `${-(now % seconds)}s`);
    pager.replaceChildren(...(text ? [line, text] : []));
  }

  return { among, inOrder, messageOf, overflow, tick, turnOf };
}
