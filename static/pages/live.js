// Keeps a page that the server rendered up to date: its banner and title, and `#live`, which
// is fetched again and morphed.

import { bannerOf, dataAge, drawBanner, isLost } from "../shared/banner.js";
import { get, getJson, makeConnection } from "../shared/connection.js";
import { base, find, setAttr } from "../shared/dom.js";
import { calendar } from "../shared/format.js";
import { morph } from "./morph.js";

// A browser that shows one page for weeks uses more and more memory; a new page does not.
const RELOAD_AFTER_MS = 24 * 3600 * 1000;


// One of our pages; null when it still has this ETag.
export async function getPage(address, { signal, etag } = {}) {
  const headers = { Accept: "text/html", ...(etag && { "If-None-Match": etag }) };
  const response = await get(address, { signal, headers });
  if (response.status === 304) return null;
  const html = await response.text();
  return {
    etag: response.headers.get("ETag"),
    document: new DOMParser().parseFromString(html, "text/html"),
  };
}

// `load` gets what the page needs besides the configuration, for `onData(result, config)`.
// `onDraw` is called every second and after each response.
export function connectPage({ load, onData, onDraw = () => {} }) {
  // The configuration inside the page lacks everything that changes with each poll.
  const { zone, ...config } = JSON.parse(find("config").textContent);
  const times = calendar(zone);
  let isFirst = true;
  let title = "";
  let icon = "";

  const connection =
    makeConnection({ config, load: loadAll, onData: receive, onError: draw, onTick: draw });
  const state = () => ({ ...connection.state(), calendar: times });

  async function loadAll(signal) {
    const newConfig = await getJson(`${base}api/config`, { signal });
    return [newConfig, await load(signal)];
  }

  function receive([newConfig, result]) {
    connection.accept(newConfig);
    isFirst = false;
    onData(result, newConfig);
    draw();
  }

  function draw() {
    const current = state();
    const hasLost = isLost(current);
    // Before the first response only bad news is certain.
    const isKnown = !isFirst || hasLost || current.config.polling.state !== "ok";
    drawBanner(isKnown ? bannerOf(current) : null);
    find("age").textContent = isFirst ? "" : dataAge(current);
    document.body.dataset.lost = hasLost;
    const text = hasLost ? `no data – ${title}` : title;
    if (document.title !== text) document.title = text;
    const href = hasLost ? `${base}static/shared/favicon-alarm.svg` : icon;
    setAttr(find("icon"), "href", href);
    onDraw({ now: current.now, times });
  }

  // The title and icon to show while the connection is good.
  function readTitle(page) {
    title = page.title;
    icon = page.getElementById("icon").getAttribute("href");
  }

  readTitle(document);
  draw();
  connection.refresh();
  return { config, draw, readTitle };
}

// `address` returns the URL to fetch now.
export function keepLive({ address, onDraw }) {
  const openedAt = Date.now();
  let known = { url: null, etag: null };
  const page = connectPage({ load, onData, onDraw });

  async function load(signal) {
    const url = address();
    const etag = known.url === url ? known.etag : null;
    return { url, fetched: await getPage(url, { signal, etag }) };
  }

  const isOutdated = (config) => Date.now() - openedAt > RELOAD_AFTER_MS
    || ["version", "title", "timezone"].some((name) => config[name] !== page.config[name]);

  function onData({ url, fetched }, config) {
    if (isOutdated(config)) location.reload();
    // A response to an older URL has fewer rows than are wanted now.
    else if (fetched && url === address()) {
      known = { url, etag: fetched.etag };
      page.readTitle(fetched.document);
      morph(find("live"), fetched.document.getElementById("live"));
    }
  }

  return { draw: page.draw };
}
