// Formats durations and times.

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

export function seconds(instant) {
  const value = Date.parse(instant) / 1000;
  return Number.isNaN(value) ? null : value;
}

// "45 s", "4 min", "1 h 27 min" or "6 d". The server writes the same: web/pages/times.py.
export function duration(total) {
  const s = Math.max(0, Math.round(total));
  if (s < MINUTE) return `${s}\u00a0s`;
  const minutes = Math.round(s / MINUTE);
  if (minutes < 60) return `${minutes}\u00a0min`;
  if (s < 2 * DAY) {
    const m = s < HOUR ? 0 : Math.floor((s % HOUR) / MINUTE);
    const hours = `${Math.max(1, Math.floor(s / HOUR))}\u00a0h`;
    return m ? `${hours} ${m}\u00a0min` : hours;
  }
  return `${Math.round(s / DAY)}\u00a0d`;
}

// "95 %", "6.7 %": a decimal below 10 %, and 100 % only for all.
export function percent(share) {
  const value = 100 * share;
  const text = value < 10 ? String(Math.round(10 * value) / 10)
    : String(share < 1 ? Math.min(99, Math.round(value)) : Math.round(value));
  return `${text}\u00a0%`;
}

export const count = (n, noun) => `${n} ${noun}${n === 1 ? "" : "s"}`;

// "3 s ago", "4 min ago", "2 h ago" or "6 d ago", rounded down.
export function ago(at, now) {
  const s = Math.max(0, Math.floor(now - at));
  const [size, unit] = s < MINUTE ? [1, "s"] : s < HOUR ? [MINUTE, "min"]
    : s < 2 * DAY ? [HOUR, "h"] : [DAY, "d"];
  return `${Math.floor(s / size)}\u00a0${unit} ago`;
}

// "1st", "2nd", "11th"
export const ordinal = (n) =>
  n + ((!/1.$/.test(n) && { 1: "st", 2: "nd", 3: "rd" }[n % 10]) || "th");

// Formats times in the wall's time zone, not in the screen's own.
export function calendar(timeZone) {
  const format = (options) => {
    const { format: text } =
      new Intl.DateTimeFormat("en-GB", { timeZone, hourCycle: "h23", ...options });
    return (at) => text(at * 1000);
  };
  return calendarOf(
    format({ hour: "2-digit", minute: "2-digit" }),
    format({ weekday: "short" }),
    format({ day: "numeric", month: "short" }),
  );
}

// The same for the first drawing, because a slow machine needs 0.2 s to load Intl. `offset` is
// the zone's present offset from UTC in seconds, and is used for all times.
export function firstCalendar(offset) {
  const part = (from, to) => (at) =>
    new Date((at + offset) * 1000).toUTCString().slice(from, to).replace(/^0(?=\d )/, "");
  return calendarOf(part(17, 22), part(0, 3), part(5, 11));
}

function calendarOf(time, weekday, day) {
  return {
    time,
    // "14:10" today, "Tue 14:10" within six days, "3 Nov" before.
    point(at, now) {
      if (day(at) === day(now) && now - at < DAY) return time(at);
      return now - at < 6 * DAY ? `${weekday(at)} ${time(at)}` : day(at);
    },
  };
}
