// Builds elements for parts of pages that are loaded on demand.

export function build(tag, { attributes = {}, ...properties } = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

export const make = (tag, className, ...children) => build(tag, { className }, ...children);

export const button = (text, onclick, properties) =>
  build("button", { type: "button", textContent: text, onclick, ...properties });

const SVG = "http://www.w3.org/2000/svg";

export function symbol(name) {
  const svg = document.createElementNS(SVG, "svg");
  const use = document.createElementNS(SVG, "use");
  svg.setAttribute("class", "symbol");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `#symbol-${name}`);
  svg.append(use);
  return svg;
}
