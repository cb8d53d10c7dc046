// The table below a chart: the same numbers, for keyboards and screen readers.

import { below, columnsOf } from "./dashboard_rows.js";

const make = (tag, props = {}, ...children) => {
  const node = Object.assign(document.createElement(tag), props);
  node.append(...children);
  return node;
};

// Days are listed newest first, as everywhere; workflows in the order of the chart.
export function drawTable(place, chart, rows, { period_text: period }) {
  const columns = columnsOf(chart, rows).filter((column) => isShown(column, rows));
  const ordered = rows[0] && "day" in rows[0] ? [...rows].reverse() : rows;
  const head = columns.map(({ title }) => make("th", { scope: "col" }, title));
  const body = ordered.map((row) => make("tr", {}, ...columns.map((column, i) => cell(column, row, i))));
  place.replaceChildren(make(
    "table",
    {},
    make("caption", {}, `${chart.title}: ${period}`),
    make("thead", {}, make("tr", {}, ...head)),
    make("tbody", {}, ...body),
  ));
}

// A result that no run has needs no column.
const isShown = ({ field, symbol }, rows) =>
  symbol !== "square" || rows.some((row) => row[field] !== 0);

function cell({ field, format }, row, index) {
  const text = make("bdi", {}, row.text[field]);
  const path = row.links[field];
  const content = path ? make("a", { href: below(path) }, text) : text;
  const node = index ? make("td", {}, content) : make("th", { scope: "row" }, content);
  if (format) node.dataset.format = format;
  return node;
}
