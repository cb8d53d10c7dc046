// Asks the server again and again, and keeps its time. Nothing here waits for a person.

const TIMEOUT_MS = 15 * 1000;
const LEAP_SECONDS = 5;

// One request at a time, and the next after its end, however it ended. What `take` and
// `lose` throw must not stop it, so the next is scheduled first.
export function keepFresh({ every, load, take, lose }) {
  let request = null;
  let timer = null;

  function schedule() {
    timer = setTimeout(refresh, every() * 1000);
  }

  async function refresh() {
    if (request) request.abort();
    clearTimeout(timer);
    const mine = new AbortController();
    request = mine;
    const giveUp = setTimeout(() => mine.abort(), TIMEOUT_MS);
    const end = await load(mine.signal).then(
      (answer) => () => take(answer),
      (error) => () => lose(error),
    );
    clearTimeout(giveUp);
    if (mine !== request) return;
    request = null;
    schedule();
    end();
  }

  return { refresh, schedule };
}

// An answer, or an error; `reason` is what our own server says of it, if it was that.
export async function get(url, options) {
  const answer = await fetch(url, { cache: "no-store", ...options });
  if (answer.ok || answer.status === 304) return answer;
  const error = new Error(`HTTP ${answer.status}`);
  error.reason = (await answer.json().catch(() => ({}))).error;
  throw error;
}

// The server's time in seconds. A stopwatch counts on from it, since the screen's own
// clock may be hours off, and be set at any time.
export function makeClock() {
  let server = 0;
  let started = 0;
  let ahead = 0;
  let slept = 0;
  const watch = () => performance.now() / 1000;
  const apart = () => Date.now() / 1000 - watch();
  return {
    now: () => server + watch() - started,
    set(time) {
      [server, started, ahead, slept] = [time, watch(), apart(), 0];
    },
    // Whether clock and stopwatch went apart: the clock was set, or, as the stopwatch
    // may stand still then, the machine slept. Only the server knows which.
    hasLeapt() {
      const leap = apart() - ahead;
      if (Math.abs(leap) < LEAP_SECONDS) return false;
      ahead += leap;
      slept = Math.max(0, slept + leap);
      return true;
    },
    // Without an answer the worse is assumed: that it slept.
    doubt() {
      server += slept;
      slept = 0;
    },
  };
}
