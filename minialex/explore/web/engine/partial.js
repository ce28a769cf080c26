// Arrays of which only some numbers are known.

/** An array of this shape without any number: those that are unknown are undefined. */
export const partial = (shape) => ({ length: shape.reduce((all, n) => all * n, 1) });

/** Put numbers into a box of it: pairs [first, end), one for each axis. */
export function fill(array, shape, box, numbers) {
  let k = 0;
  const along = (axis, index) => {
    for (let i = box[axis][0]; i < box[axis][1]; i++) {
      const at = index * shape[axis] + i;
      if (axis + 1 < shape.length) along(axis + 1, at);
      else array[at] = numbers[k++];
    }
  };
  along(0, 0);
}
