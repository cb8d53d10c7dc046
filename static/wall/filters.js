// The filters of the view as chips that remove themselves, and the texts of a view
// without tiles. Loaded when the address has a filter.

import { base, find, setAttr, setChildren, setText } from "../shared/dom.js";
import { make } from "../shared/elements.js";
import { count } from "../shared/format.js";
import { describe, filtersOf } from "./filter_text.js";
import { foldLine } from "./fold.js";
import { loadStyle } from "./load_style.js";
import { selectTiles } from "./matching.js";
import { drawMuted, mutedText } from "./muted.js";
import { fetchTiles } from "./tile_data.js";
import { EVERYTHING, wallQuery, writeView } from "./view.js";

const addressOf = (view) => base + writeView(view);

function makeChip({ words, rest }) {
  const cross = make("span", "chip__cross", "✕");
  cross.setAttribute("aria-hidden", "true");
  const link = make("a", "chip", make("bdi", "", words), cross);
  link.href = addressOf(rest);
  link.dataset.filter = words;
  link.title = `Remove the filter ${words}`;
  link.setAttribute("aria-label", link.title);
  return make("li", "", link);
}

// `go` shows the view of an address, `redraw` the same view again.
export async function makeFilters({ go, redraw }) {
  await loadStyle("filters");
  const row = find("filters");
  const list = make("ul", "line chips");
  const hidden = make("p", "not-shown");
  list.setAttribute("aria-label", "Filters; click one to remove it");
  row.prepend(list);
  row.append(hidden);
  let chips = [];
  let drawnKey = "";
  let counts = new Map();
  let fetched = 0;

  // A click with a key held down opens another tab or window, as for any link.
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-filter]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    const index = Math.max(0, chips.indexOf(link.parentNode));
    go(new URL(link.href).search);
    const next = chips[Math.min(index, chips.length - 1)];
    (row.hidden || !next ? find("main") : next.firstElementChild).focus();
  });

  // The number of tiles that another view shows; "" until the tiles of its branch are fetched.
  function countText(view, tiles, other) {
    const key = addressOf(other);
    const countWithout = (all) => selectTiles(all, other).shown.length;
    if (wallQuery(other) === wallQuery(view)) counts.set(key, countWithout(tiles));
    else if (!counts.has(key)) {
      counts.set(key, null);
      fetchTiles(wallQuery(other)).then((wall) => {
        counts.set(key, countWithout(wall.tiles));
        fetched += 1;
        redraw();
      }, () => counts.delete(key));
    }
    return counts.get(key) === null ? "" : count(counts.get(key), "tile");
  }

  // Links that remove one filter or all of them, with the number of tiles that they lead to.
  function makeRemovals(view, tiles) {
    const found = filtersOf(view);
    if (view.mute.length) found.push({ words: "hidden tiles", rest: { ...view, mute: [] } });
    const all = { words: "all filters", rest: { ...view, ...EVERYTHING } };
    return make("ul", "removals", ...(found.length > 1 ? [...found, all] : found).map((filter) => {
      const item = makeChip(filter);
      item.append(`${countText(view, tiles, filter.rest)} without it`);
      return item;
    }));
  }

  function drawChips(view) {
    const key = `${writeView(view)} ${row.clientWidth}`;
    if (key === drawnKey) return;
    drawnKey = key;
    counts = new Map();
    chips = filtersOf(view).map((filter) => makeChip(filter));
    setChildren(list, chips);
    list.hidden = !chips.length;
    foldLine(list, chips.map((node, rank) =>
      ({ node, rank, name: node.firstElementChild.dataset.filter })));
  }

  // Draws the chips. Returns the tiles of the view, and the texts for them.
  function draw(view, tiles) {
    const parts = selectTiles(tiles, view);
    const texts = describe(view, parts);
    const shown = `${parts.shown.length} of ${count(tiles.length, "tile")}`;
    const words = filtersOf(view).map((filter) => filter.words);
    const muted = mutedText(parts.muted);
    setText(find("shown"), shown);
    setText(hidden, texts.hidden);
    setAttr(hidden, "data-failing", texts.hidesFailure);
    drawChips(view);
    drawMuted(parts.muted, view);
    Object.assign(texts, { fetched, muted });
    // For screen readers, which read the chip of the hidden tiles only when they reach it.
    const summary = [...words, shown, ...(parts.muted.length ? [muted] : [])].join(", ");
    return { ...parts, texts: { ...texts, summary } };
  }

  // The page of a view without tiles.
  function drawEmpty(view, tiles, { none }) {
    const heading = find("empty-name");
    const removals = makeRemovals(view, tiles);
    setText(heading, none);
    const old = heading.nextElementSibling;
    if (old.isEqualNode(removals)) return;
    if (old.className === removals.className) old.replaceWith(removals);
    else old.before(removals);
  }

  return { draw, drawEmpty, makeRemovals };
}
