// What places, layers and numbers are called.

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
