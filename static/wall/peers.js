// The ages of the data of other instances, after that of this one. Loaded when there are some.

import { find, setAttr, setText } from "../shared/dom.js";
import { duration } from "../shared/format.js";

// A longer text would take the room of the counts, or of the buttons on a small screen.
const LARGE_SCREEN = 1500;
const maxLength = () => (innerWidth < LARGE_SCREEN ? 16 : 40);

const ageOf = ({ age_seconds: age }) => duration(age || 0);
const textOf = (peer) => `${peer.name} ${peer.state === "ok" ? ageOf(peer) : peer.state}`;

// All names with their ages, or else the oldest age, or how many instances are well.
function shortText(peers) {
  const text = peers.map(textOf).join(" · ");
  if (text.length <= maxLength()) return text;
  const good = peers.filter(({ state }) => state === "ok");
  if (good.length < peers.length) return `${good.length} of ${peers.length} others`;
  return `others ${duration(Math.max(...peers.map(({ age_seconds: age }) => age || 0)))}`;
}

export function drawPeers({ config: { peers } }) {
  const node = find("age");
  setText(node, `${node.textContent} · ${shortText(peers)}`);
  setAttr(node, "title", peers.map(textOf).join("\n"));
}
