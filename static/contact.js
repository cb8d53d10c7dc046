// Whether what a page shows can be trusted: the server's settings, its clock, the banner.

import { bannerOf, dataAge, isLost } from "./banner.js";
import { calendar, seconds } from "./words.js";

const find = (id) => document.getElementById(id);

// `first` are the settings that stand in the page, without what changes by the minute.
export function makeContact({ base, first, timeZone }) {
  const times = calendar(timeZone);
  const { title } = document;
  const icon = find("icon").getAttribute("href");
  let config = first;
  let isFirst = true;
  let clockOffset = 0;
  // Server time in seconds: the screen's own clock may be hours off.
  const now = () => (Date.now() + clockOffset) / 1000;
  let lastAnswerAt = now();

  const state = () => ({ config, now: now(), lastAnswerAt, calendar: times });

  function accept(answer) {
    config = answer;
    isFirst = false;
    // No server time: the server could not read its database, and said so.
    const serverTime = seconds(config.server_time);
    if (serverTime !== null) clockOffset = serverTime * 1000 - Date.now();
    lastAnswerAt = now();
  }

  // Until the first answer only trouble is told, since nothing else is known.
  function banner() {
    const isKnown = !isFirst || config.polling.state !== "ok";
    return isKnown || isLost(state()) ? bannerOf(state()) : null;
  }

  function draw() {
    const shown = banner();
    const lost = isLost(state());
    find("banner").hidden = !shown;
    if (shown) {
      find("banner").dataset.level = shown.level;
      for (const key of ["word", "text"]) {
        const part = find(`banner-${key}`);
        if (part.textContent !== shown[key]) part.textContent = shown[key];
      }
    }
    find("age").textContent = isFirst ? "" : dataAge(state());
    document.body.dataset.lost = lost;
    setText(document, "title", lost ? `no data – ${title}` : title);
    const address = lost ? `${base}static/favicon-alarm.svg` : icon;
    if (find("icon").getAttribute("href") !== address) find("icon").href = address;
  }

  async function load(signal) {
    const answer = await fetch(`${base}api/config`, { signal, cache: "no-store" });
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
    return answer.json();
  }

  // Another version, or other settings: the page itself is out of date.
  const isOther = (answer) =>
    ["version", "title", "timezone"].some((name) => answer[name] !== first[name]);

  return { accept, draw, isOther, load, now, times, refreshSeconds: () => config.refresh_seconds };
}

function setText(node, name, text) {
  if (node[name] !== text) node[name] = text;
}
