// Draws the tiles: their layout on the screen, their order, and what each of them shows.

import { afterFrame, setAttr, setChildren } from "../shared/dom.js";
import { areAllPassing, countLoud, isAccepted, keyOf, makeTitles } from "../shared/tile_text.js";
import { arrange, holeOf } from "./arrange.js";
import { applyLayout, collapseParts, fitNames, isScrolling, screenOf, scrollingPlan, stripOf }
  from "./layout.js";
import { countLoads, loadCutter } from "./names.js";
import { fillTile, isTicking, makeTile } from "./tile.js";

// The shares of the screen's height that a message above the tiles may take. Where the tiles
// need it all, the counts say the same.
const MESSAGE_SHARES = [0.26, 0.12, 0];

const hasHole = ({ pages: [tiles], plan }) =>
  tiles.length > 0 && plan.rows > 0 && holeOf(plan, countLoud(tiles)) > 0;

// Other parts of the page may have to change with the tiles.
const redraw = () => window.dispatchEvent(new Event("resize"));

// `onMissingStrips` is called when tiles have room for strips that their data lack.
export function makeGrid({ root, onMissingStrips }) {
  let overflow = null;
  let loading = null;
  let nodes = new Map();
  let filled = new Map();
  let layout = { pages: [[]] };
  let shown = [];
  let view = {};
  let drawnTiles = [];
  let drawnKey = "";
  let pageIndex = 0;
  let titles = new Map();
  let minute = 0;
  let calendar = null;

  // Other orders, groups, pages, messages and panels, loaded when they are needed. Until then, and
  // when loading fails, the page scrolls and hides no tile.
  function loadOverflow() {
    loading = loading || import("./overflow.js")
      .then(({ makeOverflow }) => makeOverflow(root))
      .then((made) => {
        overflow = made;
        redraw();
      }, () => {
        loading = null;
      });
    return loading;
  }

  function layOut(tiles, hasMessage) {
    const screen = screenOf(root, view, overflow && view.group);
    const plain = { screen, pages: [tiles], hidden: [], messageHeight: 0 };
    const all = { ...plain, plan: scrollingPlan(screen) };
    if (screen.scrolls) return all;
    const shares = !hasMessage ? [0] : tiles.length ? MESSAGE_SHARES : [1];
    for (const messageHeight of shares.map((share) => share * screen.height)) {
      const height = screen.height - messageHeight - (messageHeight && screen.gap);
      const plan = arrange(countLoud(tiles), { ...screen, height });
      if (plan) return { ...all, messageHeight, plan: { ...plan, total: screen.height } };
    }
    loadOverflow();
    return overflow ? { ...all, ...overflow.paginate(tiles, screen, view.page) } : all;
  }

  // Draws `tiles`, which are some of `context.allTiles`. Returns whether there is a message,
  // which may stand in for all tiles.
  function draw(tiles, newView, context) {
    view = newView;
    const { allTiles, muted } = context;
    const isCalm = areAllPassing(allTiles, context.isTrusted && muted.every(isAccepted));
    const wantsMessage = allTiles.length > 0 && (!tiles.length || (isCalm && !view.group));
    if (wantsMessage || view.group || view.sort !== "state") loadOverflow();
    root.hidden = false;
    // Most responses change nothing.
    const { texts } = context;
    const parts = [view, texts, wantsMessage, isCalm, !overflow, countLoads()];
    const key = JSON.stringify([screenOf(root, view), ...parts]);
    const all = [...tiles, ...allTiles];
    if (key === drawnKey && all.length === drawnTiles.length
      && all.every((tile, index) => tile === drawnTiles[index])) {
      tick(context);
      drawStrips();
      return finish(tiles);
    }
    const message =
      wantsMessage && overflow ? overflow.makeMessage(tiles, isCalm, context) : null;
    const sorted = overflow ? overflow.sortTiles(tiles, view) : tiles;
    layout = layOut(sorted, Boolean(message));
    layout.message = layout.messageHeight || layout.screen.scrolls ? message : null;
    if (hasHole(layout)) loadOverflow();
    const titleOf = makeTitles(allTiles);
    titles = new Map(all.map((tile) => [tile, titleOf(tile)]));
    show(context);
    [drawnKey, drawnTiles] = [key, all];
    return finish(tiles);
  }

  function finish(tiles) {
    root.hidden = !tiles.length && !layout.message;
    return Boolean(layout.message);
  }

  // Draws the current page of the layout, and touches only tiles that differ.
  function show(context) {
    const { pages, plan, screen, messageHeight } = layout;
    pageIndex = overflow ? overflow.pageIndexOf(layout, context.now) : 0;
    shown = pages[pageIndex];
    applyLayout(root, plan, screen, messageHeight);
    const names = fitNames(root, plan, screen, shown, titles);
    const plain = JSON.stringify([plan, view, root.getAttribute("style")]);
    const [oldNodes, oldFilled] = [nodes, filled];
    [nodes, filled] = [new Map(), new Map()];
    const [items, changed] = [[], new Set()];
    for (const tile of shown) {
      const key = keyOf(tile);
      const node = oldNodes.get(key) || makeTile();
      const old = oldFilled.get(key);
      const title = names.get(tile);
      const style = plain + JSON.stringify(title);
      const isSame = old && old.tile === tile && old.style === style;
      nodes.set(key, node);
      filled.set(key, { tile, style });
      items.push([node, title]);
      if (!isSame) changed.add(node);
      if (!isSame || isTicking(tile, context.now)) fillTile(node, tile, context, !isSame && title);
    }
    const all = [...nodes.values()];
    setChildren(root, overflow ? overflow.addItems(all, shown, layout, view, context) : all);
    collapseParts(root, plan, screen, items, changed);
    drawStrips();
    if (overflow) overflow.tick(layout, context);
  }

  // After the frame, because a wall without strips already shows every state. When their
  // script cannot be loaded, the next drawing tries again.
  let isDue = false;
  function drawStrips() {
    if (isDue) return;
    isDue = true;
    afterFrame(async () => {
      isDue = false;
      setAttr(root, "data-drawn", true);
      const strips = shown.map((tile) => [tile, stripOf(nodes.get(keyOf(tile)))])
        .filter(([, node]) => node);
      if (!strips.length) return;
      if (strips.some(([tile]) => !tile.strip)) {
        onMissingStrips();
        return;
      }
      const module = await import("./strip.js").catch(() => null);
      if (module) await module.drawStrips(strips);
    });
  }

  // Updates what changes with time alone.
  function tick(context) {
    const isNewMinute = minute !== (minute = Math.floor(context.now / 60))
      || calendar !== (calendar = context.calendar);
    if (overflow) {
      if (overflow.pageIndexOf(layout, context.now) !== pageIndex) show(context);
      overflow.tick(layout, context);
    }
    for (const tile of shown) {
      if (isNewMinute || isTicking(tile, context.now)) {
        fillTile(nodes.get(keyOf(tile)), tile, context);
      }
    }
  }

  // Loads what the first drawing may need for many tiles, so that they are drawn once.
  const prepare = () =>
    (isScrolling() ? Promise.resolve() : Promise.all([loadCutter(), loadOverflow()]));

  const tileOf = (node) => shown.find((tile) => nodes.get(keyOf(tile)) === node);

  return { draw, prepare, tick, tileOf };
}
