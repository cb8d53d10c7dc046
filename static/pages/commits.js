// The pages of commits: keeps them up to date, and shows a branch as soon as it is chosen.

import { drawAges } from "./ages.js";
import { keepLive } from "./live.js";

const branch = document.getElementById("branch");
if (branch) branch.addEventListener("change", () => branch.form.submit());

keepLive({ address: () => location.href, onDraw: ({ now }) => drawAges(now) });
