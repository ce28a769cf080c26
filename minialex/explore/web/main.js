// The program of the page: reads its data, computes the network, and shows it.
import { decoded } from "./data.js";
import { gradCam, occlusion } from "./engine/attention.js";
import { Network } from "./engine/network.js";
import { Timeline } from "./timeline.js";
import { Explorer } from "./view/explorer.js";
import { State } from "./view/state.js";

const data = decoded(JSON.parse(document.getElementById("network").textContent));
const network = new Network(data.layers);
const timeline = data.timeline && new Timeline(data.timeline, data.layers);
const state = new State(network, data.pictures, timeline);
new Explorer(document.getElementById("explorer"), state, data);
globalThis.explorer = { network, state, gradCam, occlusion }; // for the console: explorer.network.values[1]
