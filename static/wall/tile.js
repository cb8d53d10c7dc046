// Fills a tile, which is a copy of the page's <template>, with texts and attributes.

import { base, find, setAttr, setStyle, setText } from "../shared/dom.js";
import { ago, duration, percent, seconds } from "../shared/format.js";
import { activity, activityText, breakage, detailUrl, details, errorLines, isLoud, isUntested,
  nameOf, placeOf, roughly, stateFacts, stateOf }
  from "../shared/tile_text.js";
import { labelOf } from "../shared/vocabulary.js";

const partsIn = (node) => Object.fromEntries(
  [...node.querySelectorAll("[data-part]")].map((part) => [part.dataset.part, part]),
);

// The template without its optional parts, which most tiles do not have: comments keep their
// places.
let bare = null;
const optional = {};
function prepare() {
  bare = find("tile").content.firstElementChild.cloneNode(true);
  for (const part of bare.querySelectorAll("[data-optional]")) {
    const { part: name } = part.dataset;
    optional[name] = part;
    part.replaceWith(new Comment(name));
  }
}

// A tile's parts and the places of the optional ones, by name.
const found = new WeakMap();
export const partsOf = (node) => found.get(node).parts;

export function makeTile() {
  if (!bare) prepare();
  const node = bare.cloneNode(true);
  const comments = document.createNodeIterator(node, NodeFilter.SHOW_COMMENT);
  const places = {};
  for (let place = comments.nextNode(); place; place = comments.nextNode()) {
    places[place.data] = place;
  }
  found.set(node, { parts: partsIn(node), places });
  return node;
}

// Adds or removes an optional part. Returns it if it is there.
function keepPart(node, name, isShown) {
  const { parts, places } = found.get(node);
  if (isShown && !parts[name]) {
    places[name].after(optional[name].cloneNode(true));
    const part = places[name].nextSibling;
    Object.assign(parts, partsIn(part), { [name]: part });
  } else if (!isShown && parts[name]) {
    parts[name].remove();
    delete parts[name];
  }
  return parts[name];
}

function keepText(node, name, text) {
  const part = keepPart(node, name, text);
  if (part) setText(part, text);
}

function keepLink(node, name, text, url) {
  const part = keepPart(node, name, text);
  if (!part) return;
  setText(part.firstElementChild, text);
  setLink(part.firstElementChild, url);
}

// Remembers what a node shows. Returns whether that has changed.
const drawn = new WeakMap();
const hasChanged = (node, key) => drawn.get(node) !== key && Boolean(drawn.set(node, key));

function setLine(node, text) {
  setText(node, text);
  setAttr(node, "hidden", !text);
}

const setSymbol = (node, name) => setAttr(node.firstElementChild, "href", `#symbol-${name}`);

// A URL comes from outside, so only HTTP and HTTPS become links, and paths of our own.
export const setLink = (node, url) =>
  setAttr(node, "href", /^(https?:\/\/|\/(?![/\\]))/.test(url || "") && url);

// The page of the tile's workflow, in the theme and time zone of this page.
function pageOf({ repo, workflow, branch, is_default_branch: isDefault, peer_url: url }, { display }) {
  const path = `${repo}/${workflow}`.split("/").map(encodeURIComponent).join("/");
  const query = isDefault || !branch ? display
    : `${display || "?"}&branch=${encodeURIComponent(branch)}`.replace("?&", "?");
  return `${url || base}workflows/${path}${query}`;
}

// Changes only nodes that differ. `title` is the wrapped title, and missing when nothing but the
// time has changed.
export function fillTile(node, tile, context, title) {
  const { now, calendar } = context;
  const parts = partsOf(node);
  const when = (instant) => calendar.point(seconds(instant), now);
  const newer = activity(tile, now);
  const facts = stateFacts(tile, when, now);
  const broken = breakage(tile, now);
  const lines = details(tile, when, now);
  setAttr(node, "data-activity", newer && tile.activity);
  setFacts(parts.facts, facts, { lost: tile.lost_html_url, fixed: tile.fixed_html_url });
  keepLink(node, "why", lines[0], detailUrl(tile));
  keepText(node, "title", lines[1]);
  const [error, same] = errorLines(tile, when);
  // An exit code says no reason.
  const isReason = tile.error_id !== null;
  keepText(node, "error", isReason && error);
  keepText(node, "exit", !isReason && error);
  keepLink(node, "same", same, `${tile.peer_url || base}ci_observer/wall?error_id=${tile.error_id}`);
  setBreakage(node, tile, broken);
  setActivity(node, tile, newer);
  setAge(parts.age, tile, now);
  if (title) fillData(node, tile, context, title);
  setLabel(node, tile, facts, [
    newer && activityText(newer),
    lines[0],
    error,
    same,
    lines[1],
    broken.length && `broken by ${broken.map(([, text]) => text).join(", ")}`,
    broken.length && tile.usual_fix_seconds && usualFix(tile),
  ]);
}

const usualFix = (tile) => `usually fixed in ${roughly(tile.usual_fix_seconds)}`;

// Fills the parts that change with the data only.
function fillData(node, tile, context, { repo, workflow }) {
  const parts = partsOf(node);
  const state = stateOf(tile);
  setAttr(node, "data-state", state);
  setAttr(node, "data-loud", isLoud(tile));
  setSymbol(parts.symbol, state);
  // Hidden where the repository's name alone is enough.
  setText(parts.owner, tile.repo.startsWith(repo.name) ? "" : `${tile.repo.split("/")[0]}/`);
  setName(parts.repo, repo);
  setName(parts.page, workflow);
  setAttr(parts.page, "href", pageOf(tile, context));
  setText(parts.word, labelOf(state));
  keepPart(node, "flaky", tile.is_flaky);
  setRun(parts.run, tile);
  const actor = isUntested(tile) ? "" : tile.last_result_actor;
  setLine(parts.actor, (tile.activity ? tile.actor : actor) || "");
  setLine(parts.branch, placeOf(tile));
  setStats(parts.stats, tile);
  setAttr(parts.strip, "hidden", !tile.run_id);
}

// The text is the whole name. Parts that are cut have a text size of 0.
function setName(node, { skip, head, cut, tail }) {
  if (!hasChanged(node, JSON.stringify([skip, head, cut, tail]))) return;
  const makeCut = (textContent) => (textContent
    ? [Object.assign(document.createElement("span"), { className: "tile__cut", textContent })] : []);
  const items = [...makeCut(skip), ...head, ...makeCut(cut), ...tail];
  // After a space the browser wraps without a <wbr>.
  node.replaceChildren(...items.flatMap((item, index) =>
    (index && !/\s$/.test(items[index - 1]) ? [document.createElement("wbr"), item] : [item])));
}

// The link covers the tile. Its label and tooltip have all the text, even where the tile hides
// some of it.
function setLabel(node, tile, facts, lines) {
  const title = [
    nameOf(tile),
    `${tile.repo} ${placeOf(tile)}`,
    [labelOf(stateOf(tile)), ...facts.map(([, text]) => text)].join(", "),
    ...lines,
  ].filter(Boolean).join("\n");
  const link = partsOf(node).page;
  setAttr(link, "title", title);
  setAttr(link, "aria-label", title.replace(/\n/g, "; "));
}

function setActivity(node, tile, newer) {
  setAttr(node, "data-measured", Boolean(newer) && newer.done !== null);
  setAttr(node, "data-late", Boolean(newer) && Boolean(newer.isLate));
  keepPart(node, "activity", newer);
  const bar = keepPart(node, "progress", newer && tile.activity === "running");
  if (bar) setStyle(bar, "--done", `${((newer.done || 0) * 100).toFixed(1)}%`);
  if (!newer) return;
  const parts = partsOf(node);
  setSymbol(parts["activity-symbol"], tile.activity);
  setText(parts["activity-word"], newer.name);
  setText(parts["activity-text"], newer.text);
  setLine(parts.usual, newer.usual);
}

// Facts are [name, text], each of them a link if `urls` has one.
function setFacts(node, facts, urls, separator = " ") {
  if (!hasChanged(node, JSON.stringify([facts, urls]))) return;
  node.replaceChildren();
  for (const [name, text] of facts) {
    if (node.firstChild) node.append(separator);
    const fact = Object.assign(document.createElement("a"), { textContent: text });
    fact.dataset.fact = name;
    if (name === "fixed") {
      const who = Object.assign(document.createElement("span"), { textContent: text.slice(5) });
      fact.replaceChildren(text.slice(0, 5), who);
    }
    setLink(fact, urls[name]);
    node.append(fact);
  }
}

function setBreakage(node, tile, facts) {
  if (!keepPart(node, "broken", facts.length > 0)) return;
  const parts = partsOf(node);
  const urls = Object.fromEntries(facts.map(([name, , url]) => [name, url]));
  setFacts(parts["broken-by"], facts, urls, ", ");
  setLine(parts["usual-fix"], tile.usual_fix_seconds ? ` · ${usualFix(tile)}` : "");
}

// When the result came that the tile speaks of, even while a newer run is in progress.
function endOf(tile) {
  const started = seconds(tile.last_result_started_at || tile.started_at);
  if (started === null) return null;
  return isUntested(tile) && tile.untested_at ? seconds(tile.untested_at)
    : started + (tile.last_result_duration_seconds || 0);
}

function setAge(node, tile, now) {
  const ended = endOf(tile);
  setLine(node, ended === null ? "" : ago(ended, now));
}

// Whether a tile's text counts seconds.
export const isTicking = (tile, now) => Boolean(tile.activity) || now - endOf(tile) < 90;

// The newer run, or else the run of the result.
function setRun(node, tile) {
  const { run_number: newest, last_result_run_number: last, untested_run_number: untested }
    = tile;
  const [number, url] = tile.activity || !last ? [newest, tile.html_url]
    : isUntested(tile) && untested ? [untested, tile.untested_html_url]
    : [last, tile.last_result_html_url];
  setLine(node, number ? `#${number}` : "");
  setLink(node, url);
  setAttr(node, "title", `Run ${number}${url ? " on GitHub" : ", no longer on GitHub"}`);
}

function setStats(node, { success_rate: rate, median_duration_seconds: median }) {
  setLine(node, [
    rate === null ? "" : `${percent(rate)} green`,
    median && `usually ${duration(median)}`,
  ].filter(Boolean).join(" · "));
}
