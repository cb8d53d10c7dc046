// The ages of the data of other instances, after that of this one. Loaded when there are some.

import { find, setAttr, setText } from "../shared/dom.js";
import { duration } from "../shared/format.js";

// A longer text would take the room of the counts.
const MAX_LENGTH = 40;

const ageOf = ({ age_seconds: age }) => duration(age || 0);
const textOf = (peer) => `${peer.name} ${peer.state === "ok" ? ageOf(peer) : peer.state}`;

// All names with their ages, or how many instances respond and the oldest age.
function shortText(peers) {
  const text = peers.map(textOf).join(" · ");
  if (text.length <= MAX_LENGTH) return text;
  const good = peers.filter(({ state }) => state === "ok");
  const oldest = Math.max(0, ...good.map(({ age_seconds: age }) => age || 0));
  const count = good.length < peers.length ? `${good.length} of ${peers.length}` : peers.length;
  return `${count} others${good.length ? ` ${duration(oldest)}` : ""}`;
}

export function drawPeers({ config: { peers } }) {
  const node = find("age");
  setText(node, `${node.textContent} · ${shortText(peers)}`);
  setAttr(node, "title", peers.map(textOf).join("\n"));
}
