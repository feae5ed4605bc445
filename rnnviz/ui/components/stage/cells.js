// The squares of a phase map: one is chosen, by the pointer or the arrow keys, and opens as a page of its own.

import { element } from "./parts.js";

const NARROW = 640; // pixels; below it the panels of a map stand under each other
const HEAD = 78; // pixels above each panel for its name
const AROUND = 450; // pixels that the controls and the words need beside a map
const TALLEST = 660;

/** On a narrow page `layout.meta.panels` panels go below each other; on a wide one they fill the screen. */
export function placePanels(section, data, layout) {
  const count = layout.meta?.panels ?? 0;
  if (!count) return;
  if (section.plot.clientWidth >= NARROW) {
    layout.height = Math.max(layout.height, Math.min(innerHeight - AROUND, TALLEST));
    return;
  }
  const inner = layout.height - layout.margin.t - layout.margin.b;
  const bar = data.findLast(({ colorbar }) => colorbar)?.colorbar;
  if (bar) Object.assign(bar, { lenmode: "pixels", len: 0.62 * inner + 20, y: 1, yanchor: "top" }); // beside the first
  const one = 0.62 * inner;
  const whole = count * one + (count - 1) * HEAD;
  layout.height = whole + layout.margin.t + layout.margin.b;
  for (let i = 0; i < count; i += 1) {
    const own = i ? i + 1 : "";
    const top = 1 - (i * (one + HEAD)) / whole;
    const last = i === count - 1;
    Object.assign(layout[`xaxis${own}`], { domain: [0, 1], title: { text: last ? "weight scale" : "" } });
    Object.assign(layout[`yaxis${own}`], { domain: [top - one / whole, top], showticklabels: true, title: layout.yaxis.title });
  }
}

/** `layout.meta.cells` of a figure is {names: [of a row, of a column], rows, columns, start: [row, column]}. */
export function showCells(section) {
  const wanted = section.gd.layout.meta?.cells;
  if (!wanted) return;
  section.cells ??= createCells(section);
  section.cells.wanted = wanted;
  section.cells.choose(section.cells.at ?? [0, ...wanted.start]);
}

function createCells(section) {
  const root = element("div", "rv-cell", { role: "link", tabindex: "0" });
  const line = element("p", "rv-open", { "aria-live": "polite" });
  const said = element("span");
  const link = element("a", "", { target: "_self" }, "Open in Explore"); // a target: the stage need not look after it
  line.append(said, link);
  section.plot.append(root);
  section.plot.after(line);
  const cells = { root, at: null, wanted: null };
  const open = () => { // as if the visitor had gone there by the browser's own buttons, which Streamlit follows
    history.pushState({}, "", link.href);
    dispatchEvent(new PopStateEvent("popstate"));
  };
  cells.choose = ([panel, row, column]) => {
    const { names, rows, columns } = cells.wanted;
    const maps = mapsOf(section);
    cells.at = [within(panel, maps), within(row, rows), within(column, columns)];
    const [p, r, c] = cells.at;
    const { text, meta } = maps[p];
    const query = new URLSearchParams(meta.opens);
    for (const [name, value] of [[names[0], rows[r]], [names[1], columns[c]], ["seed", meta.seeds[r][c]]]) query.set(name, value);
    for (const [name, value] of new URLSearchParams(location.search)) if (name.startsWith("embed")) query.append(name, value);
    link.hidden = !meta.opens;
    link.href = `./?${query}`;
    said.textContent = `${text[r][c].replaceAll("<br>", " ")}. `;
    root.setAttribute("aria-label", `${said.textContent}Enter opens it in Explore, arrow keys choose another square.`);
    placeCells(section);
  };
  section.gd.on("plotly_click", ({ points: [point], event }) => {
    if (!point.data.meta?.seeds) return;
    cells.choose([mapsOf(section).indexOf(point.data), ...point.pointNumber]);
    if (!matchMedia("(pointer: coarse)").matches && !event?.shiftKey) open(); // a finger has no hover: it chooses first
  });
  link.addEventListener("click", (event) => {
    if (event.button || event.ctrlKey || event.metaKey || event.shiftKey) return; // it opens elsewhere
    event.preventDefault();
    open();
  });
  root.addEventListener("click", open);
  root.addEventListener("keydown", (event) => {
    if (event.key === "Enter") open();
    const [right, up] = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key] ?? [];
    if (right === undefined) return;
    event.preventDefault();
    const [panel, row, column] = cells.at;
    const width = cells.wanted.columns.length;
    const beyond = column + right < 0 ? -1 : column + right >= width ? 1 : 0;
    const stays = !beyond || !mapsOf(section)[panel + beyond];
    cells.choose(stays ? [panel, row + up, column + right] : [panel + beyond, row, beyond > 0 ? 0 : width - 1]);
  });
  return cells;
}

const mapsOf = (section) => section.gd.data.filter(({ meta }) => meta?.seeds);
const within = (place, list) => Math.min(list.length - 1, Math.max(0, place));

export function placeCells(section) {
  const layout = section.gd?._fullLayout;
  if (!section.cells?.at || !layout?.xaxis) return;
  const { root, at: [panel, row, column], wanted } = section.cells;
  const own = panel ? panel + 1 : "";
  const [x, y] = [layout[`xaxis${own}`], layout[`yaxis${own}`]];
  if (!x) return;
  const step = Math.log10(wanted.columns.at(-1) / wanted.columns[0]) / Math.max(1, wanted.columns.length - 1);
  const middle = Math.log10(wanted.columns[column]);
  const [left, right] = [middle - step / 2, middle + step / 2].map((at) => x.l2p(at));
  const [top, bottom] = [row + 0.5, row - 0.5].map((at) => y.l2p(at));
  root.hidden = left < -1 || right > x._length + 1 || top < -1 || bottom > y._length + 1;
  Object.assign(root.style, {
    left: `${x._offset + left}px`, top: `${y._offset + top}px`, width: `${right - left}px`, height: `${bottom - top}px`,
  });
}
