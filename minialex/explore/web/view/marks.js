// Which pixels are framed: the chosen one, what it is made of or where its gradient comes from, and what it sees.

/** The boxes around the places of some terms, one for each map: {layer, tile, rows, columns}. */
function boxes(terms) {
  const found = new Map();
  for (const { layer, at } of terms) {
    if (!at) continue;
    const [c, y, x] = at;
    const key = `${layer}:${c}`;
    const { rows, columns } = found.get(key) ?? { rows: [y, y], columns: [x, x] };
    const wider = ([first, last], place) => [Math.min(first, place), Math.max(last, place)];
    found.set(key, { layer, tile: c, rows: wider(rows, y), columns: wider(columns, x) });
  }
  return [...found.values()];
}

/** A box without the padding's places. */
const around = ({ layer, at: [c, y, x] }) => ({ layer, tile: c, rows: [y, y], columns: [x, x] });

/** All frames in the maps for the chosen value or weight and its explanation. */
export function marksOf({ chosen }, explanation) {
  if (!chosen.at) return [];
  return chosen.parameter ? boxes(explanation.terms) : [around(chosen), ...boxes(explanation.terms)];
}
