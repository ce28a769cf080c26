// A canvas to draw the network's input on, with a thick brush, by pointer or keyboard.
import { drawnOn } from "../reading.js";
import { element } from "./dom.js";

const SHOWN = 224; // pixels of the page, at most
const PAPER = "#ffffff";
const INK = "#1c1c20";
const BRUSH = 1 / 12; // of the side

/** side: pixels of the network's input; gallery, add: as of morePictures. */
export function drawing(side, gallery, add) {
  const label = "drawing: the arrow keys move the brush, with Shift they draw";
  const canvas = element("canvas", {
    width: side,
    height: side,
    tabindex: 0,
    role: "application",
    "aria-label": label,
  });
  const shown = `${Math.max(side, Math.floor(SHOWN / side) * side)}px`;
  Object.assign(canvas.style, { width: shown, height: shown, touchAction: "none" });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  Object.assign(context, { lineWidth: Math.max(1, side * BRUSH), lineCap: "round", lineJoin: "round" });
  let brush = [side / 2, side / 2];
  const color = element("input", { type: "color", value: INK, id: "brush" });

  const clear = () => {
    context.fillStyle = PAPER;
    context.fillRect(0, 0, side, side);
  };
  const lineTo = (place) => {
    context.strokeStyle = color.value;
    context.beginPath();
    context.moveTo(...brush);
    context.lineTo(...place);
    context.stroke();
    brush = place;
  };
  const placeOf = (event) => {
    const box = canvas.getBoundingClientRect();
    return [((event.clientX - box.left) * side) / box.width, ((event.clientY - box.top) * side) / box.height];
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    brush = placeOf(event);
    lineTo(brush);
  });
  canvas.addEventListener("pointermove", (event) => event.buttons && lineTo(placeOf(event)));
  canvas.addEventListener("keydown", (event) => {
    const [x, y] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key] ?? [0, 0];
    if (!x && !y) return;
    event.preventDefault();
    const step = Math.max(1, (side * BRUSH) / 2);
    const place = [brush[0] + x * step, brush[1] + y * step].map((n) => Math.max(0, Math.min(side, n)));
    if (event.shiftKey) lineTo(place);
    else brush = place;
  });
  clear();
  return element(
    "div",
    { class: "drawing" },
    canvas,
    element("label", { for: "brush" }, "colour ", color),
    element("button", { type: "button", onclick: clear }, "clear"),
    element("button", { type: "button", onclick: () => add(gallery.ofDrawing(drawnOn(canvas))) }, "show it"),
  );
}
