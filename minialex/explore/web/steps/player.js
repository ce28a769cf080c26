// Play, pause, one step on or back, a slider, and the keyboard: what all that can be stepped through has in common.
import { element } from "../view/dom.js";

const PAUSES = [
  ["slow", 1500],
  ["normal", 700],
  ["fast", 200],
];
const OWN_KEYS = "input, select, canvas, pre, [role=group][tabindex]"; // these use the arrow keys themselves

let active = null; // the player that is on the page, whose keys these are

/** Arrow keys step, Home and End lead to the ends, wherever they are pressed but in what uses them itself. */
document.addEventListener("keydown", (event) => {
  if (!active?.element.isConnected || event.target.matches(OWN_KEYS)) return;
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const { at, count } = active;
  const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: count - 1 }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  active.go(to);
});

export class Player {
  /**
   * count: of the steps; onstep(k): called with the number of the step to show; label: what is stepped through.
   * describe(k): a few words on step k, for those who hear the slider.
   */
  constructor({ count, onstep, label, describe = (k) => `step ${k + 1} of ${this.count}` }) {
    Object.assign(this, { count, onstep, describe, at: 0, timer: null });
    const button = (text, onclick) => element("button", { type: "button", onclick }, text);
    this.back = button("one step back", () => this.go(this.at - 1));
    this.play = button("play", () => (this.timer ? this.stop() : this.start()));
    this.next = button("one step on", () => this.go(this.at + 1));
    const oninput = () => this.go(Number(this.slider.value));
    this.slider = element("input", {
      type: "range",
      min: 0,
      max: Math.max(0, count - 1),
      "aria-label": label,
      oninput,
    });
    this.where = element("span", { class: "small" });
    const speeds = PAUSES.map(([name, pause]) =>
      element("option", { value: pause, selected: name === "normal" }, name),
    );
    const onchange = () => this.timer && this.start();
    this.speed = element("select", { "aria-label": "speed of play", onchange }, ...speeds);
    this.element = element(
      "p",
      { class: "player" },
      ...[this.back, this.play, this.next, this.slider, this.speed, this.where],
    );
  }

  /** Show a step; beyond the ends there is none. */
  go(k) {
    if (k < 0 || k >= this.count) return this.stop();
    this.at = k;
    this.onstep(k);
    this.update();
  }

  start() {
    clearInterval(this.timer);
    if (this.at === this.count - 1) this.go(0);
    this.timer = setInterval(() => this.go(this.at + 1), Number(this.speed.value));
    this.update();
  }

  stop() {
    clearInterval(this.timer);
    this.timer = null;
    if (this.element.isConnected) this.update();
  }

  /** So many steps from now on; the one that is shown stays, as far as it exists. */
  resize(count) {
    this.count = count;
    this.slider.max = Math.max(0, count - 1);
    this.at = Math.min(this.at, Math.max(0, count - 1));
    this.update();
  }

  update() {
    active = this;
    this.play.textContent = this.timer ? "pause" : "play";
    this.slider.value = this.at;
    this.slider.setAttribute("aria-valuetext", this.describe(this.at));
    this.where.textContent = `step ${this.at + 1} of ${this.count}`;
    this.back.setAttribute("aria-disabled", this.at === 0);
    this.next.setAttribute("aria-disabled", this.at === this.count - 1);
  }
}
