// The page of a summary: keeps it up to date.

import { drawAges } from "./ages.js";
import { keepLive } from "./live.js";

keepLive({ address: () => location.href.replace(/#.*/, ""), onDraw: ({ now }) => drawAges(now) });
