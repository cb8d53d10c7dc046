// Formats durations and times.

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

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

export const count = (n, noun) => `${n} ${noun}${n === 1 ? "" : "s"}`;

export function ago(at, now) {
  const s = Math.max(0, now - at);
  if (s < MINUTE) return "just now";
  if (s < HOUR) return `${Math.floor(s / MINUTE)} min ago`;
  if (s < 2 * DAY) return `${Math.floor(s / HOUR)} hr ago`;
  return `${count(Math.floor(s / DAY), "day")} ago`;
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
