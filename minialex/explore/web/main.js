// The program of the page: reads its data, computes the network, and shows it.
import { decoded } from "./data.js";
import { gradCam, occlusion } from "./engine/attention.js";
import { Network } from "./engine/network.js";
import { blockPage, tracePage } from "./steps/pages.js";
import { Explorer } from "./view/explorer.js";
import { State } from "./view/state.js";

const given = JSON.parse(document.getElementById("network").textContent);
const place = document.getElementById("explorer");
if (given.trace) tracePage(place, given);
else if (given.block) blockPage(place, given);
else explore(decoded(given));

function explore(data) {
  const network = new Network(data.layers);
  const state = new State(network, data.pictures);
  const { below } = new Explorer(place, state, data);
  globalThis.explorer = { network, state, below, gradCam, occlusion }; // for the console: explorer.network.values[1]
}
