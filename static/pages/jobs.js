// The page of a workflow's jobs: keeps it up to date.

import { find } from "../shared/dom.js";
import { drawAges } from "./ages.js";
import { keepLive } from "./live.js";

find("branch").addEventListener("change", () => find("branch-form").submit());

keepLive({ address: () => location.href.replace(/#.*/, ""), onDraw: ({ now }) => drawAges(now) });
