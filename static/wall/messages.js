// A message and two notes when something becomes better or worse. Loaded when the
// address asks for one of them.

import { keyOf, nameOf, stateOf, word } from "../shared/words.js";

const UNSURE = ["no_access", "stale"];
const NOTES = { worse: [440, 330], better: [523, 784] };
const NOTE_SECONDS = 0.35;

// Compares each answer with the one before: [{ tile, result, old }]. Data that could not
// be had for a while are no change: the result before them is kept for the next time.
function makeTransitions() {
  let known = new Map();
  return (tiles) => {
    const before = known;
    known = new Map();
    const changes = [];
    for (const tile of tiles) {
      const key = keyOf(tile);
      const old = before.get(key);
      const state = stateOf(tile);
      const result = UNSURE.includes(state) ? old || tile.last_result : state;
      known.set(key, result);
      const isNews = old !== "unknown" || result !== "passing";
      if (old && result !== old && result !== "unknown" && isNews) {
        changes.push({ tile, result, old });
      }
    }
    return changes;
  };
}

const lineOf = ({ tile, result, old }) =>
  `${nameOf(tile)}, ${tile.repo}: ${word(result)}, was ${word(old)}`;

const mayNotify = () => window.Notification && Notification.permission === "granted";

function notify(changes, icon) {
  const lines = changes.map(lineOf);
  const title = lines.length > 1 ? `${lines.length} workflows changed` : lines.shift();
  const options = { body: lines.join("\n"), icon, tag: "ci-observer", renotify: true };
  new Notification(title, options).onclick = () => window.focus();
}

function play(audio, notes) {
  notes.forEach((frequency, index) => {
    const at = audio.currentTime + index * NOTE_SECONDS;
    const note = audio.createOscillator();
    const volume = audio.createGain();
    note.frequency.value = frequency;
    volume.gain.setValueAtTime(0.3, at);
    volume.gain.exponentialRampToValueAtTime(0.001, at + NOTE_SECONDS);
    note.connect(volume).connect(audio.destination);
    note.start(at);
    note.stop(at + NOTE_SECONDS);
  });
}

export function makeMessages(base) {
  const findChanges = makeTransitions();
  let wanted = {};
  let audio = null;
  let failure = "";

  return {
    // Only who turns messages on by hand is asked by the browser for its permission.
    want(view, isByHand) {
      wanted = view;
      if (view.notify && isByHand && window.Notification && !mayNotify()) {
        Notification.requestPermission();
      }
      if (!view.sound || audio) return;
      audio = new AudioContext();
      for (const event of ["pointerdown", "keydown"]) {
        document.addEventListener(event, () => audio.resume());
      }
    },
    refusals: () => [
      wanted.notify && !mayNotify()
        && "The browser shows no messages: allow them for this site, over HTTPS.",
      wanted.sound && audio.state !== "running"
        && "The browser keeps sound off until somebody clicks here once.",
      failure,
    ].filter(Boolean),
    // All tiles are compared, so that nothing is news because a filter has changed.
    tell(tiles, shown) {
      const changes = findChanges(tiles).filter(({ tile }) => shown.includes(tile));
      if (!changes.length) return;
      const isWorse = changes.some(({ result }) => result !== "passing");
      if (wanted.sound) play(audio, isWorse ? NOTES.worse : NOTES.better);
      if (!wanted.notify || !mayNotify()) return;
      try {
        notify(changes, `${base}static/shared/favicon-${isWorse ? "failing" : "passing"}.svg`);
      } catch (error) {
        // Chromium on Android has Notification, but not for pages.
        failure = `The browser shows no messages: ${error.message}`;
      }
    },
  };
}
