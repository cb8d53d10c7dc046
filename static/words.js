// The words of the wall: durations, times and what a tile's state means. No page here.

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const LANGUAGE = "en-GB";

const ORDINAL = new Intl.PluralRules(LANGUAGE, { type: "ordinal" });
const SUFFIX = { one: "st", two: "nd", few: "rd", other: "th" };
const AGO = new Intl.RelativeTimeFormat(LANGUAGE, { style: "narrow" });

// In the order in which they are counted on top: what needs somebody first.
export const STATES = [
  ["no_access", "no access"],
  ["stale", "stale"],
  ["overdue", "overdue"],
  ["zombie", "stuck"],
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

export function ago(at, now) {
  const s = Math.max(0, now - at);
  if (s < MINUTE) return "just now";
  if (s < HOUR) return AGO.format(-Math.floor(s / MINUTE), "minute");
  if (s < 2 * DAY) return AGO.format(-Math.floor(s / HOUR), "hour");
  return AGO.format(-Math.floor(s / DAY), "day");
}

export const ordinal = (n) => `${n}${SUFFIX[ORDINAL.select(n)]}`;

// Wall-clock words in the instance's time zone, whatever the screen's own.
export function calendar(timeZone) {
  const format = (options) =>
    new Intl.DateTimeFormat(LANGUAGE, { timeZone, hourCycle: "h23", ...options });
  const clock = format({ hour: "2-digit", minute: "2-digit" });
  const weekday = format({ weekday: "short" });
  const date = format({ day: "numeric", month: "short" });
  const full = format({ dateStyle: "full", timeStyle: "medium" });
  const time = (at) => clock.format(at * 1000);
  const day = (at) => date.format(at * 1000);
  return {
    time,
    full: (at) => `${full.format(at * 1000)} (${timeZone})`,
    // "14:10" today, "Tue 14:10" within six days, "3 Nov" before.
    point(at, now) {
      if (day(at) === day(now) && now - at < DAY) return time(at);
      if (now - at < 6 * DAY) return `${weekday.format(at * 1000)} ${time(at)}`;
      return day(at);
    },
  };
}

export const stateOf = (tile) => tile.alarm || tile.tile_state;

// What stands after the state's word, each with the name of what it is.
export function stateFacts(tile, when) {
  if (tile.base === "unknown") return [];
  if (tile.alarm && tile.alarm !== "invalid_file") return [["base", `was ${tile.base}`]];
  const facts = [];
  const isFailing = tile.base === "failing";
  if (isFailing && tile.streak > 1) {
    facts.push(["streak", `${ordinal(tile.streak)} in a row`]);
  }
  if (isFailing && CONCLUSIONS[tile.base_conclusion]) {
    facts.push(["conclusion", CONCLUSIONS[tile.base_conclusion]]);
  }
  if (tile.base_run_attempt > 1) {
    const attempt = `${isFailing ? "" : "green "}on attempt ${tile.base_run_attempt}`;
    facts.push(["attempt", attempt]);
  }
  if (tile.since_at) facts.push(["since", `since ${when(tile.since_at)}`]);
  return facts;
}

// The line that explains: what is wrong, or which change it was.
export function detail(tile, when, now) {
  switch (tile.alarm) {
    case "no_access":
      return tile.error || "GitHub says not found: wrong name, or no permission";
    case "stale":
      return tile.error || "no answer from GitHub for three refreshes";
    case "disabled":
      return DISABLED[tile.workflow_state] || `GitHub says ${tile.workflow_state}`;
    case "overdue":
      return `no scheduled run; one was due by ${when(tile.overdue_at)}`;
    case "zombie":
      return `${word(tile.activity)} for ${duration(now - seconds(tile.started_at))}`
        + (tile.median_duration_seconds
          ? `, usually ~${duration(tile.median_duration_seconds)}`
          : "");
    case "invalid_file":
      return "GitHub could not read the workflow file";
    default:
  }
  if (tile.base === "failing") {
    const place = [tile.failed_job, tile.failed_step].filter(Boolean).join(": ");
    return [place, tile.base_display_title].filter(Boolean).join(" · ");
  }
  if (tile.run_id) return tile.display_title || "";
  return `never ran on ${tile.branch || "its default branch"}`;
}

// What goes on above the result: its words, and how far it is (0 to 1, or null).
export function activity(tile, now) {
  if (!tile.activity || (tile.alarm && tile.alarm !== "invalid_file")) return null;
  const name = word(tile.activity);
  const elapsed = Math.max(0, now - seconds(tile.started_at));
  if (tile.activity === "held") return { name, text: "needs approval", done: null };
  if (tile.activity !== "running") {
    return { name, text: duration(elapsed), done: null };
  }
  const median = tile.median_duration_seconds;
  if (!median) return { name, text: duration(elapsed), done: null };
  const over = elapsed - median;
  const text = over < MINUTE
    ? `${duration(elapsed)} of ~${duration(median)}`
    : `~${duration(median)}, +${duration(over)} over`;
  return { name, text, done: Math.min(1, elapsed / median) };
}
