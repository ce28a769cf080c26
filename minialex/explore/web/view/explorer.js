// The page: choices on top, the layers below them, and what is chosen explained below these.
import { argmax } from "../engine/shape.js";
import { normalized } from "../reading.js";
import { Below } from "../steps/below.js";
import { Confusion } from "./confusion.js";
import { element, format, percent } from "./dom.js";
import { Epochs } from "./epochs.js";
import { marksOf } from "./marks.js";
import { morePictures } from "./more_pictures.js";
import { Panel } from "./panel.js";
import { Strip } from "./strip.js";
import { Tiles } from "./tiles.js";

const HELP =
  "Press a pixel, or the name of a layer. By keyboard: Tab goes from layer to layer, in its maps the arrow keys " +
  "choose a pixel, Page Up and Page Down a map, and Enter leads to the explanation; elsewhere the arrow keys lead through " +
  "the steps of what is shown below.";

export class Explorer {
  /** gallery: where more pictures come from, see more_pictures.js; null: there are no more. */
  constructor(place, state, { title, classes, reading, served }, gallery) {
    Object.assign(this, { state, classes, reading, served, gallery });
    this.strip = new Strip(state, classes, this.choose, () => this.panel.focus());
    this.panel = new Panel(state, classes, this.choose);
    this.said = element("p", { role: "status" });
    if (state.timeline) this.addTraining();
    this.below = new Below(state, classes, this.panel.element, {
      choose: this.choose,
      update: () => this.update(),
      remember: () => this.remember(),
    });
    const choices = [this.pictureChoice(), this.direction(), this.classChoice()];
    this.controls = [...choices, this.epochs?.element ?? "", this.below.choice];
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
      this.below.element,
    );
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      this.update();
      this.below.redraw();
    });
    addEventListener("hashchange", () => this.follow(state.read()));
    this.update();
  }

  /** Show the state when it is there: at once, or when minialex has computed it. */
  follow(done) {
    if (!(done instanceof Promise)) return this.update();
    this.said.textContent = "minialex computes …";
    return done.then(() => this.update(), this.say);
  }

  say = ({ message }) => (this.said.textContent = message);

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
    this.below.chosen();
    this.update();
  };

  pictureChoice() {
    this.pictures = this.state.pictures.map((_, number) => this.pictureButton(number));
    this.end = this.gallery ? this.more() : element("span");
    return element("fieldset", {}, element("legend", {}, "Picture"), ...this.pictures, this.end);
  }

  more() {
    const [, side] = this.state.network.layers[0].output;
    return morePictures(this.gallery, side, this.served?.pictures, (coming) => this.add(coming));
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
    const onclick = () => this.follow(this.state.show(number));
    return element("button", { type: "button", "aria-label": label, title: label, onclick }, tiles.canvas);
  }

  /** Show another picture, or a promise of one; one that is there already is only chosen. */
  add(picture) {
    if (picture instanceof Promise) {
      this.said.textContent = "reading the picture …";
      return picture.then((come) => this.add(come), this.say);
    }
    const { pictures } = this.state;
    const known = pictures.findIndex(({ caption, label }) => label !== null && caption === picture.caption);
    const number = known < 0 ? pictures.push(picture) - 1 : known;
    if (known < 0) {
      this.pictures.push(this.pictureButton(number));
      this.end.before(this.pictures.at(-1));
    }
    return this.follow(this.state.show(number));
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
      this.follow(this.state.loseOn(Number(this.select.value)));
    };
    const options = this.classes.map((name, i) => element("option", { value: i }, name));
    const disabled = !this.state.network.isLive;
    this.select = element("select", { id: "target", onchange, disabled }, ...options);
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
    this.askFor(state.chosen);
    this.epochs?.update();
    this.confusion?.update();
    const explanation = this.panel.explanation();
    const marks = explanation ? marksOf(state, explanation) : [];
    const field = state.chosen.at && !state.chosen.parameter ? this.fieldMarks() : [];
    this.strip.update([...marks, ...field]);
    this.strip.reveal();
    this.panel.update(explanation, marks);
    this.below.update();
    this.remember();
  }

  /** Keep what is shown in the page's address. */
  remember() {
    const { state } = this;
    if (location.protocol !== "about:") history.replaceState(null, "", state.address); // a notebook's cell has none
  }

  /** Where the page does not know what explains the chosen place, ask for it; it is shown when it has come. */
  askFor(chosen) {
    const waitingFor = JSON.stringify([this.state.picture, this.state.target, chosen]);
    if (waitingFor === this.waitingFor) return;
    const asked = this.state.network.ask(chosen);
    if (!asked) return;
    this.waitingFor = waitingFor;
    asked.then(() => this.update(), this.say).finally(() => (this.waitingFor = null));
  }

  /** What the chosen value sees of the picture, in each of its maps. */
  fieldMarks() {
    const { network, chosen, backward } = this.state;
    if (backward || chosen.layer === 0) return [];
    const field = network.receptiveField(chosen.layer, chosen.at).find(({ layer }) => layer === 0);
    return Array.from({ length: network.layers[0].output[0] }, (_, tile) => ({ ...field, tile }));
  }
}
