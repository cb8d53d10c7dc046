// A page of the server's that keeps itself fresh: asks for itself again, and swaps #live.

import { makeContact } from "../shared/contact.js";
import { get, keepFresh } from "../shared/refresh.js";
import { swap } from "./morph.js";

// A browser that shows one page for weeks grows; a fresh page does not.
const RELOAD_AFTER_MS = 24 * 3600 * 1000;

const { base } = document.documentElement.dataset;
const find = (id) => document.getElementById(id);

export const parse = (html) => new DOMParser().parseFromString(html, "text/html");

// A page of ours; null when it is still the one with this ETag.
export async function getPage(address, { signal, etag } = {}) {
  const headers = etag ? { "If-None-Match": etag } : {};
  const answer = await get(address, { signal, headers });
  if (answer.status === 304) return null;
  return { etag: answer.headers.get("ETag"), document: parse(await answer.text()) };
}

// Awake again, or online again: do not wait for the next time.
function whenAwake(refresh) {
  window.addEventListener("online", refresh);
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) refresh();
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) refresh();
  });
}

// `address` says what to ask for now, `tick` draws what time alone changes.
export function keepLive({ address, tick }) {
  const { zone, ...first } = JSON.parse(find("config").textContent);
  const contact = makeContact({ base, first, timeZone: zone });
  const openedAt = Date.now();
  let known = { address: null, etag: null };

  async function load(signal) {
    const asked = address();
    const etag = known.address === asked ? known.etag : null;
    const config = await contact.load(signal);
    return { asked, config, page: await getPage(asked, { signal, etag }) };
  }

  function take({ asked, config, page }) {
    if (contact.isOther(config) || Date.now() - openedAt > RELOAD_AFTER_MS) {
      location.reload();
      return;
    }
    contact.accept(config);
    // What was asked for before more was wanted shows too little now.
    if (page && asked === address()) {
      known = { address: asked, etag: page.etag };
      contact.name(page.document);
      swap(find("live"), page.document.getElementById("live"));
    }
    draw();
  }

  function draw() {
    contact.draw();
    tick(contact);
  }

  const { refresh } = keepFresh({
    every: contact.refreshSeconds, load, take, lose: contact.lose,
  });
  whenAwake(refresh);
  draw();
  setInterval(() => {
    if (contact.hasLeapt()) refresh();
    draw();
  }, 1000);
  refresh();
  return { draw };
}
