// One tile: made from the page's <template>, filled with text and data-* only.

import { activity, ago, detail, duration, nameOf, seconds, stateFacts, stateOf, word }
  from "./words.js";

const part = (node, name) => node.querySelector(`[data-part="${name}"]`);

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function setLine(node, text) {
  setText(node, text);
  node.hidden = !text;
}

function setLink(node, url) {
  if (/^https?:\/\//.test(url || "")) node.href = url;
  else node.removeAttribute("href");
}

function setSymbol(node, name) {
  node.firstElementChild.setAttribute("href", `#symbol-${name}`);
}

export function makeTile(template) {
  return template.content.firstElementChild.cloneNode(true);
}

// Everything that only changes with the data; `tickTile` does the rest.
export function fillTile(node, tile, page) {
  const state = stateOf(tile);
  const name = nameOf(tile);
  node.dataset.state = state;
  node.dataset.branch = tile.is_default_branch ? "default" : "other";
  node.dataset.alarm = Boolean(tile.alarm);
  setSymbol(part(node, "symbol"), state);
  setSymbol(part(node, "activity-symbol"), tile.activity || "running");
  const link = part(node, "run");
  setText(link, name);
  setLink(link, tile.activity ? tile.html_url : tile.base_html_url || tile.html_url);
  setLine(part(node, "repo"), tile.repo);
  setLine(part(node, "branch"), tile.branch || "");
  setText(part(node, "word"), word(state));
  part(node, "flaky").hidden = !tile.is_flaky;
  setLine(part(node, "actor"), (tile.activity ? tile.actor : tile.base_actor) || "");
  fillHistory(part(node, "history"), tile, page);
  fillStrip(part(node, "strip"), tile);
  tickTile(node, tile, page);
}

// What time alone changes.
export function tickTile(node, tile, page) {
  const { now } = page;
  const when = (instant) => page.calendar.point(seconds(instant), now);
  const facts = stateFacts(tile, when);
  setFacts(part(node, "facts"), facts);
  const explanation = detail(tile, when, now);
  setLine(part(node, "detail"), explanation);
  const doing = activity(tile, now);
  const line = part(node, "activity");
  line.hidden = !doing;
  node.dataset.activity = doing ? tile.activity : "";
  node.classList.toggle("tile--active", Boolean(doing));
  if (doing) {
    setText(part(node, "activity-word"), doing.name);
    setText(part(node, "activity-text"), doing.text);
  }
  const done = doing && doing.done !== null ? `${(doing.done * 100).toFixed(1)}%` : "";
  node.classList.toggle("tile--measured", done !== "");
  node.style.setProperty("--done", done || "100%");
  tickAge(part(node, "age"), tile, page, now);
  setLabel(part(node, "run"), [
    nameOf(tile),
    `${tile.repo} ${tile.branch || ""}`,
    [word(stateOf(tile)), ...facts.map(([, text]) => text)].join(", "),
    doing ? `${doing.name} ${doing.text}` : "",
    explanation,
  ]);
}

// The link covers the tile: it says, and shows on hover, what may be cut off in it.
function setLabel(link, lines) {
  const title = lines.filter(Boolean).join("\n");
  if (link.title === title) return;
  link.title = title;
  link.setAttribute("aria-label", title.replace(/\n/g, "; "));
}

function setFacts(node, facts) {
  const text = facts.map(([, fact]) => fact).join(" · ");
  if (node.dataset.text === text) return;
  node.dataset.text = text;
  node.replaceChildren(...facts.map(([name, fact]) => {
    const span = document.createElement("span");
    span.dataset.fact = name;
    span.textContent = fact;
    return span;
  }));
}

// The age of the result, not of the run in progress.
function tickAge(node, tile, page, now) {
  const started = seconds(tile.base_started_at || tile.started_at);
  node.hidden = started === null;
  if (started === null) return;
  const ended = started + (tile.base_duration_seconds || 0);
  setText(node, ago(ended, now));
  node.dateTime = new Date(ended * 1000).toISOString();
  node.title = page.calendar.full(ended);
}

function fillHistory(node, tile, page) {
  const query = new URLSearchParams({
    repo: tile.repo,
    workflow: tile.workflow,
    _sort_desc: "started_at",
  });
  node.href = `${page.base}ci_observer/runs?${query}`;
  const facts = [];
  if (tile.success_rate !== null) {
    facts.push(`${Math.round(tile.success_rate * 100)}\u00a0%`);
  }
  if (tile.median_duration_seconds && tile.activity !== "running") {
    facts.push(`~${duration(tile.median_duration_seconds)}`);
  }
  setText(node, facts.join(" · ") || "history");
  node.title = "History: share of passing runs and median duration of the last 20";
  // Who speaks to the browser says what is seen.
  node.setAttribute(
    "aria-label", `${node.textContent}: history of ${tile.workflow}, ${tile.repo}`,
  );
}

function fillStrip(list, tile) {
  const text = typeof tile.strip === "string" ? tile.strip : JSON.stringify(tile.strip);
  if (list.dataset.strip === text) return;
  list.dataset.strip = text;
  const runs = JSON.parse(text) || [];
  const durations = runs.map((run) => run.duration_seconds || 0).sort((a, b) => a - b);
  // One run that hung for hours must not make all the others look the same.
  const usual = durations[Math.floor(durations.length / 2)] || 1;
  const longest = Math.min(3 * usual, durations[durations.length - 1] || 1);
  list.hidden = !runs.length;
  list.replaceChildren(...runs.map((run) => makeBar(run, longest)));
}

function makeBar(run, longest) {
  const item = document.createElement("li");
  const bar = document.createElement("a");
  const result = run.status === "completed" ? run.conclusion : run.status;
  const share = run.duration_seconds === null
    ? 1
    : Math.min(1, run.duration_seconds / longest);
  bar.className = "bar";
  bar.dataset.result = result || "";
  bar.tabIndex = -1;
  bar.title = [
    `#${run.run_number} ${word(result)}`,
    run.run_attempt > 1 ? `attempt ${run.run_attempt}` : "",
    run.duration_seconds === null ? "" : duration(run.duration_seconds),
    run.started_at,
  ].filter(Boolean).join(" · ");
  bar.style.setProperty("--share", Math.max(0.14, share).toFixed(3));
  setLink(bar, run.html_url);
  item.append(bar);
  return item;
}
