// Refreshing: one request at a time, and the next after its end, however it ended.

const TIMEOUT_MS = 15 * 1000;

// `load` gets a signal that ends it; `take` its answer, unless a newer one was asked for.
export function refreshing({ load, take, failed, pauseSeconds }) {
  let request = null;
  let timer = null;

  async function refresh() {
    if (request) request.abort();
    clearTimeout(timer);
    const mine = new AbortController();
    request = mine;
    const giveUp = setTimeout(() => mine.abort(), TIMEOUT_MS);
    try {
      const answer = await load(mine.signal);
      if (mine === request) take(answer);
    } catch (error) {
      // What was last known stays; its age is told.
      if (mine === request) failed(error);
    } finally {
      clearTimeout(giveUp);
      if (mine === request) {
        request = null;
        timer = setTimeout(refresh, pauseSeconds() * 1000);
      }
    }
  }

  // Awake again, or online again: do not wait for the timer.
  window.addEventListener("online", refresh);
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) refresh();
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) refresh();
  });
  return refresh;
}
