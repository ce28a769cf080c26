// The program of the page: reads its data, computes the network or is given what it computes, and shows it.
import { decoded } from "./data.js";
import { after } from "./engine/after.js";
import { gradCam, occlusion } from "./engine/attention.js";
import { Computed } from "./engine/computed.js";
import { Network } from "./engine/network.js";
import { localPictures } from "./reading.js";
import { Carried, Served, servedPictures } from "./sources.js";
import { blockPage, tracePage } from "./steps/pages.js";
import { Timeline } from "./timeline.js";
import { Explorer } from "./view/explorer.js";
import { State } from "./view/state.js";

function networkOf({ layers, pictures, results, computes }) {
  if (computes) return new Network(layers);
  return new Computed(layers, results ? new Carried(pictures, results) : new Served());
}

/** Where more pictures come from; null: the page takes none. */
function galleryOf({ served, reading, layers }) {
  if (served) return servedPictures;
  return reading && localPictures(reading, layers[0].output[1]);
}

function explore(place, data) {
  const network = networkOf(data);
  const timeline = data.timeline && new Timeline(data.timeline, data.layers);
  const state = new State(network, data.pictures, timeline);
  const shown = after(state.ready, () => {
    place.replaceChildren();
    const { below } = new Explorer(place, state, data, galleryOf(data));
    globalThis.explorer = { network, state, below, gradCam, occlusion }; // for the console: explorer.network.values[1]
  });
  if (shown instanceof Promise) {
    place.textContent = "minialex computes the first picture …";
    shown.catch((error) => {
      place.textContent = error.message;
      throw error;
    });
  }
}

const given = JSON.parse(document.getElementById("network").textContent);
const place = document.getElementById("explorer");
if (given.trace) tracePage(place, given);
else if (given.block) blockPage(place, given);
else explore(place, decoded(given));
