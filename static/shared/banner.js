// Whether a page can be trusted, and its banner when it cannot.

import { find, setText } from "./dom.js";
import { ago, seconds } from "./format.js";
import { labelOf } from "./vocabulary.js";

export const LOST_AFTER_REFRESHES = 3;
const WARN_DAYS = 14;
const DAY = 86400;

const OLD_DATA = "Old data";
const POLLING = {
  off: "Polling is off",
  stale: "Polling has stopped",
  rate_limited: "GitHub's rate limit is used up",
  unauthorized: "GitHub rejects the token",
  offline: "GitHub does not respond",
  failed: "No data from GitHub",
  starting: "Starting",
  no_database: "The database cannot be read",
  no_peers: "No instance has new data",
};

// `scriptError` is an error in the page's own script, `serverError` the text of a server
// that responds without data.
export const isLost = ({ config, now, lastResponseAt, scriptError, serverError }) =>
  Boolean(scriptError || serverError)
    || now - lastResponseAt > LOST_AFTER_REFRESHES * config.refresh_seconds;

// Whether another instance is missing, or its tiles prove nothing.
export const lacksPeer = ({ config }) => (config.peers || []).some(({ state }) => state !== "ok");

const isOld = ({ config, now }) =>
  now - seconds(config.polling.last_success_at) > config.stale_seconds;

// Whether the tiles may no longer be true. Without a time nothing proves that they are.
export const isOutdated = (state) => isLost(state) || isOld(state);

export function dataAge({ config, now }) {
  const checked = seconds(config.polling.last_success_at);
  return checked === null ? "no data yet" : `updated ${ago(checked, now)}`;
}

function tokenBanner(expiresAt, now) {
  const days = Math.floor((expiresAt - now) / DAY);
  if (expiresAt === null || days >= WARN_DAYS) return null;
  return {
    isCalm: true,
    word: "Token",
    text: `GITHUB_TOKEN expires in ${days === 1 ? "1 day" : `${Math.max(0, days)} days`}.`
      + " Then polling stops until you set a new one.",
  };
}

function lostBanner({ now, lastResponseAt, calendar, scriptError, serverError, isRepeated }) {
  const cause = serverError || (isRepeated && "A cache repeats an old response.");
  const age = `The data shown are from ${calendar.point(lastResponseAt, now)}, `
    + `${ago(lastResponseAt, now)}, and may be wrong.`;
  if (scriptError) {
    return {
      word: "This page has an error",
      text: `${scriptError} ${age} It reloads as soon as the server responds.`,
    };
  }
  return {
    word: serverError ? "CI Observer has no data" : "No connection to CI Observer",
    text: [cause, age, "Retrying automatically."].filter(Boolean).join(" "),
  };
}

// The banner's word and text; null when all is well.
export function bannerOf(state) {
  const { config, now, calendar } = state;
  const warnings = (config.warnings || []).join(" ");
  const { state: polling, reason, last_success_at: last, next_poll_at: next } = config.polling;
  if (isLost(state)) return lostBanner(state);
  const at = seconds(last);
  const lastGood = at === null ? ""
    : ` GitHub's last good response is from ${calendar.point(at, now)}, ${ago(at, now)}.`;
  if (["ok", "peers"].includes(polling)) {
    if (isOld(state)) return { word: OLD_DATA, text: lastGood.trim() };
    return warnings
      ? { isCalm: !lacksPeer(state), word: lacksPeer(state) ? "Other instances" : "Warning", text: warnings }
      : tokenBanner(seconds(config.polling.token_expires_at), now);
  }
  const due = polling === "off" ? null : seconds(next);
  const why = (reason || "").replace(/[^.!?]$/, "$&.");
  return {
    isCalm: polling === "starting",
    // A replica cannot know what has stopped.
    word: config.read_only && polling === "stale"
      ? OLD_DATA
      : POLLING[polling] || labelOf(polling),
    text: `${why}${lastGood}${due > now ? ` Next try at ${calendar.time(due)}.` : ""} ${warnings}`,
  };
}

export function drawBanner(banner) {
  const node = find("banner");
  node.hidden = !banner;
  if (!banner) return;
  node.dataset.level = banner.isCalm ? "calm" : "loud";
  setText(find("banner-word"), banner.word);
  setText(find("banner-text"), banner.text);
}
