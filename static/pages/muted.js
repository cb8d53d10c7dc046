// The page of the muted tiles: keeps it up to date.

import { drawAges } from "./ages.js";
import { keepLive } from "./live.js";

keepLive({ address: () => location.href, onDraw: ({ now }) => drawAges(now) });
