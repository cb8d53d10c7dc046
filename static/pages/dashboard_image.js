// Draws a chart with Vega: https://vega.github.io/vega-lite/docs/
//
// Colours are custom properties of the page, such as var(--bad), so that a chart follows the
// theme. Texts of rows are only ever text nodes.

import { base } from "../shared/dom.js";
import { shortLabel } from "./dashboard_rows.js";
import { showTooltip } from "./dashboard_tooltip.js";

// Right of a workflow's name, for its value.
const VALUE_WIDTH = 90;
const EM_PER_CHARACTER = 0.55;

export async function drawImage(place, chart, allRows) {
  const { fontSize } = getComputedStyle(place);
  const width = place.parentElement.clientWidth - VALUE_WIDTH;
  const most = Math.floor(width / parseFloat(fontSize) / EM_PER_CHARACTER);
  const rows = allRows.map((row) => (row.label ? { ...row, label: shortLabel(row, most) } : row));
  const spec = chart.library === "vega" ? vegaSpec(place, chart, rows) : vegaLiteSpec(chart, rows);
  place.textContent = "";
  await window.vegaEmbed(place, spec, {
    actions: false,
    renderer: "svg",
    logLevel: window.vega.Error,
    tooltip: (handler, event, item, value) => showTooltip(chart, event, value),
    // The links of rows are paths below the prefix of a proxy.
    loader: { baseURL: base.slice(0, -1) },
    config: configOf(chart, place),
  });
}

const vegaLiteSpec = ({ title, display }, rows) => ({
  $schema: "https://vega.github.io/schema/vega-lite/v6.json",
  description: title,
  width: "container",
  autosize: { type: "fit-x", contains: "padding" },
  data: { values: rows },
  ...display,
});

const vegaSpec = (place, { title, display }, rows) => ({
  $schema: "https://vega.github.io/schema/vega/v6.json",
  description: title,
  width: place.clientWidth,
  autosize: { type: "fit", contains: "padding" },
  data: [{ name: "table", values: rows }],
  ...display,
});

function configOf({ columns = [] }, place) {
  const { fontFamily, fontSize } = getComputedStyle(place);
  const size = parseFloat(fontSize);
  return {
    background: "transparent",
    font: fontFamily,
    padding: 0,
    view: { stroke: null },
    mark: { tooltip: { content: "data" } },
    text: { fontSize: size, fill: "var(--ink)" },
    range: { category: columns.map(({ colour }) => colour).filter(Boolean) },
    axis: {
      title: null,
      labelFontSize: size,
      labelColor: "var(--quiet)",
      gridColor: "var(--line)",
      domain: false,
      ticks: false,
      labelPadding: 6,
    },
    axisX: { grid: false, labelPadding: 10 },
    tick: { opacity: 1 },
    legend: { disable: true },
  };
}
