// The tiles as a whole: which come first, which are shown, how they share the screen.

import { arrange } from "./arrange.js";
import { place } from "./dom.js";
import { apply, fitNames, screenOf, scrolling, thinOut } from "./layout.js";
import { fillTile } from "./tile.js";
import { countLoud, isGreen } from "./words.js";

const DEFAULTS = { sort: "state", group: "", cols: 0, page: 0 };
const BAND = 0.26;

const keyOf = (tile) => [tile.repo, tile.workflow, tile.branch].join("\n");

export function makeGrid({ root, template, base }) {
  let crowd = null;
  let coming = null;
  let nodes = new Map();
  let laid = { pages: [[]] };
  let shown = [];
  let view = DEFAULTS;
  let given = [];
  let seen = "";
  let turn = 0;
  let minute = 0;

  // Other orders, groups, pages, what is said of many tiles at once: loaded by a wall that
  // needs it. Until then, and should that fail, the page scrolls and nothing is hidden.
  function loadCrowd() {
    if (coming) return;
    const ready = import("./crowd.js").then(({ makeCrowd }) => makeCrowd({ root, base }));
    coming = ready.then((made) => {
      crowd = made;
      // What is drawn around the tiles may change, too.
      window.dispatchEvent(new Event("resize"));
    }, () => { coming = null; });
  }

  function lay(tiles, message) {
    const screen = screenOf(root, view, crowd && view.group);
    const all = { screen, pages: [tiles], hidden: [], band: 0, plan: scrolling(screen) };
    if (screen.scrolls) return all;
    const band = message && (tiles.length ? BAND : 1) * screen.height;
    const height = screen.height - band - (band && screen.gap);
    const plan = arrange(countLoud(tiles), { ...screen, height });
    if (plan) return { ...all, band, plan: { ...plan, total: screen.height } };
    loadCrowd();
    return crowd ? { ...all, ...crowd.overflow(tiles, screen, view.page) } : all;
  }

  // `tiles` are those of `page.every` that are to be shown. Returns whether there is a
  // message, which may stand in for all of them.
  function draw(tiles, wanted, page) {
    view = { ...DEFAULTS, ...wanted };
    const every = page.every || tiles;
    const isCalm = page.isTrusted !== false && every.length > 1 && every.every(isGreen);
    const isTold = every.length > 0 && (!tiles.length || (isCalm && !view.group));
    if (isTold || view.group || view.sort !== DEFAULTS.sort) loadCrowd();
    root.hidden = false;
    // Most answers bring nothing new.
    const sight = JSON.stringify([screenOf(root, view), view, isTold, isCalm, !crowd]);
    const all = [...tiles, ...every];
    if (sight === seen && all.length === given.length
      && all.every((tile, index) => tile === given[index])) {
      tick(page);
      return finish(tiles);
    }
    const message = isTold && crowd ? crowd.messageOf(every, isCalm, page) : null;
    const ordered = crowd ? crowd.inOrder(tiles, view) : tiles;
    laid = { ...lay(ordered, message ? 1 : 0), message };
    show(page);
    [seen, given] = [sight, all];
    return finish(tiles);
  }

  function finish(tiles) {
    root.hidden = !tiles.length && !laid.message;
    return Boolean(laid.message);
  }

  function show(page) {
    const { pages, plan, screen, band } = laid;
    turn = crowd ? crowd.turnOf(laid, page.now) : 0;
    shown = pages[turn];
    apply(root, plan, screen, band);
    const names = fitNames(root, plan, screen, shown);
    root.dataset.owners = new Set(shown.map((tile) => tile.repo.split("/")[0])).size;
    const old = nodes;
    nodes = new Map();
    for (const tile of shown) {
      const node = old.get(keyOf(tile)) || template.content.firstElementChild.cloneNode(true);
      nodes.set(keyOf(tile), node);
      node.style.gridArea = "";
      fillTile(node, tile, page, base, names.get(tile));
    }
    const all = [...nodes.values()];
    place(root, crowd ? crowd.among(all, shown, laid, view) : all);
    thinOut(all);
    if (crowd) crowd.tick(laid, page);
  }

  // What time alone changes.
  function tick(page) {
    const isNewMinute = minute !== (minute = Math.floor(page.now / 60));
    if (crowd) {
      if (crowd.turnOf(laid, page.now) !== turn) show(page);
      crowd.tick(laid, page);
    }
    for (const tile of shown) {
      if (tile.activity || isNewMinute) fillTile(nodes.get(keyOf(tile)), tile, page, base);
    }
  }

  return { draw, tick };
}
