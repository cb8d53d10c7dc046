// The page of runs: loads more of them at a click, and suggests values for the filters.

import { getJson } from "../shared/connection.js";
import { base, find } from "../shared/dom.js";
import { count } from "../shared/format.js";
import { drawAges } from "./ages.js";
import { getPage, keepLive } from "./live.js";

const MAX_ROWS = 1000;

const query = new URLSearchParams(location.search);
const pageSize = Number(query.get("limit")) || 100;
let rowCount = pageSize;

// All rows that are shown, in one response: with several pages, new runs would shift rows from
// one page to the next.
function address() {
  const all = new URLSearchParams(query);
  if (rowCount > pageSize) all.set("limit", rowCount);
  return `${location.pathname}?${all}`;
}

const live = keepLive({ address, onDraw: ({ now }) => drawAges(now) });

async function showMore(link) {
  link.setAttribute("aria-busy", "true");
  try {
    const { document: page } = await getPage(link.href);
    const present = new Set([...find("rows").children].map((row) => row.dataset.key));
    const rows = [...page.getElementById("rows").children]
      .filter((row) => !present.has(row.dataset.key))
      .map((row) => document.importNode(row, true));
    find("rows").append(...rows);
    rowCount = Math.min(MAX_ROWS, rowCount + pageSize);
    const next = page.getElementById("more");
    if (next) link.href = next.href;
    else link.remove();
    if (rows.length) rows[0].querySelector("a").focus();
    live.draw();
  } finally {
    link.removeAttribute("aria-busy");
  }
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("#more");
  const isPlain = !event.ctrlKey && !event.metaKey && !event.shiftKey;
  // More rows than one response may have: follow the link.
  if (!link || !isPlain || rowCount >= MAX_ROWS) return;
  event.preventDefault();
  if (link.getAttribute("aria-busy")) return;
  // After an error, follow the link.
  showMore(link).catch(() => { location.href = link.href; });
});

// The lists of values are long, so they are loaded when a filter gets the focus.
const LISTS = {
  repo: "repos",
  workflow: "workflows",
  branch: "branches",
  event: "events",
  actor: "actors",
  status: "statuses",
  conclusion: "conclusions",
};
let isLoaded = false;

async function loadValues() {
  if (isLoaded) return;
  isLoaded = true;
  try {
    const values = await getJson(`${base}api/filters`);
    for (const [name, list] of Object.entries(LISTS)) {
      find(`values-${name}`).replaceChildren(
        ...values[list].map((item) => new Option(count(item.count, "run"), item.value)),
      );
    }
  } catch (error) {
    // The fields also work without suggestions; the next focus tries again.
    isLoaded = false;
  }
}

find("search").addEventListener("focusin", loadValues);

// Keeps empty fields out of the address.
find("search").addEventListener("submit", () => {
  for (const field of find("search").elements) field.disabled = !field.value;
});
window.addEventListener("pageshow", () => {
  for (const field of find("search").elements) field.disabled = false;
});
