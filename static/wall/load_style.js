// Loads a stylesheet of the wall that only some views need.

import { base } from "../shared/dom.js";

const loading = new Map();

function load(href) {
  const link = Object.assign(document.createElement("link"), { rel: "stylesheet", href });
  return new Promise((done, fail) => {
    link.onload = done;
    link.onerror = () => {
      link.remove();
      loading.delete(href);
      fail(new Error(href));
    };
    document.head.append(link);
  });
}

// Loads it once, unless the page has it already; after an error, the next call tries again.
export function loadStyle(name) {
  if (document.querySelector(`link[data-styles~="${name}"]`)) return Promise.resolve();
  const href = `${base}static/wall/${name}.css`;
  if (!loading.has(href)) loading.set(href, load(href));
  return loading.get(href);
}
