// Values that are there at once, or that are waited for.

/** next(value), at once or when the promise of a value is kept. */
export const after = (value, next) => (value instanceof Promise ? value.then(next) : next(value));
