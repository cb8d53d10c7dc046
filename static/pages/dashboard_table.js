// The table below a chart: the same numbers, for keyboards and screen readers.

import { build } from "../shared/elements.js";
import { below, columnsOf } from "./dashboard_rows.js";

// Days are listed newest first, as everywhere; workflows in the order of the chart.
export function drawTable(place, chart, rows, { period_text: period }) {
  const columns = columnsOf(chart, rows).filter((column) => isShown(column, rows));
  const ordered = rows[0] && "day" in rows[0] ? [...rows].reverse() : rows;
  const head = columns.map(({ title }) => build("th", { scope: "col" }, title));
  const body = ordered.map((row) => build("tr", {}, ...columns.map((column, i) => cell(column, row, i))));
  place.replaceChildren(build(
    "table",
    {},
    build("caption", {}, `${chart.title}: ${period}`),
    build("thead", {}, build("tr", {}, ...head)),
    build("tbody", {}, ...body),
  ));
}

// A result that no run has needs no column.
const isShown = ({ field, symbol }, rows) =>
  symbol !== "square" || rows.some((row) => row[field] !== 0);

function cell({ field, format }, row, index) {
  const text = build("bdi", {}, row.text[field]);
  const path = row.links[field];
  const content = path ? build("a", { href: below(path) }, text) : text;
  const node = index ? build("td", {}, content) : build("th", { scope: "row" }, content);
  if (format) node.dataset.format = format;
  return node;
}
