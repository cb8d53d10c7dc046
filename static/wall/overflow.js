// For tiles that do not fit or leave cells empty, and for other views than the usual one: pages,
// sort orders, groups, and messages and panels in place of tiles.

import { setStyle, setText } from "../shared/dom.js";
import { make, symbol } from "../shared/elements.js";
import { countLoud, isLoud, nameOf } from "../shared/tile_text.js";
import { arrange, holeOf, limits } from "./arrange.js";
import { loadStyle } from "./load_style.js";
import { drawAges, makeMore, makeSummary } from "./panels.js";

const PAGE_SECONDS = 15;
// The height of the page number in rem.
const PAGER = 1.7;
// The panel that counts the tiles not shown is two cells wide, or more where cells are empty.
const MORE_CELLS = 2;
// A message of more characters has a smaller text.
const LONG = 48;

const byText = (of) => (a, b) => of(a).localeCompare(of(b), "en", { numeric: true });
const startOf = (tile) => Date.parse(tile.started_at) || 0;

// The server sends the tiles ordered by state.
const ORDERS = {
  state: () => 0,
  name: byText(nameOf),
  repo: byText((tile) => `${tile.repo} ${nameOf(tile)}`),
  newest: (a, b) => startOf(b) - startOf(a),
};

// A value of `group` is a tile's key.
function sortTiles(tiles, { sort, group }) {
  const sorted = [...tiles].sort(ORDERS[sort]);
  if (!group) return sorted;
  const names = [...new Set(sorted.map((tile) => tile[group]))];
  return [].concat(...names.map((name) => sorted.filter((tile) => tile[group] === name)));
}

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
  const rest = [...others];
  const pages = [];
  // All pages have the same number of tiles, or one less.
  for (let left = isCut ? 1 : Math.ceil(others.length / size); left > 0; left -= 1) {
    const part = rest.splice(0, isCut ? size : Math.ceil(rest.length / left));
    const chosen = new Set([...pinned, ...part]);
    pages.push(tiles.filter((tile) => chosen.has(tile)));
  }
  return { pages, hidden: rest };
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

function furtherPages() {
  const query = new URLSearchParams(location.search);
  query.set("page", `${PAGE_SECONDS}s`);
  return `?${query}`;
}

// The number of cells after the last tile.
function emptyCells(tiles, plan) {
  if (!tiles.length) return 0;
  if (plan.rows) return holeOf(plan, countLoud(tiles));
  return (plan.columns - (tiles.length % plan.columns)) % plan.columns;
}

// In place of tiles, or above passing ones.
function makeMessage(tiles, isCalm, { age = "", allTiles, texts, makeRemovals }) {
  const words = texts || { allHidden: "All tiles are hidden" };
  const text = isCalm ? words.claim || `All ${allTiles.length} passing` : words.allHidden;
  const heading = make("h2", "", text);
  if (isCalm) heading.prepend(symbol("passing"));
  const message = make("li", "message", heading, make("p", "", age));
  message.dataset.calm = isCalm;
  message.toggleAttribute("data-long", text.length > LONG);
  const removals = tiles.length ? null : makeRemovals();
  if (removals) message.append(removals);
  return message;
}

function setCell(node, row, column) {
  setStyle(node, "grid-row-start", row);
  setStyle(node, "grid-column-start", column);
}

// Puts the name of each repository or team above its tiles, again in every row, as wide as its
// tiles there.
function addLabels(nodes, tiles, { columns, rows }, group) {
  const items = [];
  const owners = new Set(tiles.map(({ repo }) => repo.split("/")[0]));
  const shorten = (repo) => (owners.size > 1 ? repo : repo.split("/")[1]);
  tiles.forEach(({ [group]: name }, index) => {
    const column = index % columns;
    const row = 2 * Math.floor(index / columns) + 1;
    setCell(nodes[index], rows ? row + 1 : "", rows ? column + 1 : "");
    if (!index || tiles[index - 1][group] !== name || (rows && !column)) {
      const rest = tiles.slice(index, index - column + columns);
      const other = rest.findIndex((tile) => tile[group] !== name);
      const span = other < 0 ? rest.length : other;
      const text = name || "no team";
      const label = make("li", "group", group === "repo" ? shorten(text) : text);
      label.title = text;
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

  // The panel after the tiles; it fills the rest of the last row.
  function makePanels(tiles, { hidden, pages, plan }, { group, kiosk }, context) {
    const cells = emptyCells(tiles, plan);
    if (cells < 1) return [];
    const panel = hidden.length ? makeMore(hidden, cells, plan, furtherPages())
      : makeSummary([...new Set(pages.flat())], cells, plan, kiosk);
    drawAges(panel, context.now);
    if (group && plan.rows) {
      setCell(panel, 2 * plan.rows - 1, plan.columns - cells + 1);
      setStyle(panel, "grid-row-end", "span 2");
    }
    return [panel];
  }

  // Adds the labels, the message and the panel. Equal ones are reused.
  let oldExtras = [];
  function addItems(nodes, tiles, layout, view, context) {
    const { message, plan } = layout;
    if (!view.group) for (const node of nodes) setCell(node, "", "");
    const items = [
      ...(message ? [message] : []),
      ...(view.group ? addLabels(nodes, tiles, plan, view.group) : nodes),
      ...makePanels(tiles, layout, view, context),
    ].map((item) => oldExtras.find((extra) => extra.isEqualNode(item)) || item);
    oldExtras = items.filter((item) => !nodes.includes(item));
    return items;
  }

  function tick(layout, { now, age }) {
    drawAges(root, now);
    const { message, pages, seconds } = layout;
    if (message && age) setText(message.children[1], age);
    const text = pages.length > 1 ? `${pageIndexOf(layout, now) + 1}/${pages.length}` : "";
    if (pager.textContent === text) return;
    const line = make("i", "pager__line");
    line.style.setProperty("--seconds", `${seconds}s`);
    line.style.setProperty("--delay", `${-(now % seconds)}s`);
    pager.replaceChildren(...(text ? [line, text] : []));
  }

  return { addItems, makeMessage, paginate, pageIndexOf, sortTiles, tick };
}
