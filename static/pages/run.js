// The page of one run: keeps its times and its jobs up to date.

import { drawAges } from "./ages.js";
import { keepLive } from "./live.js";

keepLive({ address: () => location.href.replace(/#.*/, ""), onDraw: ({ now }) => drawAges(now) });
