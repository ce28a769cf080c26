// Colours of numbers: grey for values, two colours for what has a sign. [red, green, blue] of 0 to 255.

import { rangeOf } from "../engine/summary.js";

export { rangeOf };

const POSITIVE = [213, 94, 0]; // colours that people with any colour vision can tell apart (Okabe and Ito 2008)
const NEGATIVE = [0, 114, 178];
const NOT_FINITE = [204, 121, 167];

export const isDark = () => matchMedia("(prefers-color-scheme: dark)").matches;

/** Of the lines between tiles. */
export const lineColor = () => (isDark() ? [58, 58, 68] : [214, 214, 222]);

const mixed = (a, b, share) => a.map((value, k) => value + share * (b[k] - value));

/** Black for the smallest number, white for the largest. */
export function greys(numbers) {
  const [low, high] = rangeOf(numbers);
  const scale = 255 / (high - low || 1);
  const shades = Array.from({ length: 256 }, (_, shade) => [shade, shade, shade]);
  return (x) => (isFinite(x) ? shades[Math.round((x - low) * scale)] : NOT_FINITE);
}

/** The size from which on a gradient has its full colour: the largest, or 4 rms of those that are not 0, if less. */
export function fullColor(numbers) {
  let [squares, count, most] = [0, 0, 0];
  for (const x of numbers) {
    if (!isFinite(x) || x === 0) continue;
    squares += x * x;
    count++;
    most = Math.max(most, Math.abs(x));
  }
  return Math.min(most, 4 * Math.sqrt(squares / (count || 1)));
}

/** Nothing for 0; orange for positive and blue for negative numbers, full for the largest, or from fullColor on. */
export function twoColors(numbers, clipped = false) {
  const most = (clipped ? fullColor(numbers) : Math.max(...rangeOf(numbers).map(Math.abs))) || 1;
  const zero = isDark() ? [20, 20, 24] : [255, 255, 255];
  const shades = [NEGATIVE, POSITIVE].map((color) =>
    Array.from({ length: 256 }, (_, k) => mixed(zero, color, k / 255)),
  );
  const shade = (x) => Math.round(255 * Math.min(1, Math.abs(x) / most));
  return (x) => (isFinite(x) ? shades[Number(x >= 0)][shade(x)] : NOT_FINITE);
}

/** A colour behind text: light enough, or dark enough, for it to be read. */
export function behind(x, most) {
  const share = 0.35 * Math.min(1, Math.abs(x) / (most || 1)) || 0;
  return `rgba(${x < 0 ? NEGATIVE : POSITIVE}, ${share.toFixed(3)})`;
}
