// The charts of a dashboard: fetches their rows, draws them, and keeps them up to date.
// The page's template is templates/dashboard_view.html.

import { find } from "../shared/dom.js";
import { build } from "../shared/elements.js";
import { emptyText, errorText, fetchRows, queued, shorterPeriods } from "./dashboard_data.js";
import { drawImage } from "./dashboard_image.js";
import { drawLegend } from "./dashboard_legend.js";
import { below, formatted, prepared } from "./dashboard_rows.js";
import { drawTable } from "./dashboard_table.js";

const page = JSON.parse(find("dashboard").textContent);
const MINUTE_MS = 60000;
// A chart of another library is its table.
const IMAGES = ["vega-lite", "vega"];
// One visitor's requests wait for each other in the server, too.
const request = queued(2);

const partsOf = (root) =>
  Object.fromEntries([...root.querySelectorAll("[data-part]")].map((p) => [p.dataset.part, p]));

// `show(rows)` draws the rows of a chart, `say(parts)` writes a message in its place.
async function load(state, view) {
  const { slug, root, show, say } = view;
  try {
    const result = await request(root, () => fetchRows(page.slug, slug, page.args));
    const text = JSON.stringify(result);
    // Unchanged, it keeps the focus and the scroll position.
    if (text === state.shown) return;
    await show(result);
    state.shown = text;
  } catch (error) {
    state.shown = null;
    say([
      errorText(error), " ",
      ...shorterPeriods(error, page).flatMap((days) => [periodLink(days), " "]),
      retryButton(() => load(state, view)),
    ]);
  }
}

function figure(root) {
  const chart = page.charts[root.dataset.figure];
  const { value, change, note } = partsOf(root);

  function show({ rows, change: found }) {
    const { text, path, hint } = formatted(chart, rows[0] || {}, page);
    const line = document.createElement("p");
    const link = document.createElement("a");
    link.textContent = text;
    if (path) link.href = below(path);
    line.append(path ? link : text);
    value.replaceChildren(line);
    note.textContent = hint;
    change.textContent = found ? found.words : "";
    change.dataset.verdict = found ? found.verdict : "";
    change.title = found ? `${formatted(chart, { ...rows[0], [chart.display.field]: found.before }, page).text} before` : "";
  }

  function say(parts) {
    value.replaceChildren("–");
    change.replaceChildren();
    note.replaceChildren(...parts);
  }
  return { slug: root.dataset.figure, root, show, say };
}

function drawing(root) {
  const slug = root.dataset.chart;
  const chart = page.charts[slug];
  const { legend, image, message, details, table } = partsOf(root);
  // A year's tables take longer than its images, and few are opened.
  let fillTable = () => {};
  details.firstElementChild.addEventListener("click", () => {
    if (!details.open) fillTable();
  });

  async function show(result) {
    const rows = prepared(chart, result.rows, page);
    const isEmpty = !rows.some((row) => row[chart.count || "runs"] !== 0);
    message.textContent = isEmpty ? emptyText(chart, page)
      : result.truncated ? `Only the first ${rows.length} rows are shown.` : "";
    message.hidden = !message.textContent;
    details.hidden = isEmpty;
    if (isEmpty) {
      fillTable = () => {};
      for (const part of [legend, image, table]) part.replaceChildren();
      return;
    }
    drawLegend(legend, chart, rows, page);
    fillTable = () => drawTable(table, chart, rows, page);
    if (details.open) fillTable();
    if (!IMAGES.includes(chart.library)) {
      openTable();
      return;
    }
    await drawImage(image, chart, rows).catch((error) => {
      image.replaceChildren();
      console.error(error);
      message.textContent = "This chart cannot be drawn. Its table has the numbers.";
      message.hidden = false;
      openTable();
    });
  }

  function openTable() {
    fillTable();
    details.open = true;
  }

  function say(parts) {
    for (const part of [legend, image, table]) part.replaceChildren();
    details.hidden = true;
    message.hidden = false;
    message.replaceChildren(...parts);
  }
  return { slug, root, show, say };
}

// This page with fewer days.
function periodLink(days) {
  const search = new URLSearchParams(location.search);
  search.set("days", days);
  return build("a", { href: `?${search}` }, `Show ${days} days`);
}

function retryButton(act) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Try again";
  button.addEventListener("click", act);
  return button;
}

// The whole page, whose header has the age of the data.
function connectFullscreen(button) {
  if (!button || !document.fullscreenEnabled) return;
  button.hidden = false;
  button.addEventListener("click", () => (
    document.fullscreenElement ? document.exitFullscreen()
      : document.documentElement.requestFullscreen()
  ));
  document.addEventListener("fullscreenchange", () => {
    button.textContent = document.fullscreenElement ? "Leave full screen" : "Full screen";
  });
}

// The address of the form has only the filters that are set.
function omitEmptyFields(form) {
  form?.addEventListener("formdata", ({ formData }) => {
    for (const [name, value] of [...formData]) if (!value) formData.delete(name);
  });
}

const loads = [
  ...[...document.querySelectorAll("[data-figure]")].map(figure),
  ...[...document.querySelectorAll("[data-chart]")].map(drawing),
].map((view) => {
  const state = { shown: null };
  return () => load(state, view);
});
const loadAll = () => loads.forEach((act) => act());

omitEmptyFields(document.querySelector(".trends__filters"));
connectFullscreen(find("fullscreen"));
loadAll();
if (page.autorefresh) {
  setInterval(() => {
    if (!document.hidden) loadAll();
  }, page.autorefresh * MINUTE_MS);
}
