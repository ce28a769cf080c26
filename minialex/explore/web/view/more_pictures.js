// Pictures of one's own: from a file, dropped anywhere, drawn, or from the data set by number.
import { drawing } from "./drawing.js";
import { element } from "./dom.js";

/**
 * gallery: {ofFile(file), ofDrawing(pixels), ofNumber(number)}, which promise a picture.
 * side: pixels of the network's input.
 * count: how many pictures of the data set can be had by number; none: there is no field for it.
 * add: called with a promise of a picture.
 */
export function morePictures(gallery, side, count, add) {
  const open = (file) => add(gallery.ofFile(file).catch((error) => Promise.reject(readable(error, file))));
  const fields = [
    fileField(open),
    element("details", {}, element("summary", {}, "draw one"), drawing(side, gallery, add)),
  ];
  if (count) fields.push(numberField(count, (number) => add(gallery.ofNumber(number))));
  return element("div", { class: "more" }, ...fields);
}

/** What a browser says of a file that is no picture helps nobody; minialex's sentences do. */
function readable(error, { name }) {
  return error.name === "Error" ? error : new Error(`${name} is no picture that this browser can read.`);
}

function fileField(open) {
  const onchange = () => field.files[0] && open(field.files[0]);
  const field = element("input", { type: "file", accept: "image/*", id: "own", onchange });
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer.files[0]) open(event.dataTransfer.files[0]);
  });
  return element("label", { for: "own" }, "one of your own ", field);
}

function numberField(count, take) {
  const field = element("input", { type: "number", id: "number", min: 0, max: count - 1, value: 0, required: true });
  const onsubmit = (event) => {
    event.preventDefault();
    take(field.valueAsNumber);
  };
  const label = element("label", { for: "number" }, `test image, 0 to ${count - 1} `);
  return element("form", { onsubmit }, label, field, element("button", { type: "submit" }, "take it"));
}
