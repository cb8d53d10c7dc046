// The charts of a dashboard: fetches their rows, draws them, and keeps them up to date.
// The page's template is templates/dashboard_view.html.

import { find } from "../shared/dom.js";
import { emptyText, errorText, fetchRows, limited } from "./dashboard_data.js";
import { drawImage } from "./dashboard_image.js";
import { drawLegend } from "./dashboard_legend.js";
import { below, formatted, prepared } from "./dashboard_rows.js";
import { drawTable } from "./dashboard_table.js";

const page = JSON.parse(find("dashboard").textContent);
const MINUTE_MS = 60000;
// A chart of another library is its table.
const IMAGES = ["vega-lite", "vega"];
// One visitor's requests wait for each other in the server, too.
const request = limited(2);

const partsOf = (root) =>
  Object.fromEntries([...root.querySelectorAll("[data-part]")].map((p) => [p.dataset.part, p]));

// `show(rows)` draws the rows of a chart, `say(text, retry)` writes a message in its place.
async function load(state, slug, { show, say }) {
  try {
    const result = await request(() => fetchRows(page.charts[slug], page.args));
    const text = JSON.stringify(result);
    // Unchanged, it keeps the focus and the scroll position.
    if (text === state.shown) return;
    await show(result);
    state.shown = text;
  } catch (error) {
    state.shown = null;
    say(errorText(error), () => load(state, slug, { show, say }));
  }
}

function figure(root) {
  const chart = page.charts[root.dataset.figure];
  const { value, note } = partsOf(root);

  function show({ rows }) {
    const { text, path, hint } = formatted(chart, rows[0] || {}, page);
    const line = document.createElement("p");
    const link = document.createElement("a");
    link.textContent = text;
    if (path) link.href = below(path);
    line.append(path ? link : text);
    value.replaceChildren(line);
    note.textContent = hint;
  }

  function say(text, retry) {
    value.replaceChildren("–");
    note.replaceChildren(text, " ", retryButton(retry));
  }
  return { slug: root.dataset.figure, show, say };
}

function drawing(root) {
  const slug = root.dataset.chart;
  const chart = page.charts[slug];
  const { legend, image, message, details, table } = partsOf(root);

  async function show(result) {
    const rows = prepared(chart, result.rows, page);
    const isEmpty = !rows.some((row) => row[chart.count || "runs"] !== 0);
    message.textContent = isEmpty ? emptyText(chart, page)
      : result.truncated ? `Only the first ${rows.length} rows are shown.` : "";
    message.hidden = !message.textContent;
    details.hidden = isEmpty;
    if (isEmpty) {
      for (const part of [legend, image, table]) part.replaceChildren();
      return;
    }
    drawLegend(legend, chart, rows, page);
    drawTable(table, chart, rows, page);
    if (!IMAGES.includes(chart.library)) {
      details.open = true;
      return;
    }
    await drawImage(image, chart, rows).catch((error) => {
      image.replaceChildren();
      console.error(error);
      message.textContent = "This chart cannot be drawn. Its table has the numbers.";
      message.hidden = false;
      details.open = true;
    });
  }

  function say(text, retry) {
    for (const part of [legend, image, table]) part.replaceChildren();
    details.hidden = true;
    message.hidden = false;
    message.replaceChildren(text, " ", retryButton(retry));
  }
  return { slug, show, say };
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
  return () => load(state, view.slug, view);
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
