// A page's connection to the server: regular refreshes, the last good response, and the
// server's clock.

import { LOST_AFTER_REFRESHES } from "./banner.js";
import { seconds } from "./format.js";

const TIMEOUT_MS = 15000;
const JUMP_SECONDS = 5;
const RELOAD_AFTER_MS = 9000;
const CHECK_MS = 4000;
const MAX_HEARD = 1000;

// Returns a response, or throws an Error. Its `reason` is our own server's error text, and
// missing when the response came from somewhere else.
export async function get(url, options) {
  const response = await fetch(url, { cache: "no-store", ...options });
  if (response.ok || response.status === 304) return response;
  // The login has ended. A page that was opened just now would reload again and again.
  if (response.status === 401 && performance.now() > RELOAD_AFTER_MS) location.reload();
  const error = new Error(`HTTP ${response.status}`);
  error.reason = (await response.json().catch(() => ({}))).error;
  throw error;
}

export const getJson = async (url, options) => (await get(url, options)).json();

// The server's time in seconds, carried on by a stopwatch: the screen's own clock may be
// hours off, and may be set at any time.
function makeClock() {
  const stopwatch = () => performance.now() / 1000;
  const offsetOf = (time) => time - stopwatch();
  const localOffset = () => offsetOf(Date.now() / 1000);
  let offset = localOffset();
  let lastLocal = offset;
  let slept = 0;
  return {
    now: () => stopwatch() + offset,
    // The seconds that may have passed without the stopwatch.
    slept: () => slept,
    // The page itself may be old: a browser or a cache may have kept it.
    setFirst(time, limit) {
      const unseen = offset - offsetOf(time);
      this.set(time);
      if (unseen > limit) slept = unseen;
    },
    set(time) {
      [offset, lastLocal, slept] = [offsetOf(time), localOffset(), 0];
    },
    // Either the clock was set, or the machine slept, while a stopwatch may stand still.
    // Only the server knows which.
    jumped() {
      const jump = localOffset() - lastLocal;
      if (Math.abs(jump) < JUMP_SECONDS) return false;
      lastLocal += jump;
      slept = Math.max(0, slept + jump);
      return true;
    },
    // Without a response, assume that it slept: the data look older, never newer.
    assumeSleep() {
      offset += slept;
      slept = 0;
    },
  };
}

// `load` makes the requests of one refresh, `onData` gets its result, and `onError` is
// called when it failed. `onTick` is called every second.
export function makeConnection({ config, load, onData, onError, onTick }) {
  const clock = makeClock();
  const state = {};
  const heard = new Set();
  let request = null;
  let timer = null;
  let isChecking = false;

  // A cache may repeat a response, also for hours after its server has died. So a response
  // proves something only once: `heard` has the times of the server in all of them.
  // `isCurrent` is false if the data that came along are older.
  function accept(newConfig, isCurrent = true) {
    const time = seconds(newConfig.server_time);
    const isFirst = !heard.size;
    // The newest times stay: a wall runs for months.
    const isRepeated = heard.delete(time);
    Object.assign(state, { config: newConfig, serverError: "", isRepeated });
    // A server that cannot read its database sends no time.
    if (time !== null) heard.add(time);
    if (heard.size > MAX_HEARD) heard.delete(heard.values().next().value);
    if (isRepeated) {
      // Or it is the second one of the same moment.
      if (clock.slept()) schedule(CHECK_MS);
      return clock.assumeSleep();
    }
    let age = 0;
    if (time !== null) {
      const unseen = time - clock.now();
      if (isFirst) clock.setFirst(time, LOST_AFTER_REFRESHES * newConfig.refresh_seconds);
      // Either the screen's clock is wrong, or the response is as old as it looks. Then the
      // next one is the same: look once more.
      else if (clock.slept() && !isChecking && unseen < clock.slept() / 2) isChecking = true;
      else {
        age = Math.min(Math.max(0, -unseen), newConfig.refresh_seconds);
        clock.set(time);
      }
    }
    if (clock.slept()) schedule(CHECK_MS);
    else isChecking = false;
    if (isCurrent && !isChecking) state.lastResponseAt = clock.now() - age;
  }

  function fail(error) {
    clock.assumeSleep();
    state.serverError = error.reason || "";
    onError();
  }

  function schedule(delay) {
    clearTimeout(timer);
    timer = setTimeout(refresh, delay || state.config.refresh_seconds * 1000);
  }

  // One request at a time. The next is scheduled before the callbacks run, so that an error
  // in them cannot stop the refreshing.
  async function refresh() {
    if (request) request.abort();
    clearTimeout(timer);
    const current = new AbortController();
    request = current;
    const timeout = setTimeout(() => current.abort(), TIMEOUT_MS);
    const finish = await load(current.signal).then(
      (data) => () => onData(data),
      (error) => () => fail(error),
    );
    clearTimeout(timeout);
    if (current !== request) return;
    request = null;
    schedule();
    finish();
  }

  accept(config);
  if (!clock.slept()) schedule();
  setInterval(() => {
    if (clock.jumped()) refresh();
    onTick();
  }, 1000);
  // Awake again, or online again: do not wait for the timer.
  window.addEventListener("online", refresh);
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) refresh();
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) refresh();
  });

  return { accept, refresh, state: () => ({ ...state, now: clock.now() }) };
}
