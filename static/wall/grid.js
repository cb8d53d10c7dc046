// The tiles as a whole: which come first, which are shown, how they share the screen.

import { arrange } from "./arrange.js";
import { afterFrame, place, set } from "../shared/dom.js";
import { apply, fitNames, isScrolling, screenOf, scrolling, stripOf, thinOut }
  from "./layout.js";
import { fillTile } from "./tile.js";
import { countLoud, isGreen, keyOf } from "../shared/words.js";

const DEFAULTS = { sort: "state", group: "", cols: 0, page: 0 };
const BAND = 0.26;

// What is drawn around the tiles may change, too.
const drawAgain = () => window.dispatchEvent(new Event("resize"));

// `lack` is called when tiles have room for strips, but none in their data.
export function makeGrid({ root, template, base, lack = () => {} }) {
  let crowd = null;
  let coming = null;
  let isPatient = false;
  let nodes = new Map();
  let filled = new Map();
  let laid = { pages: [[]] };
  let shown = [];
  let view = DEFAULTS;
  let given = [];
  let seen = "";
  let turn = 0;
  let minute = 0;
  let calendar = null;

  // Other orders, groups, pages, what is said of many tiles at once: loaded by a wall that
  // needs it. Until then, and should that fail, the page scrolls and nothing is hidden.
  function loadCrowd() {
    if (coming) return;
    const ready = import("./overflow.js").then(({ makeCrowd }) => makeCrowd({ root, base }));
    coming = ready.then((made) => {
      crowd = made;
      drawAgain();
    }, () => {
      coming = null;
      if (isPatient) hurry();
    });
  }

  // The first drawing waits for it, but not for long: all tiles would be drawn twice.
  const isWaiting = () => isPatient && coming && !crowd && !nodes.size;
  function hurry() {
    isPatient = false;
    if (!nodes.size) drawAgain();
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
      drawStrips();
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

  // Only what differs is touched.
  function show(page) {
    const { pages, plan, screen, band } = laid;
    turn = crowd ? crowd.turnOf(laid, page.now) : 0;
    shown = pages[turn];
    apply(root, plan, screen, band);
    const names = fitNames(root, plan, screen, shown);
    set(root, "data-owners", new Set(shown.map((tile) => tile.repo.split("/")[0])).size);
    const look = JSON.stringify([plan, view, root.getAttribute("style"), root.dataset.owners]);
    const [oldNodes, oldFilled] = [nodes, filled];
    [nodes, filled] = [new Map(), new Map()];
    const fresh = [];
    for (const tile of shown) {
      const key = keyOf(tile);
      const node = oldNodes.get(key) || template.content.firstElementChild.cloneNode(true);
      const old = oldFilled.get(key);
      const isSame = old && old.tile === tile && old.look === look;
      nodes.set(key, node);
      filled.set(key, { tile, look });
      if (!isSame) fresh.push([node, names.get(tile)]);
      if (!isSame || tile.activity) fillTile(node, tile, page, isSame ? null : names.get(tile));
    }
    const all = [...nodes.values()];
    place(root, crowd ? crowd.among(all, shown, laid, view) : all);
    thinOut(root, plan, screen, fresh);
    drawStrips();
    if (crowd) crowd.tick(laid, page);
  }

  // After the frame, since a wall without them says all that matters. What stops their
  // script from coming is tried again at the next drawing.
  let isDue = false;
  function drawStrips() {
    if (isDue) return;
    isDue = true;
    afterFrame(async () => {
      isDue = false;
      const places = shown.map((tile) => [tile, stripOf(nodes.get(keyOf(tile)))])
        .filter(([, place]) => place);
      if (!places.length) return;
      if (places.some(([tile]) => !tile.strip)) {
        lack();
        return;
      }
      const { drawStrip } = await import("./strip.js").catch(() => ({}));
      if (drawStrip) for (const [tile, place] of places) drawStrip(place, tile);
    });
  }

  // What time alone changes.
  function tick(page) {
    if (isPatient) hurry();
    const isNewMinute = minute !== (minute = Math.floor(page.now / 60))
      || calendar !== (calendar = page.calendar);
    if (crowd) {
      if (crowd.turnOf(laid, page.now) !== turn) show(page);
      crowd.tick(laid, page);
    }
    for (const tile of shown) {
      if (tile.activity || isNewMinute) fillTile(nodes.get(keyOf(tile)), tile, page);
    }
  }

  // More tiles are to come than a screen may have room for.
  function expectCrowd() {
    isPatient = !isScrolling();
    if (isPatient) loadCrowd();
  }

  return { draw, expectCrowd, isWaiting, tick };
}
