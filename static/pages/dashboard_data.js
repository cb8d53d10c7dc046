// The rows of a chart: requested from the server, and what to say if there are none.

import { base } from "../shared/dom.js";
import { displayText } from "./dashboard_rows.js";

const NO_RESPONSE = "The server does not respond. It may be restarting, or the network is down.";
const TOO_LONG = "The query took too long. Choose fewer days, a repository or a workflow.";

class LoadError extends Error {}

// Runs at most `most` of the given functions at once, in their order.
export function limited(most) {
  const waiting = [];
  let running = 0;
  async function next() {
    if (running >= most || !waiting.length) return;
    running += 1;
    await waiting.shift()();
    running -= 1;
    next();
  }
  return (act) => new Promise((resolve, reject) => {
    waiting.push(() => act().then(resolve, reject));
    next();
  });
}

// `{ rows, truncated }`; throws an error whose message is for the visitor.
export async function fetchRows({ db, query }, args) {
  const search = new URLSearchParams({ sql: query, ...args, _shape: "objects" });
  let response;
  let body = {};
  try {
    response = await fetch(`${base}${encodeURIComponent(db)}.json?${search}`);
    body = await response.json();
  } catch {
    throw new LoadError(response ? `The response is not JSON (status ${response.status}).` : NO_RESPONSE);
  }
  if (!response.ok || body.error) throw new LoadError(reason(response.status, body.error || ""));
  return { rows: body.rows, truncated: body.truncated };
}

function reason(status, error) {
  if (/took too long|interrupted/i.test(error)) return TOO_LONG;
  if (status === 401 || status === 403) return `${error || "Access is denied."} Reload the page to log in.`;
  return error || `The server responds with status ${status}.`;
}

export const errorText = (error) =>
  (error instanceof LoadError ? error.message : `This cannot be shown (${error.message}).`);

// "No runs in these 30 days with these filters: acme/api, main."
export function emptyText({ empty }, { days, selection }) {
  const { repo, workflow, branch } = selection;
  const filters = [repo, workflow, branch].map(displayText).filter(Boolean).join(", ");
  const when = days === 1 ? "on this day" : `in these ${days} days`;
  return `${empty || "No rows"} ${when}${filters && ` with these filters: ${filters}`}.`;
}
