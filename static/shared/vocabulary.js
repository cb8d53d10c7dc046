// The names of states and conclusions. The server has the same ones: web/vocabulary.py.

export const ALARMS = ["no_access", "blocked", "stale", "overdue", "stuck", "disabled"];
export const ACTIVITIES = ["held", "running", "waiting", "queued", "unfinished"];
// The order of the counts on top, most urgent first. Each state has a symbol of its name.
export const STATES =
  [...ALARMS, "invalid_file", "failing", ...ACTIVITIES, "unknown", "untested", "passing"];
// The conclusions that count as a failure.
export const FAILURES = ["failure", "timed_out", "startup_failure"];

// A state or conclusion in plain words.
export const labelOf = (name) =>
  (name === "startup_failure" ? "could not start" : String(name).replace(/_/g, " "));
