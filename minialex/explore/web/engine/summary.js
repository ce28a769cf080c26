// How many numbers of an array are of which size.
const BINS = 41; // as in encoding.py

/** The smallest and the largest finite number. */
export function rangeOf(numbers) {
  let [low, high] = [Infinity, -Infinity];
  for (const x of numbers) {
    if (x < low && x > -Infinity) low = x;
    if (x > high && x < Infinity) high = x;
  }
  return low <= high ? [low, high] : [0, 0];
}

/** The numbers in each of BINS equal parts between two numbers. */
export function countsOf(numbers, low, high) {
  const counts = new Array(BINS).fill(0);
  for (const x of numbers) {
    if (isFinite(x)) counts[Math.min(BINS - 1, Math.floor(((x - low) / (high - low || 1)) * BINS))]++;
  }
  return counts;
}

/** {count, smallest, largest, mean, std, zeros, bins}; see encoding.py. */
export function summaryOf(numbers) {
  const [smallest, largest] = rangeOf(numbers);
  const sum = (f) => numbers.reduce((total, x) => total + f(x), 0);
  const mean = sum((x) => x) / numbers.length;
  const std = Math.sqrt(sum((x) => (x - mean) ** 2) / numbers.length);
  const zeros = sum((x) => (x === 0 ? 1 : 0));
  return { count: numbers.length, smallest, largest, mean, std, zeros, bins: countsOf(numbers, smallest, largest) };
}
