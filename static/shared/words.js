// The words of the wall: durations, times and what a tile's state means. No page here.

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const LANGUAGE = "en-GB";

const ORDINAL = new Intl.PluralRules(LANGUAGE, { type: "ordinal" });
const SUFFIX = { one: "st", two: "nd", few: "rd", other: "th" };

// In the order in which they are counted on top: what needs somebody first.
export const STATES = [
  ["no_access", "no access"],
  ["stale", "stale"],
  ["overdue", "overdue"],
  ["stuck", "stuck"],
  ["disabled", "disabled"],
  ["invalid_file", "invalid file"],
  ["failing", "failing"],
  ["held", "held"],
  ["running", "running"],
  ["waiting", "waiting"],
  ["queued", "queued"],
  ["unfinished", "unfinished"],
  ["unknown", "unknown"],
  ["passing", "passing"],
];
const WORDS = new Map(STATES);

const CONCLUSIONS = {
  timed_out: "timed out",
  startup_failure: "could not start",
};

const DISABLED = {
  disabled_manually: "switched off by hand on GitHub",
  disabled_inactivity: "GitHub switched it off: 60 days without activity",
  disabled_fork: "GitHub switches workflows of forks off",
  deleted: "the workflow file is gone",
};

export const word = (state) => WORDS.get(state) || String(state).replace(/_/g, " ");

export const keyOf = (tile) => [tile.repo, tile.workflow, tile.branch].join("\n");

// GitHub calls a workflow without a name by its path.
export const nameOf = (tile) =>
  (tile.workflow_name || tile.workflow).replace(/^\.github\/workflows\//, "");

export function seconds(instant) {
  const value = Date.parse(instant) / 1000;
  return Number.isNaN(value) ? null : value;
}

export function duration(total) {
  const s = Math.max(0, Math.round(total));
  if (s < MINUTE) return `${s}\u00a0s`;
  if (s < HOUR) return `${Math.round(s / MINUTE)}\u00a0m`;
  if (s < 2 * DAY) {
    const m = Math.floor((s % HOUR) / MINUTE);
    const hours = `${Math.floor(s / HOUR)}\u00a0h`;
    return m ? `${hours} ${m}\u00a0m` : hours;
  }
  return `${Math.round(s / DAY)}\u00a0d`;
}

const count = (n, what) => `${n} ${what}${n > 1 ? "s" : ""}`;

export function ago(at, now) {
  const s = Math.max(0, now - at);
  if (s < MINUTE) return "just now";
  if (s < HOUR) return `${Math.floor(s / MINUTE)} min ago`;
  if (s < 2 * DAY) return `${Math.floor(s / HOUR)} hr ago`;
  return `${count(Math.floor(s / DAY), "day")} ago`;
}

const ordinal = (n) => `${n}${SUFFIX[ORDINAL.select(n)]}`;

// Wall-clock words in the instance's time zone, whatever the screen's own.
export function calendar(timeZone) {
  const format = (options) => {
    const words = new Intl.DateTimeFormat(LANGUAGE, { timeZone, hourCycle: "h23", ...options });
    return (at) => words.format(at * 1000);
  };
  return wordsOf(
    format({ hour: "2-digit", minute: "2-digit" }),
    format({ weekday: "short" }),
    format({ day: "numeric", month: "short" }),
  );
}

// The same for a first drawing, from the zone's seconds ahead of UTC now, as if it always
// had them: a browser's Intl takes a slow machine a fifth of a second to begin with.
export function firstCalendar(ahead) {
  const part = (from, to) => (at) =>
    new Date((at + ahead) * 1000).toUTCString().slice(from, to).replace(/^0(?=\d )/, "");
  return wordsOf(part(17, 22), part(0, 3), part(5, 11));
}

function wordsOf(time, weekday, day) {
  return {
    time,
    // "14:10" today, "Tue 14:10" within six days, "3 Nov" before.
    point(at, now) {
      if (day(at) === day(now) && now - at < DAY) return time(at);
      return now - at < 6 * DAY ? `${weekday(at)} ${time(at)}` : day(at);
    },
  };
}

export const stateOf = (tile) => tile.alarm || tile.tile_state;
export const isLoud = (tile) => Boolean(tile.alarm) || tile.tile_state === "failing";
// Green without a "but".
export const isGreen = (tile) => stateOf(tile) === "passing" && !tile.lost_run_id
  && tile.activity !== "held";

export function countLoud(tiles) {
  const loud = tiles.filter(isLoud).length;
  return { loud, quiet: tiles.length - loud };
}

// What stands after the state's word, each with the name of what it is.
export function stateFacts(tile, when) {
  if (tile.last_result === "unknown") return [];
  if (tile.alarm && tile.alarm !== "invalid_file") return [["base", `was ${tile.last_result}`]];
  const isFailing = tile.last_result === "failing";
  const { failed_jobs: jobs, phantom_failures: phantoms } = tile;
  const green = isFailing ? "" : "green ";
  return [
    ["lost", tile.lost_run_id && "newest commit not tested"],
    ["streak", isFailing && tile.streak > 1 && `${ordinal(tile.streak)} in a row`],
    ["conclusion", isFailing && CONCLUSIONS[tile.last_result_conclusion]],
    ["attempt", tile.last_result_run_attempt > 1 && `${green}on attempt ${tile.last_result_run_attempt}`],
    ["jobs", !isFailing && jobs && `with ${count(jobs, "failed job")}`],
    ["phantoms", phantoms && count(phantoms, "phantom failure")],
    ["since", tile.since_at && `since ${when(tile.since_at)}`],
  ].filter(([, text]) => text);
}

const ALARMS = {
  no_access: (tile) =>
    tile.error || "GitHub says not found: wrong name, or no permission",
  stale: (tile) => tile.error || "no answer from GitHub for three refreshes",
  disabled: ({ workflow_state: state }) => DISABLED[state] || `GitHub says ${state}`,
  overdue: (tile, when) => `no scheduled run; one was due by ${when(tile.overdue_at)}`,
  stuck({ activity: name, started_at: at, median_duration_seconds: usual }, when, now) {
    return `${word(name)} for ${duration(now - seconds(at))}`
      + (usual ? `, usually ~${duration(usual)}` : "");
  },
  invalid_file: () => "GitHub could not read the workflow file",
};

// Two lines that explain: what is wrong, and which change it was.
export function details(tile, when, now) {
  const explain = ALARMS[tile.alarm];
  if (explain) return [explain(tile, when, now), ""];
  if (tile.last_result === "failing") {
    const place = [tile.failed_job, tile.failed_step].filter(Boolean).join(": ");
    return [place, tile.last_result_display_title || ""];
  }
  if (tile.run_id) return ["", tile.display_title || ""];
  return [`never ran on ${tile.branch || "its default branch"}`, ""];
}

// What goes on above the result: its words, and how far it is (0 to 1, or null).
export function activity(tile, now) {
  if (!tile.activity || (tile.alarm && tile.alarm !== "invalid_file")) return null;
  const name = word(tile.activity);
  const elapsed = Math.max(0, now - seconds(tile.started_at));
  const usual = tile.activity === "running" && tile.median_duration_seconds;
  if (!usual) {
    return {
      name,
      text: tile.activity === "held" ? "needs approval" : duration(elapsed),
      done: null,
    };
  }
  const over = elapsed - usual;
  const text = over < MINUTE
    ? `${duration(elapsed)} of ~${duration(usual)}`
    : `+${duration(over)} over`;
  return { name, text, done: Math.min(1, elapsed / usual) };
}
