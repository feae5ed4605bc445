// A point of a chart that can be dragged, or moved by the arrow keys: both its coordinates are settings.

import { element } from "./parts.js";

const STEPS = 100; // arrow keys across an axis

/** `layout.meta.point` of a figure is {x, y, names: [setting, setting], label}. */
export function showPoint(section, onChange) {
  const wanted = section.gd.layout.meta?.point;
  if (!wanted) return;
  section.point ??= createPoint(section, onChange);
  section.point.wanted = wanted;
  section.point.root.setAttribute("aria-label", wanted.label);
  if (!section.point.held) section.point.at = [wanted.x, wanted.y];
  placePoint(section);
}

function createPoint(section, onChange) {
  const root = element("div", "rv-point", { role: "slider", tabindex: "0", "aria-valuenow": 0 });
  const point = { root, held: false, at: [0, 0], wanted: null };
  const move = (at, live) => {
    const { xaxis, yaxis } = section.gd._fullLayout;
    point.at = [within(at[0], xaxis.range), within(at[1], yaxis.range)];
    placePoint(section);
    onChange(Object.fromEntries(point.wanted.names.map((name, i) => [name, point.at[i]])), live);
  };
  const under = (event) => {
    const [box, { xaxis, yaxis }] = [section.gd.getBoundingClientRect(), section.gd._fullLayout];
    return [xaxis.p2l(event.clientX - box.left - xaxis._offset), yaxis.p2l(event.clientY - box.top - yaxis._offset)];
  };
  root.addEventListener("pointerdown", (event) => {
    root.setPointerCapture(event.pointerId);
    point.held = true;
    event.preventDefault();
    root.focus();
  });
  root.addEventListener("pointermove", (event) => point.held && move(under(event), true));
  root.addEventListener("pointerup", (event) => {
    if (!point.held) return;
    point.held = false;
    move(under(event), false);
  });
  root.addEventListener("pointercancel", () => {
    point.held = false;
    move(point.at, false);
  });
  root.addEventListener("keydown", (event) => {
    const [right, up] = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key] ?? [];
    if (right === undefined) return;
    event.preventDefault();
    const { xaxis, yaxis } = section.gd._fullLayout;
    const step = ({ range }) => (range[1] - range[0]) / STEPS;
    move([point.at[0] + right * step(xaxis), point.at[1] + up * step(yaxis)], false);
  });
  section.plot.append(root);
  return point;
}

const within = (value, [low, high]) => Number(Math.min(high, Math.max(low, value)).toFixed(3));

export function placePoint(section) {
  const { xaxis, yaxis } = section.gd?._fullLayout ?? {};
  if (!section.point || !xaxis) return;
  const { root, at } = section.point;
  root.style.left = `${xaxis._offset + xaxis.l2p(at[0])}px`;
  root.style.top = `${yaxis._offset + yaxis.l2p(at[1])}px`;
  root.setAttribute("aria-valuetext", at.map((value) => value.toFixed(2)).join(", "));
}
