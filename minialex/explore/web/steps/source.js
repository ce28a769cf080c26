// Lines of source, of which some are lit.
import { element } from "../view/dom.js";

/** sources: {file, lines: [[number, text], ...], unnumbered}; lit: of each {line: class}, or null for one that is not shown. */
export class Sources {
  constructor(sources) {
    this.parts = sources.map(({ file, lines, unnumbered }) => {
      const rows = lines.map(([number, text]) => {
        const row = element(
          "span",
          { class: "line" },
          unnumbered ? `${text}\n` : `${String(number).padStart(4)}  ${text}\n`,
        );
        return [number, row];
      });
      const code = element(
        "pre",
        { tabindex: 0, role: "group", "aria-label": `source of ${file}` },
        ...rows.map(([, row]) => row),
      );
      return { rows, code, element: element("section", {}, element("h3", {}, file), code) };
    });
    this.element = element("div", { class: "sources" }, ...this.parts.map((part) => part.element));
  }

  update(lit) {
    this.parts.forEach(({ rows, code, element: part }, k) => {
      const wanted = lit[k];
      part.hidden = !wanted;
      if (!wanted) return;
      let first = null;
      for (const [number, row] of rows) {
        row.className = `line ${wanted[number] ?? ""}`;
        if (wanted[number] && !first) first = row;
      }
      if (!first) return;
      const [top, height] = [first.offsetTop - code.offsetTop, code.clientHeight];
      if (top < code.scrollTop || top > code.scrollTop + height - 20) code.scrollTop = Math.max(0, top - height / 3);
    });
  }
}
