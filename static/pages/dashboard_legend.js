// The legend above a chart. It is HTML, so that it wraps on a narrow screen.

import { below, columnsOf, linkOf } from "./dashboard_rows.js";

const SVG = "http://www.w3.org/2000/svg";
// A shape in a box of 24 × 12.
const SHAPES = {
  square: ["rect", { x: 6, y: 0, width: 12, height: 12 }],
  dot: ["circle", { cx: 12, cy: 6, r: 4.5 }],
  line: ["path", { d: "M1 6h22", "stroke-width": 3 }],
  dashes: ["path", { d: "M1 6h22", "stroke-width": 3, "stroke-dasharray": "6 3" }],
  tick: ["rect", { x: 10, y: 0, width: 4, height: 12 }],
};

export function drawLegend(place, chart, rows, page) {
  const entries = columnsOf(chart, rows).filter(({ symbol }) => symbol);
  place.replaceChildren(...entries.map((column) => entry(column, rows, page)).filter(Boolean));
}

// A result is a link to all of its runs: the days of a chart are all of the period.
function entry(column, rows, page) {
  const item = document.createElement("li");
  const { field, title, symbol, colour, link } = column;
  const sum = rows.reduce((total, row) => total + row[field], 0);
  if (symbol === "square" && sum === 0) return null;
  const isLink = link && "day" in rows[0];
  const text = document.createElement(isLink ? "a" : "span");
  text.textContent = isLink ? `${title} ${sum.toLocaleString("en-GB")}` : title;
  if (isLink) text.href = below(linkOf(column, rows, page));
  item.append(shape(symbol, colour), text);
  return item;
}

function shape(symbol, colour) {
  const [tag, attributes] = SHAPES[symbol];
  const svg = document.createElementNS(SVG, "svg");
  const node = document.createElementNS(SVG, tag);
  const paint = tag === "path" ? { stroke: colour, fill: "none" } : { fill: colour };
  for (const [name, value] of Object.entries({ ...attributes, ...paint })) node.setAttribute(name, value);
  svg.setAttribute("viewBox", "0 0 24 12");
  svg.setAttribute("class", "drawing__symbol");
  svg.setAttribute("aria-hidden", "true");
  svg.append(node);
  return svg;
}
