// The tooltip of a chart: the row of its table, as a list.

const MARGIN = 12;
let tooltip = null;

// `datum` is a row of dashboard_rows.js; empty when the pointer leaves the mark.
export function showTooltip({ columns }, event, datum) {
  tooltip = tooltip || createTooltip();
  tooltip.hidden = !datum;
  if (!datum) return;
  const parts = columns && datum.text ? columnParts(columns, datum) : plainParts(datum);
  tooltip.replaceChildren(...parts);
  place(event);
}

function createTooltip() {
  const node = document.createElement("div");
  node.className = "chart-tooltip";
  node.setAttribute("aria-hidden", "true");
  document.body.append(node);
  return node;
}

function columnParts([first, ...others], datum) {
  const shown = others.filter(({ field, symbol }) => symbol !== "square" || datum[field] !== 0);
  return [
    line("p", "", datum.text[first.field], true),
    ...shown.map(({ field, title }) => line("p", title, datum.text[field], field === datum.series)),
  ];
}

const plainParts = (datum) =>
  Object.entries(Object(datum)).map(([name, value]) => line("p", name, String(value), false));

function line(tag, title, text, isStrong) {
  const node = document.createElement(tag);
  node.dataset.strong = isStrong;
  const value = document.createElement("bdi");
  value.textContent = text;
  node.append(...(title ? [title, " "] : []), value);
  return node;
}

function place({ clientX: x, clientY: y }) {
  const { offsetWidth: width, offsetHeight: height } = tooltip;
  const left = x + MARGIN + width > innerWidth ? x - MARGIN - width : x + MARGIN;
  const top = y + MARGIN + height > innerHeight ? y - MARGIN - height : y + MARGIN;
  tooltip.style.left = `${Math.max(0, left)}px`;
  tooltip.style.top = `${Math.max(0, top)}px`;
}
