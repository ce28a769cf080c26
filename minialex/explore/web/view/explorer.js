// The page: choices on top, the layers below them, and what is chosen explained below these.
import { argmax } from "../engine/shape.js";
import { normalized, pictureOf } from "../reading.js";
import { Confusion } from "./confusion.js";
import { element, format, percent } from "./dom.js";
import { Epochs } from "./epochs.js";
import { marksOf } from "./marks.js";
import { Panel } from "./panel.js";
import { Strip } from "./strip.js";
import { Tiles } from "./tiles.js";

const HELP =
  "Press a pixel, or the name of a layer. By keyboard: Tab goes from layer to layer, in its maps the arrow keys " +
  "choose a pixel, Page Up and Page Down a map, and Enter leads to the explanation.";

export class Explorer {
  constructor(place, state, { title, classes, reading }) {
    Object.assign(this, { state, classes, reading });
    this.strip = new Strip(state, classes, this.choose, () => this.panel.focus());
    this.panel = new Panel(state, classes, this.choose);
    this.said = element("p", { role: "status" });
    if (state.timeline) this.addTraining();
    this.controls = [this.pictureChoice(), this.direction(), this.classChoice(), this.epochs?.element ?? ""];
    place.append(
      element(
        "header",
        {},
        element("h1", {}, title),
        this.said,
        element("p", { class: "small" }, HELP),
        element("div", { class: "controls" }, ...this.controls),
      ),
      this.strip.element,
      this.confusion?.element ?? "",
      this.panel.element,
    );
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.update());
    addEventListener("hashchange", () => {
      state.read();
      this.update();
    });
    this.update();
  }

  /** The weights of several epochs, and what they take test pictures for. */
  addTraining() {
    const { state, classes, reading } = this;
    this.epochs = new Epochs(state.timeline, (number) => {
      state.goTo(number);
      this.update();
    });
    const open = (picture) => this.add({ ...picture, input: normalized(picture.pixels, reading) });
    this.confusion = new Confusion(state.timeline, classes, state.pictures[0].shape, reading && open);
  }

  /** Choose a layer, a value or a weight; see view/state.js. */
  choose = (chosen) => {
    this.state.chosen = chosen;
    this.update();
  };

  pictureChoice() {
    this.pictures = this.state.pictures.map((_, number) => this.pictureButton(number));
    this.end = this.reading ? this.ownPicture() : element("span");
    return element("fieldset", {}, element("legend", {}, "Picture"), ...this.pictures, this.end);
  }

  pictureButton(number) {
    const { pixels, shape } = this.state.pictures[number];
    const [, height, width] = shape;
    const scale = Math.max(1, Math.round(48 / height));
    const tiles = new Tiles({ count: 1, height, width, columns: 1, scale, gap: 0, label: "" });
    const area = height * width;
    tiles.draw((k) => [pixels[k], pixels[area + k], pixels[2 * area + k]]);
    tiles.canvas.setAttribute("aria-hidden", "true");
    const label = this.captionOf(number);
    const onclick = () => {
      this.state.show(number);
      this.update();
    };
    return element("button", { type: "button", "aria-label": label, title: label, onclick }, tiles.canvas);
  }

  /** A field for a picture of one's own, which may be dropped anywhere; it stays in this page. */
  ownPicture() {
    const onchange = () => field.files[0] && this.open(field.files[0]);
    const field = element("input", { type: "file", accept: "image/*", id: "own", onchange });
    const label = element("label", { for: "own" }, "one of your own ", field);
    addEventListener("dragover", (event) => event.preventDefault());
    addEventListener("drop", (event) => {
      event.preventDefault();
      if (event.dataTransfer.files[0]) this.open(event.dataTransfer.files[0]);
    });
    return label;
  }

  async open(file) {
    const [, side] = this.state.network.layers[0].output;
    try {
      this.add(await pictureOf(file, this.reading, side));
    } catch {
      this.said.textContent = `${file.name} is no picture that this browser can read.`;
    }
  }

  /** Show another picture; one that is there already is only chosen. */
  add(picture) {
    const { pictures } = this.state;
    const known = pictures.findIndex(({ caption, label }) => label !== null && caption === picture.caption);
    const number = known < 0 ? pictures.push(picture) - 1 : known;
    if (known < 0) {
      this.pictures.push(this.pictureButton(number));
      this.end.before(this.pictures.at(-1));
    }
    this.state.show(number);
    this.update();
  }

  captionOf(number) {
    const { caption, label } = this.state.pictures[number];
    return label === null ? caption : `${caption}: ${this.classes[label]}`;
  }

  direction() {
    const button = (text, backward) => {
      const onclick = () => {
        this.state.backward = backward;
        this.update();
      };
      return element("button", { type: "button", onclick }, text);
    };
    this.directions = [button("Forwards: values", false), button("Backwards: gradients", true)];
    return element("fieldset", {}, element("legend", {}, "Direction"), ...this.directions);
  }

  classChoice() {
    const onchange = () => {
      this.state.loseOn(Number(this.select.value));
      this.update();
    };
    const options = this.classes.map((name, i) => element("option", { value: i }, name));
    this.select = element("select", { id: "target", onchange }, ...options);
    const label = element("label", { for: "target" }, "class of the loss ");
    return element("fieldset", {}, element("legend", {}, "Loss"), label, this.select);
  }

  update() {
    const { state, classes } = this;
    const p = state.network.values[state.network.end];
    const best = argmax(p);
    this.said.textContent =
      `${this.captionOf(state.picture)}. The network says ${classes[best]}, ${percent(p[best])}. ` +
      `The loss of ${classes[state.target]} is ${format(state.loss)}.`;
    this.pictures.forEach((button, number) => button.setAttribute("aria-pressed", number === state.picture));
    this.directions.forEach((button, k) => button.setAttribute("aria-pressed", Boolean(k) === state.backward));
    this.select.value = state.target;
    this.epochs?.update();
    this.confusion?.update();
    const explanation = this.panel.explanation();
    const marks = explanation ? marksOf(state, explanation) : [];
    const field = state.chosen.at && !state.chosen.parameter ? this.fieldMarks() : [];
    this.strip.update([...marks, ...field]);
    this.strip.reveal();
    this.panel.update(explanation, marks);
    if (location.protocol !== "about:") history.replaceState(null, "", state.address); // a notebook's cell has none
  }

  /** What the chosen value sees of the picture, in each of its maps. */
  fieldMarks() {
    const { network, chosen, backward } = this.state;
    if (backward || chosen.layer === 0) return [];
    const field = network.receptiveField(chosen.layer, chosen.at).find(({ layer }) => layer === 0);
    return Array.from({ length: network.layers[0].output[0] }, (_, tile) => ({ ...field, tile }));
  }
}
