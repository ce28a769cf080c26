// How many numbers of an array are of which size.
import { rangeOf } from "./colors.js";
import { element, format, table } from "./dom.js";

const BINS = 41;
const [WIDTH, HEIGHT] = [246, 64];

/** The numbers in each of BINS equal parts between two numbers. */
export function countsOf(numbers, low, high) {
  const counts = new Array(BINS).fill(0);
  for (const x of numbers) {
    if (isFinite(x)) counts[Math.min(BINS - 1, Math.floor(((x - low) / (high - low || 1)) * BINS))]++;
  }
  return counts;
}

/** A histogram whose heights are logarithms, or else zeros would hide all others; and facts. */
export function histogram(numbers, what) {
  const [low, high] = rangeOf(numbers);
  const counts = countsOf(numbers, low, high);
  const canvas = element("canvas", {
    width: WIDTH,
    height: HEIGHT,
    role: "img",
    "aria-label": `histogram of the ${what}`,
  });
  const context = canvas.getContext("2d");
  const most = Math.log1p(Math.max(...counts));
  context.fillStyle = getComputedStyle(document.documentElement).getPropertyValue("--soft");
  counts.forEach((count, bin) => {
    const height = (Math.log1p(count) / most) * HEIGHT;
    context.fillRect((bin * WIDTH) / BINS, HEIGHT - height, WIDTH / BINS - 1, height);
  });
  const sum = (f) => numbers.reduce((total, x) => total + f(x), 0);
  const mean = sum((x) => x) / numbers.length;
  const std = Math.sqrt(sum((x) => (x - mean) ** 2) / numbers.length);
  const zeros = `${format((100 * sum((x) => (x === 0 ? 1 : 0))) / numbers.length, 3)} %`;
  const facts = table(
    ["count", "smallest", "mean", "std", "largest", "zeros"],
    [[String(numbers.length), low, mean, std, high, zeros]],
    `about the ${what}`,
  );
  const caption = `from ${format(low)} to ${format(high)}; heights are logarithms of counts`;
  return element("div", {}, facts, element("figure", {}, canvas, element("figcaption", {}, caption)));
}
