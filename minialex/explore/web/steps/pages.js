// Pages of their own: what the tape did, and what the threads of a block did.
import { element } from "../view/dom.js";
import { BlockView, decodedBlock } from "./block.js";
import { TraceView, decodedTrace } from "./trace.js";

const HELP = "Step: arrow keys left and right, Home and End; the slider leads to any step.";

/** "#step=12" in the address of a page; in a notebook's cell there is none. */
export function remembered(name) {
  const found = new RegExp(`[#;]${name}=(\\d+)`).exec(location.hash);
  return found ? Number(found[1]) : 0;
}

function framed(place, title, view) {
  const header = element("header", {}, element("h1", {}, title), element("p", { class: "small" }, HELP));
  place.append(header, view.element);
  const go = () => view.player.go(Math.min(remembered("step"), view.player.count - 1));
  addEventListener("hashchange", go);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => view.player.go(view.player.at));
  go();
}

const remember = (k) => {
  if (location.protocol !== "about:") history.replaceState(null, "", `#step=${k}`);
};

export function tracePage(place, { title, trace }) {
  const view = new TraceView(decodedTrace(trace), remember);
  framed(place, title, view);
  globalThis.steps = view; // for the console: steps.trace
}

export function blockPage(place, { title, block }) {
  const view = new BlockView(decodedBlock(block), remember);
  framed(place, title, view);
  globalThis.steps = view; // for the console: steps.block
}
