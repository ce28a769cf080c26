// The chosen map, the map before it and the picture, large enough to point at one pixel.
import { greys, twoColors } from "./colors.js";
import { element } from "./dom.js";
import { Tiles } from "./tiles.js";

const SIDE = 160; // pixels of a figure

function figure(caption, [, height, width], color, marks, onpick, chosen) {
  const scale = Math.max(1, Math.floor(SIDE / Math.max(height, width)));
  const label = `${caption}, enlarged: arrow keys choose a pixel`;
  const tiles = new Tiles({ count: 1, height, width, columns: 1, scale, label, onpick, chosen });
  tiles.draw(
    color,
    marks.map((mark) => ({ ...mark, tile: 0 })),
  );
  return element("figure", {}, tiles.canvas, element("figcaption", {}, caption));
}

/** One map of a layer. */
function mapFigure(state, layer, map, marks, choose) {
  const { network, backward } = state;
  const { output, name } = network.layers[layer];
  const all = backward ? network.gradients[layer] : network.values[layer];
  const area = output[1] * output[2];
  const color = backward ? twoColors(all, true) : greys(all);
  const here = marks.filter((mark) => mark.layer === layer && mark.tile === map);
  const chosen = () => [
    0,
    ...(state.chosen.layer === layer ? state.chosen.at.slice(1) : [here[0]?.rows[0] ?? 0, here[0]?.columns[0] ?? 0]),
  ];
  const onpick = (tile, y, x) => choose({ layer, at: [map, y, x] });
  return figure(`${name}, map ${map}`, output, (k) => color(all[map * area + k]), here, onpick, chosen);
}

/** The picture with what the chosen value sees of it. */
function pictureFigure(state, choose) {
  const { network, pictures, picture, chosen } = state;
  const { pixels, shape } = pictures[picture];
  const area = shape[1] * shape[2];
  const field = network.receptiveField(chosen.layer, chosen.at).find(({ layer }) => layer === 0);
  const color = (k) => [pixels[k], pixels[area + k], pixels[2 * area + k]];
  const map = chosen.layer === 0 ? chosen.at[0] : 0;
  const onpick = (tile, y, x) => choose({ layer: 0, at: [map, y, x] });
  const at = () => [0, field.rows[0], field.columns[0]];
  const caption = chosen.layer === 0 ? "the picture" : "the picture: what this number sees of it";
  return figure(caption, shape, color, [field], onpick, at);
}

/** The figures beside an explanation: from left to right as the layers. */
export function figuresOf(state, explanation, marks, choose) {
  const { chosen, network, backward } = state;
  const figures = [pictureFigure(state, choose)];
  const isMap = (layer) => network.layers[layer].output[1] * network.layers[layer].output[2] > 1;
  const [strongest] = [...explanation.terms]
    .filter(({ at }) => at)
    .sort((a, b) => Math.abs(b.product ?? 0) - Math.abs(a.product ?? 0));
  const other = strongest && isMap(strongest.layer) ? [strongest.layer, strongest.at[0]] : null;
  const own = isMap(chosen.layer) ? [chosen.layer, chosen.at[0]] : null;
  for (const shown of backward ? [own, other] : [other, own]) {
    if (shown) figures.push(mapFigure(state, ...shown, marks, choose));
  }
  return element("div", { class: "figures" }, ...figures);
}
