// Whether the wall can be trusted, and the words when it cannot.

import { ago, duration, seconds, word } from "./words.js";

const LOST_AFTER_REFRESHES = 3;
const WARN_DAYS = 14;
const DAY = 86400;

const POLLING = {
  off: "Polling is off",
  stale: "Polling has stopped",
  rate_limited: "GitHub's rate limit is spent",
  unauthorized: "GitHub refuses the token",
  offline: "GitHub does not answer",
  starting: "Starting",
  no_database: "The database cannot be read",
};

const isOld = (at, now, config) =>
  now - at > LOST_AFTER_REFRESHES * config.refresh_seconds;

// What the page says of itself comes first: `failure` is an error in its own script,
// `refusal` the words of a server that answers, but not with data. Else it is lost when
// the server has not answered for too long, whatever it said before.
export const isLost = ({ config, now, lastAnswerAt, failure, refusal }) =>
  Boolean(failure || refusal) || isOld(lastAnswerAt, now, config);

// Whether the tiles must not be taken for what is.
export function isDoubtful(contact) {
  const checked = seconds(contact.config.polling.last_success_at);
  return isLost(contact)
    || (checked !== null && isOld(checked, contact.now, contact.config));
}

export function dataAge({ config, now }) {
  const checked = seconds(config.polling.last_success_at);
  return checked === null ? "no data yet" : `data ${duration(now - checked)} old`;
}

// A token that ends soon, while there is time to make another.
function ofToken(expiresAt, now) {
  const days = Math.floor((expiresAt - now) / DAY);
  if (expiresAt === null || days >= WARN_DAYS) return null;
  return {
    level: "calm",
    word: "Token",
    text: `GITHUB_TOKEN expires in ${days === 1 ? "1 day" : `${Math.max(0, days)} days`}.`
      + " Then polling stops until there is a new one.",
  };
}

function ofThePage({ now, lastAnswerAt, calendar, failure, refusal }) {
  const age = `What is shown is from ${calendar.point(lastAnswerAt, now)}, `
    + `${ago(lastAnswerAt, now)}. It may be wrong.`;
  if (failure) {
    return {
      level: "loud",
      word: "This page has an error",
      text: `${failure} ${age} It loads itself anew as soon as the server answers.`,
    };
  }
  const word = refusal ? "CI Observer has no data" : "No contact with CI Observer";
  return {
    level: "loud",
    word,
    text: [refusal, age, "Trying again by itself."].filter(Boolean).join(" "),
  };
}

// What to say above the tiles, and how loudly; null when all is well.
export function bannerOf(contact) {
  const { config, now, calendar } = contact;
  const { state, reason, last_success_at: last, next_poll_at: next } = config.polling;
  if (isLost(contact)) return ofThePage(contact);
  const at = seconds(last);
  const good = at === null ? ""
    : ` GitHub's last good answer is from ${calendar.point(at, now)}, ${ago(at, now)}.`;
  if (state === "ok") {
    return isOld(at, now, config)
      ? { level: "loud", word: "Old data", text: good.trim() }
      : ofToken(seconds(config.polling.token_expires_at), now);
  }
  const due = state === "off" ? null : seconds(next);
  const why = (reason || "").replace(/[^.!?]$/, "$&.");
  return {
    level: state === "starting" ? "calm" : "loud",
    word: POLLING[state] || word(state),
    text: why + good + (due > now ? ` Next try at ${calendar.time(due)}.` : ""),
  };
}
