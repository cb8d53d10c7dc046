// The rows of a chart: requested from the server, and what to say if there are none.

import { base } from "../shared/dom.js";
import { displayText } from "./dashboard_rows.js";

const NO_RESPONSE = "The server does not respond. It may be restarting, or the network is down.";
const TOO_LONG = "The query took too long. Choose fewer days, a repository or a workflow.";

class LoadError extends Error {
  constructor(message, isTooLong = false) {
    super(message);
    this.isTooLong = isTooLong;
  }
}

// Runs at most `most` of the given functions at once: first those of elements in view, then
// from the top of the page down.
export function queued(most) {
  const waiting = [];
  let running = 0;
  async function next() {
    if (running >= most || !waiting.length) return;
    running += 1;
    const first = waiting.reduce((a, b) => (distance(b.element) < distance(a.element) ? b : a));
    waiting.splice(waiting.indexOf(first), 1);
    await first.run();
    running -= 1;
    next();
  }
  return (element, act) => new Promise((resolve, reject) => {
    waiting.push({ element, run: () => act().then(resolve, reject) });
    // All requests of this moment are in the queue before the first is chosen.
    Promise.resolve().then(next);
  });
}

// How many pixels an element is below or above the visible part of the page.
function distance(element) {
  const { top, bottom } = element.getBoundingClientRect();
  return Math.max(0, top - innerHeight, -bottom);
}

// `{ rows, truncated }`; throws an error whose message is for the visitor. The server keeps
// the rows until the data change, and the browser revalidates its copy.
export async function fetchRows(dashboard, chart, args) {
  const path = [dashboard, chart].map(encodeURIComponent).join("/");
  let response;
  let body = {};
  try {
    const url = `${base}-/dashboards/${path}.json?${new URLSearchParams(args)}`;
    // The browser may hold rows of a moment ago: the server knows whether they are current.
    response = await fetch(url, { cache: "no-cache" });
    body = await response.json();
  } catch {
    throw new LoadError(response ? `The response is not JSON (status ${response.status}).` : NO_RESPONSE);
  }
  if (!response.ok || body.error) throw loadError(response.status, body.error || "");
  return body;
}

function loadError(status, error) {
  if (/took too long|interrupted/i.test(error)) return new LoadError(TOO_LONG, true);
  const text = status === 401 || status === 403
    ? `${error || "Access is denied."} Reload the page to log in.`
    : error || `The server responds with status ${status}.`;
  return new LoadError(text);
}

export const errorText = (error) =>
  (error instanceof LoadError ? error.message : `This cannot be shown (${error.message}).`);

// Shorter periods to offer for a query that took too long.
export const shorterPeriods = (error, { days }) =>
  (error.isTooLong ? [90, 30, 7].filter((fewer) => fewer < days) : []);

// "No runs in these 30 days with these filters: acme/api, main."
export function emptyText({ empty }, { days, selection }) {
  const { repo, workflow, branch } = selection;
  const filters = [repo, workflow, branch].map(displayText).filter(Boolean).join(", ");
  const when = days === 1 ? "on this day" : `in these ${days} days`;
  return `${empty || "No rows"} ${when}${filters && ` with these filters: ${filters}`}.`;
}
