// One plotly chart: drawn once, then updated in place; with a mark at the selected step and a threshold that can be dragged.

import { placeCells, placePanels, showCells } from "./cells.js";
import { element } from "./parts.js";
import { placePoint, showPoint } from "./point.js";

let library = null;

function plotly(address) {
  library ??= window.Plotly ? Promise.resolve(window.Plotly) : new Promise((resolve, reject) => {
    const script = element("script", "", { src: new URL(address, document.baseURI).href });
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => { library = null; reject(new Error("plotly.js did not load")); };
    document.head.append(script);
  });
  return library;
}

export async function drawPlot(section, chart, address, { onStep, onChange }) {
  section.wanted = chart; // the latest wins while the library loads
  const Plotly = await plotly(address).catch(() => null);
  if (!Plotly) section.plot.textContent = "The drawing library did not load. Reload the page to try again.";
  if (!Plotly || section.wanted !== chart || !section.plot.isConnected) return;
  const { data, layout } = chart.figure;
  if (matchMedia("(pointer: coarse)").matches) layout.dragmode = false; // a finger scrolls the page
  placePanels(section, data, layout);
  keepZoom(section, layout);
  if (section.dragging) holdAxes(section, layout);
  if (section.gd) await Plotly.react(section.gd, data, layout);
  else await create(Plotly, section, data, layout, onStep);
  showThreshold(section, (value, live) => onChange({ clip_threshold: value }, live));
  showPoint(section, onChange);
  showCells(section);
}

async function create(Plotly, section, data, layout, onStep) {
  section.gd = element("div", "rv-gd");
  section.mark = element("div", "rv-mark", { hidden: "" });
  section.row = element("div", "rv-row", { hidden: "" });
  section.plot.replaceChildren(section.gd, section.mark, section.row);
  await Plotly.newPlot(section.gd, data, layout, config(section));
  section.gd.on("plotly_click", ({ points: [point] }) => {
    if (countsSteps(section) && point.xaxis?._id === stepAxis(section)) onStep(Math.round(point.x));
  });
  section.gd.on("plotly_relayout", (changed) => noteZoom(section, changed));
  section.gd.on("plotly_hover", ({ points: [point] }) => showRow(section, point));
  section.gd.on("plotly_unhover", () => { section.row.hidden = true; });
  section.gd.on("plotly_afterplot", () => {
    markStep(section, section.step ?? null);
    placeThreshold(section);
    placePoint(section);
    placeCells(section);
  });
  section.resizing = new ResizeObserver(() => section.gd.offsetParent && Plotly.Plots.resize(section.gd));
  section.resizing.observe(section.plot);
}

// plotly keeps a zoom only as long as the axis is asked for unchanged; ours may end elsewhere after every change.
function noteZoom(section, changed) {
  for (const name of Object.keys(section.gd.layout).filter((key) => /^[xy]axis\d*$/.test(key))) {
    if (!Object.keys(changed).some((key) => key.startsWith(`${name}.`))) continue;
    const [asked, now] = [section.asked[name], section.gd.layout[name].range];
    section.zoomed ??= {};
    section.zoomed[name] = asked && now.some((end, i) => Math.abs(end - asked[i]) > 1e-9) ? [...now] : null;
  }
}

function keepZoom(section, layout) {
  // A copy: plotly writes a visitor's zoom into the layout that it was given.
  section.asked = Object.fromEntries(Object.entries(layout).filter(([, part]) => part?.range).map(([name, { range }]) => [name, [...range]]));
  for (const [name, range] of Object.entries(section.zoomed ?? {})) {
    if (range && layout[name]) layout[name] = { ...layout[name], range };
  }
}

/** While a threshold is dragged its axis must not move under the hand. */
function holdAxes(section, layout) {
  for (const name of Object.keys(section.asked)) {
    const now = section.gd.layout[name]?.range;
    if (now) layout[name] = { ...layout[name], range: [...now] };
  }
}

function config(section) {
  const save = (format) => ({
    name: `Download as ${format.toUpperCase()}`,
    icon: window.Plotly.Icons[format === "svg" ? "disk" : "camera"],
    click: (gd) => download(section, gd, format),
  });
  return {
    displaylogo: false,
    scrollZoom: false, // the wheel scrolls the page, over a surface too
    showSendToCloud: false, // else plotly offers to upload the chart
    modeBarButtonsToRemove: ["toImage", "select2d", "lasso2d", "autoScale2d", "zoomIn2d", "zoomOut2d"],
    modeBarButtonsToAdd: [save("png"), save("svg")],
  };
}

/** The chart with its question above it and its answer below that, as a file. */
function download(section, gd, format) {
  const chart = section.wanted;
  const title = { text: chart.question, subtitle: { text: chart.answer }, x: 0.02, xanchor: "left" };
  const margin = { ...gd.layout.margin, t: 84 };
  const figure = { data: gd.data, layout: { ...gd.layout, title, margin } };
  const size = { width: Math.max(gd.offsetWidth, 900), height: gd.offsetHeight + 72 };
  window.Plotly.downloadImage(figure, { format, filename: `rnnviz-${chart.name}`, scale: format === "png" ? 2 : 1, ...size });
}

const countsSteps = (section) => ["x", "xy", "x2"].includes(section.steps);
const stepAxis = (section) => (section.steps === "x2" ? "x2" : "x");

/** A line at a step; positions come from the axis, so nothing is laid out again. */
export function markStep(section, step) {
  section.step = step;
  if (!section.gd?._fullLayout || !countsSteps(section)) return;
  const x = section.gd._fullLayout[stepAxis(section) === "x2" ? "xaxis2" : "xaxis"];
  const y = section.gd._fullLayout[stepAxis(section) === "x2" ? "yaxis2" : "yaxis"];
  section.mark.hidden = step === null || !x || step < Math.min(...x.range) || step > Math.max(...x.range);
  if (section.mark.hidden) return;
  Object.assign(section.mark.style, {
    left: `${x._offset + x.l2p(step)}px`, top: `${y._offset}px`, height: `${y._length}px`,
  });
}

/** Over the map of losses, the row under the pointer: how far that one loss reaches. */
function showRow(section, point) {
  if (section.steps !== "xy" || point.data.type !== "heatmap") return;
  const { xaxis: x, yaxis: y } = point;
  const rows = point.data.y;
  const half = rows.length > 1 ? Math.abs(rows[1] - rows[0]) / 2 : 0.5; // a long run's map has fewer rows than steps
  const [top, bottom] = [y.l2p(point.y - half), y.l2p(point.y + half)].sort((a, b) => a - b);
  section.row.hidden = false;
  Object.assign(section.row.style, {
    left: `${x._offset}px`, width: `${x._length}px`, top: `${y._offset + top}px`, height: `${Math.max(2, bottom - top)}px`,
  });
}

// ---- the threshold

function showThreshold(section, onThreshold) {
  const shape = (section.gd.layout.shapes ?? []).find(({ name }) => name === "threshold");
  section.threshold ??= shape ? createThreshold(section, shape, onThreshold) : null;
  if (!section.threshold) return;
  section.threshold.hidden = !shape;
  if (shape && !section.dragging) section.at = upright(shape) ? shape.x0 : shape.y0;
  placeThreshold(section);
}

const upright = (shape) => shape.x0 === shape.x1;

function createThreshold(section, shape, onThreshold) {
  const handle = element("div", `rv-threshold${upright(shape) ? " rv-upright" : ""}`, {
    role: "slider", tabindex: "0", "aria-label": "Clipping threshold", "aria-valuemin": -12, "aria-valuemax": 12,
  });
  handle.append(element("span", "rv-grip", {}, "threshold"));
  const value = () => Number((10 ** section.at).toPrecision(3));
  const move = (at, live) => {
    section.at = Math.min(12, Math.max(-12, at));
    placeThreshold(section);
    onThreshold(value(), live);
  };
  handle.addEventListener("pointerdown", (event) => {
    handle.setPointerCapture(event.pointerId);
    section.dragging = true;
    event.preventDefault();
  });
  handle.addEventListener("pointermove", (event) => section.dragging && move(under(section, shape, event), true));
  handle.addEventListener("pointerup", (event) => {
    if (!section.dragging) return;
    section.dragging = false;
    move(under(section, shape, event), false);
  });
  handle.addEventListener("pointercancel", () => {
    section.dragging = false;
    move(section.at, false);
  });
  handle.addEventListener("keydown", (event) => {
    const by = { ArrowUp: 0.1, ArrowRight: 0.1, ArrowDown: -0.1, ArrowLeft: -0.1 }[event.key];
    if (!by) return;
    event.preventDefault();
    move(section.at + by, false);
  });
  section.plot.append(handle);
  return handle;
}

function under(section, shape, event) {
  const axis = section.gd._fullLayout[upright(shape) ? "xaxis" : "yaxis"];
  const box = section.gd.getBoundingClientRect();
  const at = axis.p2l((upright(shape) ? event.clientX - box.left : event.clientY - box.top) - axis._offset);
  return Math.min(axis.range[1], Math.max(axis.range[0], at));
}

function placeThreshold(section) {
  const layout = section.gd?._fullLayout;
  if (!section.threshold || section.at === undefined || !layout?.xaxis) return;
  const [x, y] = [layout.xaxis, layout.yaxis];
  const standing = section.threshold.classList.contains("rv-upright");
  const axis = standing ? x : y;
  const inside = Math.min(axis._length, Math.max(0, axis.l2p(section.at)));
  const place = standing
    ? { left: `${x._offset + inside}px`, top: `${y._offset}px`, height: `${y._length}px`, width: "" }
    : { top: `${y._offset + inside}px`, left: `${x._offset}px`, width: `${x._length}px`, height: "" };
  Object.assign(section.threshold.style, place);
  section.threshold.setAttribute("aria-valuenow", section.at.toFixed(2));
  section.threshold.setAttribute("aria-valuetext", (10 ** section.at).toPrecision(3));
}
