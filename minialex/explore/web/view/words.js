// What places, layers and numbers are called.
import { rangeOf } from "./colors.js";

/** "map 3, row 2, column 5", or "number 3" of a vector. */
export function placeText([c, y, x], [, height, width]) {
  return height * width === 1 ? `number ${c}` : `map ${c}, row ${y}, column ${x}`;
}

/** "conv1 [3, 2, 5]", for buttons that lead there. */
export function shortPlace(layer, [c, y, x]) {
  const [, height, width] = layer.output;
  return `${layer.name} [${height * width === 1 ? c : `${c}, ${y}, ${x}`}]`;
}

export function shapeText([c, height, width]) {
  return height * width === 1 ? `${c}` : `${c} × ${height} × ${width}`;
}

/** "from norm1: map 3, rows 4 to 6, columns 6 to 8", for all layers that some terms are from. */
export function fromText({ terms }, layers) {
  const places = Object.groupBy(
    terms.filter(({ at }) => at),
    ({ layer }) => layer,
  );
  const texts = Object.entries(places).map(([n, group]) => {
    const [maps, rows, columns] = [0, 1, 2].map((axis) => {
      return rangeOf(group.map(({ at }) => at[axis]));
    });
    const [, height, width] = layers[n].output;
    if (height * width === 1) return `${layers[n].name}: ${span("number", maps)}`;
    return `${layers[n].name}: ${span("map", maps)}, ${span("row", rows)}, ${span("column", columns)}`;
  });
  return texts.length ? `from ${texts.join("; ")}` : "";
}

const span = (name, [first, last]) => (first === last ? `${name} ${first}` : `${name}s ${first} to ${last}`);
