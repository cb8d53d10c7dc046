// The page of runs: more of them at a click, values to choose from, durations that count.

import { setText } from "../shared/dom.js";
import { getPage, keepLive } from "./live.js";
import { get } from "../shared/refresh.js";
import { duration, seconds } from "../shared/words.js";

const MAX_ROWS = 1000;

const { base } = document.documentElement.dataset;
const find = (id) => document.getElementById(id);
const query = new URLSearchParams(location.search);
const pageSize = Number(query.get("limit")) || 100;
let wanted = pageSize;

// As many rows as are shown, in one answer: pages would shift while runs come in.
function address() {
  const asked = new URLSearchParams(query);
  if (wanted > pageSize) asked.set("limit", wanted);
  return `${location.pathname}?${asked}`;
}

function tick({ now }) {
  for (const node of document.querySelectorAll("[data-since]")) {
    setText(node, duration(now() - seconds(node.dataset.since)));
  }
}

const live = keepLive({ address, tick });

async function showMore(link) {
  link.setAttribute("aria-busy", "true");
  try {
    const { document: page } = await getPage(link.href);
    const present = new Set([...find("rows").children].map((row) => row.dataset.key));
    const rows = [...page.getElementById("rows").children]
      .filter((row) => !present.has(row.dataset.key))
      .map((row) => document.importNode(row, true));
    find("rows").append(...rows);
    wanted = Math.min(MAX_ROWS, wanted + pageSize);
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
  // More than one answer holds: a page of their own.
  if (!link || !isPlain || wanted >= MAX_ROWS) return;
  event.preventDefault();
  if (link.getAttribute("aria-busy")) return;
  // Without an answer the link does what links do.
  showMore(link).catch(() => { location.href = link.href; });
});

// The values to choose from are many: asked for when somebody is about to choose.
const LISTS = {
  repo: "repos",
  workflow: "workflows",
  branch: "branches",
  event: "events",
  actor: "actors",
  status: "statuses",
  conclusion: "conclusions",
};
let areListed = false;

async function listValues() {
  if (areListed) return;
  areListed = true;
  try {
    const values = await (await get(`${base}api/filters`)).json();
    for (const [name, list] of Object.entries(LISTS)) {
      find(`values-${name}`).replaceChildren(
        ...values[list].map(({ value, count }) => new Option(`${count} ${count === 1 ? "run" : "runs"}`, value)),
      );
    }
  } catch (error) {
    // The fields take any text; the next time asks again.
    areListed = false;
  }
}

find("search").addEventListener("focusin", listValues);

// Fields that were left empty need not stand in the address.
find("search").addEventListener("submit", () => {
  for (const field of find("search").elements) field.disabled = !field.value;
});
window.addEventListener("pageshow", () => {
  for (const field of find("search").elements) field.disabled = false;
});
