// How many numbers of an array are of which size.
import { element, format, table } from "./dom.js";

const [WIDTH, HEIGHT] = [246, 64];

/** A histogram whose heights are logarithms, or else zeros would hide all others; and facts: of engine/summary.js. */
export function histogram({ count: all, smallest, largest, mean, std, zeros, bins }, what) {
  const canvas = element("canvas", {
    width: WIDTH,
    height: HEIGHT,
    role: "img",
    "aria-label": `histogram of the ${what}`,
  });
  const context = canvas.getContext("2d");
  const most = Math.log1p(Math.max(...bins));
  context.fillStyle = getComputedStyle(document.documentElement).getPropertyValue("--soft");
  bins.forEach((count, bin) => {
    const height = (Math.log1p(count) / most) * HEIGHT;
    context.fillRect((bin * WIDTH) / bins.length, HEIGHT - height, WIDTH / bins.length - 1, height);
  });
  const facts = table(
    ["count", "smallest", "mean", "std", "largest", "zeros"],
    [[String(all), smallest, mean, std, largest, `${format((100 * zeros) / all, 3)} %`]],
    `about the ${what}`,
  );
  facts.classList.add("facts");
  const caption = `from ${format(smallest)} to ${format(largest)}; heights are logarithms of counts`;
  return element("div", {}, facts, element("figure", {}, canvas, element("figcaption", {}, caption)));
}
