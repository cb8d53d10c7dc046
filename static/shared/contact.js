// Whether what a page shows can be trusted: the server's settings, its clock, the banner.

import { bannerOf, dataAge, isLost } from "./banner.js";
import { setText } from "./dom.js";
import { get, makeClock } from "./refresh.js";
import { calendar, seconds } from "./words.js";

const find = (id) => document.getElementById(id);

// `first` are the settings that stand in the page, without what changes by the minute.
export function makeContact({ base, first, timeZone }) {
  const times = calendar(timeZone);
  let title = "";
  let icon = "";
  let config = first;
  let isFirst = true;
  const clock = makeClock();
  // Until the server has told the time.
  clock.set(Date.now() / 1000);
  const { now } = clock;
  let lastAnswerAt = now();
  let refusal = "";

  const state = () => ({ config, now: now(), lastAnswerAt, calendar: times, refusal });

  function accept(answer) {
    config = answer;
    isFirst = false;
    refusal = "";
    // No server time: the server could not read its database, and said so.
    const serverTime = seconds(config.server_time);
    if (serverTime !== null) clock.set(serverTime);
    lastAnswerAt = now();
  }

  // What was last known stays, with its age.
  function lose(error) {
    clock.doubt();
    refusal = error.reason || "";
    draw();
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
        setText(find(`banner-${key}`), shown[key]);
      }
    }
    find("age").textContent = isFirst ? "" : dataAge(state());
    document.body.dataset.lost = lost;
    const words = lost ? `no data – ${title}` : title;
    if (document.title !== words) document.title = words;
    const address = lost ? `${base}static/shared/favicon-alarm.svg` : icon;
    if (find("icon").getAttribute("href") !== address) find("icon").href = address;
  }

  async function load(signal) {
    return (await get(`${base}api/config`, { signal })).json();
  }

  // What the tab says of the page, until contact is lost.
  function name(page) {
    title = page.title;
    icon = page.getElementById("icon").getAttribute("href");
  }
  name(document);

  // Another version, or other settings: the page itself is out of date.
  const isOther = (answer) =>
    ["version", "title", "timezone"].some((name) => answer[name] !== first[name]);

  const refreshSeconds = () => config.refresh_seconds;
  const { hasLeapt } = clock;
  return { accept, draw, hasLeapt, isOther, load, lose, name, now, refreshSeconds, times };
}
