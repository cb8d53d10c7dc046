// The texts of a row: values with units, labels, and the addresses of its runs.

import { base } from "../shared/dom.js";
import { duration, percent } from "../shared/format.js";

const NOTHING = "–";
const MAX_CHARACTERS = 100;
const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g;
// They would reorder the text around them.
const BIDI_CONTROLS = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
const VISIBLE = /(?![\u115f\u1160\u2800\u3164\uffa0])[\p{L}\p{N}\p{P}\p{S}]/u;
const DAY_FORMAT = new Intl.DateTimeFormat("en-GB", {
  weekday: "short", day: "numeric", month: "short", year: "numeric", timeZone: "UTC",
});

const FORMATS = {
  count: (value) => Number(value).toLocaleString("en-GB"),
  day: (value) => DAY_FORMAT.format(new Date(value)).replace(",", ""),
  duration,
  percent,
  decimal: (value) => Number(value).toFixed(1),
  minutes: (value) => `${FORMATS.count(value)}\u00a0min`,
  hour: (value) => `${String(value).padStart(2, "0")}:00`,
  text: String,
};

function textOf(value, format) {
  if (value === null || value === undefined) return NOTHING;
  return (FORMATS[format] || (typeof value === "number" ? FORMATS.count : FORMATS.text))(value);
}

// The columns of a chart's table; without a configuration, every column of its rows.
export const columnsOf = (chart, rows) =>
  chart.columns || Object.keys(rows[0] || {}).map((field) => ({ field, title: field }));

// Rows with `text` and `links` by field; of a workflow also `key`, `label`, and the two parts
// of the label, `place` and `name`.
export function prepared(chart, rows, page) {
  const columns = columnsOf(chart, rows);
  const named = namedRows(rows, page.selection);
  return named.map((row) => ({
    ...row,
    text: Object.fromEntries(columns.map(({ field, format }) => [
      field, format === "workflow" || field === "label" ? row.label : textOf(row[field], format),
    ])),
    links: Object.fromEntries(columns.map((column) => [column.field, linkOf(column, [row], page)])),
  }));
}

// A text of GitHub on one line, as web/texts.py shows it; "" if nothing of it is visible.
export function displayText(text) {
  const clean = String(text ?? "").replace(CONTROLS, " ").replace(BIDI_CONTROLS, "").trim();
  const characters = [...clean];
  if (!VISIBLE.test(clean)) return "";
  return characters.length > MAX_CHARACTERS
    ? `${characters.slice(0, MAX_CHARACTERS - 1).join("")}…` : clean;
}

// Rows with names of their workflows, without an owner that all share and a chosen repository;
// or with a label of their own, as a person or a runner's labels.
function namedRows(rows, selection) {
  if (!rows.length) return rows;
  if ("label" in rows[0]) {
    return rows.map((row) => ({ ...row, key: row.label, label: displayText(row.label) || row.label }));
  }
  if (!("workflow" in rows[0])) return rows;
  const owners = new Set(rows.map(({ repo }) => repo.split("/")[0]));
  return rows.map((row) => {
    const repo = owners.size > 1 ? row.repo : row.repo.split("/").slice(1).join("/");
    const place = selection.repo ? "" : displayText(repo);
    const name = nameOf(row, rows);
    return { ...row, key: `${row.repo} ${row.workflow}`, place, name, label: labelOf(place, name) };
  });
}

const labelOf = (place, name) => (place ? `${place} · ${name}` : name);

// The label with at most `most` characters: the repository is cut, but not below 12.
export function shortLabel({ place, name, label }, most) {
  if (label.length <= most || !place) return label;
  const left = Math.max(12, most - name.length - 3);
  return labelOf(place.length > left ? `${place.slice(0, left - 1)}…` : place, name);
}

// The workflow's name; its file if it has none, or if another of the repository has the same.
function nameOf({ repo, workflow, workflow_name: name }, rows) {
  const file = displayText(workflow) || workflow;
  const isShared = rows.some((other) => other.repo === repo && other.workflow !== workflow
    && other.workflow_name === name);
  // GitHub's name of a file without one is its path.
  return isShared || name === `.github/workflows/${workflow}` ? file : displayText(name) || file;
}

// The path of the runs behind a column of some rows; null without a link or runs.
export function linkOf({ field, link }, rows, page) {
  const [row] = rows;
  if (!link || !rows.some((r) => r[field] !== 0 && r[field] !== null)) return null;
  const { repo, workflow, since, until } = row;
  const args = { ...page.selection, ...page.display };
  if (link === "flaky") {
    return withQuery("/ci_observer/flaky_runs", {
      repo, workflow, head_branch: args.branch,
      last_started_at__gte: since, last_started_at__lte: until, _sort_desc: "last_started_at",
    });
  }
  if (link === "workflow") {
    const path = `${repo}/${workflow}`.split("/").map(encodeURIComponent).join("/");
    return withQuery(`/workflows/${path}`, { ...page.display, branch: args.branch });
  }
  const isOfRow = rows.length === 1;
  return withQuery("/runs", {
    ...args,
    ...(isOfRow && repo ? { repo, workflow } : {}),
    since: (isOfRow && since) || page.period.since,
    until: (isOfRow && until) || page.period.until,
    ...Object.fromEntries(Object.entries(link).map(([name, v]) => [name, valuesOf(v, rows)])),
  });
}

// A value of `link` such as `$names` is the field with a JSON array of values.
const valuesOf = (value, rows) => (String(value).startsWith("$")
  ? [...new Set(rows.flatMap((row) => JSON.parse(row[value.slice(1)] || "[]")))]
  : value);

function withQuery(path, args) {
  const search = new URLSearchParams();
  for (const [name, values] of Object.entries(args)) {
    for (const value of [values].flat()) if (value) search.append(name, value);
  }
  return `${path}${search.size ? `?${search}` : ""}`;
}

// A path below the prefix of a proxy.
export const below = (path) => `${base.slice(0, -1)}${path}`;

// The text, the link and the note of a chart that is one number.
export function formatted({ display }, row, page) {
  const { field, format, link, note = "", prefix = "", suffix = "" } = display;
  const text = textOf(row[field], format);
  return {
    text: text === NOTHING ? text : `${prefix}${text}${suffix}`,
    path: linkOf({ field, link }, [row], page),
    hint: row.runs === 0 ? "no runs" : row.jobs === 0 ? "no jobs"
      : note.replace(/\{(\w+):?(\w*)\}/g, (_, name, form) => textOf(row[name], form)),
  };
}
