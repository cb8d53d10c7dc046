// Notifications and sounds for changes of results. Loaded when the address turns them on.

import { base } from "../shared/dom.js";
import { duration } from "../shared/format.js";
import { errorLines, keyOf, nameOf, starterOf, stateOf } from "../shared/tile_text.js";
import { labelOf } from "../shared/vocabulary.js";

// In these states a tile is neither broken nor recovered.
const WITHOUT_RESULT = ["no_access", "stale", "untested"];
const NOTES = { worse: [440, 330], better: [523, 784] };
const NOTE_SECONDS = 0.35;

// Compares each response with the previous one: [{ tile, result, old }]. A tile without a result
// for a while is no change: the result from before is kept for the next comparison.
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
      const result = WITHOUT_RESULT.includes(state) ? old || tile.last_result : state;
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
  `${nameOf(tile)}, ${tile.repo}: ${labelOf(result)}, was ${labelOf(old)}`;

// "broken by #87, tomasz" or "fixed by #90, sofia, was red 2 h", as in web/pages/tile_changes.py.
const changeText = (tile, change) => [
  `${change} by #${tile[`${change}_run_number`]}`,
  starterOf(tile, change),
  change === "fixed" && tile.red_seconds && `was red ${duration(tile.red_seconds)}`,
].filter(Boolean).join(", ");

// Who broke it and why, or who fixed it. A tile that an alarm has left was fixed before, if at
// all.
function causeOf({ tile, result, old }) {
  if (result === "failing" && tile.broken_run_id) {
    const [error] = errorLines(tile, String);
    return [changeText(tile, "broken"), error].filter(Boolean).join(": ");
  }
  const isFixed = result === "passing" && old === "failing" && tile.fixed_run_id;
  return isFixed ? changeText(tile, "fixed") : "";
}

const mayNotify = () => window.Notification && Notification.permission === "granted";

function notify(changes, icon) {
  const lines = changes.map((change) => [lineOf(change), causeOf(change)].filter(Boolean));
  const isOne = lines.length === 1;
  const title = isOne ? lines[0].shift() : `${lines.length} workflows changed`;
  const body = lines.map((parts) => parts.join(", ")).join("\n");
  const options = { body, icon, tag: "ci-observer", renotify: true };
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

export function makeMessages() {
  const findChanges = makeTransitions();
  let wanted = {};
  let audio = null;
  let failure = "";

  return {
    // Only a user who turns notifications on gets the browser's permission prompt.
    configure(view, isByUser) {
      wanted = view;
      if (view.notify && isByUser && window.Notification && !mayNotify()) {
        Notification.requestPermission();
      }
      if (!view.sound || audio) return;
      audio = new AudioContext();
      for (const event of ["pointerdown", "keydown"]) {
        document.addEventListener(event, () => audio.resume());
      }
    },
    problems: () => [
      wanted.notify && !mayNotify()
        && "The browser shows no notifications: allow them for this site, over HTTPS.",
      wanted.sound && audio.state !== "running"
        && "The browser plays no sound until you click somewhere on this page.",
      failure,
    ].filter(Boolean),
    // Compares all tiles, so that a changed filter causes no announcement.
    announce(tiles, shown) {
      const changes = findChanges(tiles).filter(({ tile }) => shown.includes(tile));
      if (!changes.length) return;
      const isWorse = changes.some(({ result }) => result !== "passing");
      if (wanted.sound) play(audio, isWorse ? NOTES.worse : NOTES.better);
      if (!wanted.notify || !mayNotify()) return;
      try {
        notify(changes, `${base}static/shared/favicon-${isWorse ? "failing" : "passing"}.svg`);
      } catch (error) {
        // In Chromium on Android, pages cannot use Notification.
        failure = `The browser shows no notifications: ${error.message}`;
      }
    },
  };
}
