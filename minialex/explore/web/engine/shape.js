// Arrays of three axes (C, H, W) in C order; a vector of D numbers is (D, 1, 1).

export const size = ([channels, height, width]) => channels * height * width;

/** The index of (c, y, x) in an array of this shape. */
export const indexOf = ([, height, width], [c, y, x]) => (c * height + y) * width + x;

/** The place (c, y, x) of an index. */
export function placeOf([, height, width], index) {
  const area = height * width;
  return [Math.floor(index / area), Math.floor((index % area) / width), index % width];
}

/** Numbers are added up in double precision, and rounded once to float32. */
export const rounded = (numbers) => Float32Array.from(numbers);
export const zeros = (shape) => new Float64Array(size(shape));

/** The sum of the terms of an explanation. */
export const total = (terms) => terms.reduce((sum, term) => sum + term.product, 0);

/** "1 term", "25 terms". */
export const counted = (terms, name) => `${terms.length} ${name}${terms.length === 1 ? "" : "s"}`;

/** The index of the largest number, the first of equal ones; of NaN alone, 0. */
export const argmax = (numbers) => numbers.reduce((best, x, i) => (x > numbers[best] ? i : best), 0);
