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
  return (x) => (isFinite(x) ? Array(3).fill((x - low) * scale) : NOT_FINITE);
}

/** Nothing for 0; orange for positive and blue for negative numbers, full for those of the largest size. */
export function twoColors(numbers) {
  const most = Math.max(...rangeOf(numbers).map(Math.abs)) || 1;
  const zero = isDark() ? [20, 20, 24] : [255, 255, 255];
  return (x) => (isFinite(x) ? mixed(zero, x < 0 ? NEGATIVE : POSITIVE, Math.abs(x) / most) : NOT_FINITE);
}

/** A colour behind text: light enough, or dark enough, for it to be read. */
export function behind(x, most) {
  const share = 0.35 * Math.min(1, Math.abs(x) / (most || 1)) || 0;
  return `rgba(${x < 0 ? NEGATIVE : POSITIVE}, ${share.toFixed(3)})`;
}
