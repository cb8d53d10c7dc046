// Fills a tile, which is a copy of the page's <template>, with texts and attributes.

import { base, setAttr, setStyle, setText } from "../shared/dom.js";
import { ago, duration, percent, seconds } from "../shared/format.js";
import { activity, breakage, detailUrl, details, isLoud, isUntested, nameOf, roughly,
  stateFacts, stateOf }
  from "../shared/tile_text.js";
import { labelOf } from "../shared/vocabulary.js";

// A tile's parts by name, found once.
const found = new WeakMap();
export function partsOf(node) {
  if (!found.has(node)) {
    const parts = [...node.querySelectorAll("[data-part]")];
    found.set(node, Object.fromEntries(parts.map((part) => [part.dataset.part, part])));
  }
  return found.get(node);
}

function setLine(node, text) {
  setText(node, text);
  setAttr(node, "hidden", !text);
}

const setSymbol = (node, name) => setAttr(node.firstElementChild, "href", `#symbol-${name}`);

// A URL comes from outside, so only HTTP and HTTPS become links, and paths of our own.
export const setLink = (node, url) =>
  setAttr(node, "href", /^(https?:\/\/|\/(?![/\\]))/.test(url || "") && url);

// The page of the tile's workflow, in the theme and time zone of this page.
function pageOf({ repo, workflow, branch, is_default_branch: isDefault }, { display }) {
  const path = `${repo}/${workflow}`.split("/").map(encodeURIComponent).join("/");
  const query = isDefault || !branch ? display
    : `${display || "?"}&branch=${encodeURIComponent(branch)}`.replace("?&", "?");
  return `${base}workflows/${path}${query}`;
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
  setBreakage(parts, broken);
  setText(parts["why-text"], lines[0]);
  setLink(parts["why-text"], detailUrl(tile));
  setAttr(parts.why, "hidden", !lines[0]);
  setLine(parts.title, lines[1]);
  setActivity(node, tile, newer);
  setAge(parts.age, tile, now);
  if (title) fillData(node, tile, context, title);
  setLabel(node, tile, facts, [
    newer && [newer.name, newer.text, newer.usual].join(" "),
    ...lines,
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
  setAttr(parts.flaky, "hidden", !tile.is_flaky);
  setLine(parts["usual-fix"], tile.usual_fix_seconds ? ` · ${usualFix(tile)}` : "");
  setRun(parts.run, tile);
  const actor = isUntested(tile) ? "" : tile.last_result_actor;
  setLine(parts.actor, (tile.activity ? tile.actor : actor) || "");
  setLine(parts.branch, tile.branch || "");
  setStats(parts.stats, tile);
  setAttr(parts.strip, "hidden", !tile.run_id);
}

// The text is the whole name. Parts that are cut have a text size of 0.
function setName(node, { skip, head, cut, tail }) {
  const text = JSON.stringify([skip, head, cut, tail]);
  if (node.dataset.text === text) return;
  node.dataset.text = text;
  node.replaceChildren();
  // After a space the browser wraps without a <wbr>.
  const add = (piece) =>
    node.append(piece, ...(/\s$/.test(piece) ? [] : [document.createElement("wbr")]));
  const addCut = (textContent) => textContent
    && add(Object.assign(document.createElement("span"), { className: "tile__cut", textContent }));
  addCut(skip);
  head.forEach(add);
  addCut(cut);
  tail.forEach(add);
}

// The link covers the tile. Its label and tooltip have all the text, even where the tile hides
// some of it.
function setLabel(node, tile, facts, lines) {
  const title = [
    nameOf(tile),
    `${tile.repo} ${tile.branch || ""}`,
    [labelOf(stateOf(tile)), ...facts.map(([, text]) => text)].join(", "),
    ...lines,
  ].filter(Boolean).join("\n");
  const link = partsOf(node).page;
  setAttr(link, "title", title);
  setAttr(link, "aria-label", title.replace(/\n/g, "; "));
}

function setActivity(node, tile, newer) {
  const parts = partsOf(node);
  setAttr(parts.activity, "hidden", !newer);
  setLine(parts.usual, newer ? newer.usual : "");
  setAttr(node, "data-measured", Boolean(newer) && newer.done !== null);
  setAttr(node, "data-late", Boolean(newer) && Boolean(newer.isLate));
  if (!newer) return;
  setSymbol(parts["activity-symbol"], tile.activity);
  setText(parts["activity-word"], newer.name);
  setText(parts["activity-text"], newer.text);
  setStyle(parts.progress, "--done", `${((newer.done || 0) * 100).toFixed(1)}%`);
}

// Facts are [name, text], each of them a link if `urls` has one.
function setFacts(node, facts, urls, separator = " ") {
  const key = JSON.stringify([facts, urls]);
  if (node.dataset.key === key) return;
  node.dataset.key = key;
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

function setBreakage({ broken, "broken-by": by }, parts) {
  setFacts(by, parts, Object.fromEntries(parts.map(([name, , url]) => [name, url])), ", ");
  setAttr(broken, "hidden", !parts.length);
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
