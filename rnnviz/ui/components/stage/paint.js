// The picture of the unrolled network at one moment of the wave, on a canvas.

import { BOX, clamp, exponentOf, flowWidth, GAP, PITCH, RAIL, raised, readAt, short, TYPE, written } from "./wave.js";

// ---- drawing --------------------------------------------------------------------------------------------------------
// A scene is { context, data, theme, plan, layout, columns, position, step, … }: everything that one picture depends on.

export function line(context, points, width, colour, dash = []) {
  context.beginPath();
  points.forEach(([x, y]) => context.lineTo(x, y));
  Object.assign(context, { lineWidth: width, strokeStyle: colour });
  context.setLineDash(dash);
  context.stroke();
  context.setLineDash([]);
}

function arrow(context, [x1, y1], [x2, y2], width, colour) {
  const length = Math.hypot(x2 - x1, y2 - y1);
  const head = Math.min(length, 3.5 + 0.85 * width);
  context.save();
  context.translate(x2, y2);
  context.rotate(Math.atan2(y2 - y1, x2 - x1));
  context.fillStyle = colour;
  context.fillRect(-length, -width / 2, length - head + 0.5, width);
  context.beginPath();
  [[0, 0], [-head, -2 - 0.6 * width], [-head, 2 + 0.6 * width]].forEach(([x, y]) => context.lineTo(x, y));
  context.fill();
  context.restore();
}

function dot(context, [x, y], radius, colour) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fillStyle = colour;
  context.fill();
}

function box(context, x, y, width, height, radius) {
  context.beginPath();
  context.roundRect(x, y, width, height, radius);
}

function write({ context, theme }, words, x, y, look = {}) {
  const { colour = theme.ink, size = TYPE.small, align = "center", weight = 400, room } = look;
  context.font = `${weight} ${size}px ${theme.font}`;
  Object.assign(context, { fillStyle: colour, textAlign: align });
  context.fillText(words, x, y, room);
  return context.measureText(words).width;
}

/** A power of ten with a raised exponent, or the plain word where there is none; centred, or to one side of x. */
function writePower(scene, log10, x, y, colour, align = "center") {
  const { context, theme } = scene;
  const [base, exponent] = [Number.isFinite(log10) ? "10" : written(log10), exponentOf(log10)];
  context.font = `400 ${TYPE.small}px ${theme.font}`;
  const width = context.measureText(base).width + 0.85 * context.measureText(exponent).width;
  const start = x - { left: 0, center: width / 2, right: width }[align];
  context.globalAlpha = 0.8; // readable over what it crosses
  context.fillStyle = theme.paper;
  context.fillRect(start - 1, y - 11, width + 2, 12);
  context.globalAlpha = 1;
  const end = start + write(scene, base, start, y, { colour, align: "left" });
  write(scene, exponent, end, y - 4, { colour, size: 0.85 * TYPE.small, align: "left" });
}

export function paint(scene) {
  const { context, layout, theme, columns } = scene;
  context.fillStyle = theme.paper;
  context.fillRect(0, 0, layout.width, layout.height);
  context.save();
  context.beginPath();
  context.rect(layout.left - 3, 0, layout.width, layout.map - 6);
  context.clip();
  columns.forEach((column) => paintUpAndDown(scene, column));
  columns.slice(1).forEach((next, index) => paintBetween(scene, columns[index], next)); // these bridge the rails
  columns.forEach((column) => (column.position === null ? paintGap : paintColumn)(scene, column));
  // A tint over everything, so that what bridges a line leaves no trace on it.
  columns.filter(({ position }) => position === scene.step).forEach(({ x }) => {
    context.globalAlpha = 0.1;
    context.fillStyle = theme.accent;
    box(context, x - 27, 1, 54, layout.step + 5, 8);
    context.fill();
    context.globalAlpha = 1;
  });
  context.restore();
  paintNames(scene);
  paintMap(scene);
}

/** The line of one connection as the forward run goes over it, with a pulse while it does. */
function paintForward({ context, theme }, from, to, filled) {
  line(context, [from, to], 5, theme.paper);
  arrow(context, from, to, 1, filled > 0 ? theme.faint : theme.grid);
  if (filled === 0 || filled === 1) return;
  const share = Math.min(1, 2 * filled); // the second half of a step belongs to the cell, which fills
  dot(context, [0, 1].map((axis) => from[axis] + (to[axis] - from[axis]) * share), 3.5, theme.accent);
}

/** The gradient on one connection, as far as it has come; its value is the total at the state where it arrives. */
function paintFlow(scene, lane, k, from, to, now, { widest = 10, label } = {}) {
  if (now <= 0) return;
  const [log10, share] = [lane.norm(k), lane.share(k)];
  const tip = [0, 1].map((axis) => from[axis] + (to[axis] - from[axis]) * now);
  const { exploding, faint } = scene.theme;
  const colour = Number.isFinite(share) ? scene.flow(share) : log10 === -Infinity ? faint : exploding;
  if (Number.isFinite(share)) arrow(scene.context, from, tip, Math.min(widest, flowWidth(share)), colour);
  else line(scene.context, [from, tip], 1, colour, [4, 3]);
  if (label && now > 0.6 && !scene.isFast) writePower(scene, log10, label.x, label.y, colour, label.align);
}

/** Where a lane runs past a box: its forward line, with the gradient's 11 and the number 28 below. */
const laneY = (stream, y, index) => y + (stream.lanes.length === 1 ? 23 : 4 + 37 * index);

/** The recurrent connections from one column to the next. */
function paintBetween(scene, column, next) {
  const { layout, plan, position } = scene;
  const from = column.position ?? next.position - 1;
  for (const { stream, y, shift } of layout.cells) {
    const k = stream.reverse ? plan.steps - from : from; // the earlier state, where the gradient arrives
    if (k < 0 || k >= plan.steps) continue;
    const ends = [column.x + shift + BOX.width / 2 + 2, next.x + shift - BOX.width / 2 - 2];
    const [earlier, later] = stream.reverse ? ends.reverse() : ends;
    const hasRoom = shift !== 0 && layout.pitch >= PITCH.withRails;
    const aside = hasRoom ? (shift > 0 ? -4 : 7) : 0; // clear of the rails
    stream.lanes.forEach((lane, index) => {
      const height = laneY(stream, y, index);
      paintForward(scene, [earlier, height], [later, height], stream.filled(k + 1, position));
      const label = { x: (earlier + later) / 2 + aside, y: height + 28 };
      paintFlow(scene, lane, k, [later, height + 11], [earlier, height + 11], stream.reached(k, position), { label });
    });
  }
}

/** A step's connections with what it reads, with the layers above and with its loss. */
function paintUpAndDown(scene, { position, x }) {
  const { layout, plan } = scene;
  if (position === null || position < 1 || position > plan.steps) return;
  layout.blocks.forEach((block, index) => {
    paintUpward(scene, block, position, x);
    paintInput(scene, block, position, x, layout.blocks[index + 1]?.ceiling ?? layout.reads - 13);
  });
}

/** A step's cells and the words above and below them. */
function paintColumn(scene, { position, x }) {
  const { context, data, theme, layout, plan, isFast } = scene;
  const isStep = position >= 1 && position <= plan.steps;
  for (const cell of layout.cells) paintCell(scene, cell, position, x);
  const k = (stream) => stream.order(position);
  const readers = plan.streams.filter((stream) => stream.isTop && isStep && stream.isRead(k(stream)));
  if (readers.length) {
    dot(context, [x, 28], 8, theme.accent);
    write(scene, "L", x, 32, { colour: theme.paper, weight: 600 });
  }
  if (isFast) return;
  const look = position === scene.step ? { weight: 600 } : { colour: theme.faint };
  write(scene, isStep ? String(position) : "start", x, layout.step, look);
  if (!isStep) return;
  write(scene, readAt(data, position), x, layout.reads, { size: TYPE.normal, room: layout.pitch - 4 });
  const isComputed = readers.every((stream) => stream.filled(k(stream), scene.position) === 1);
  if (data.losses[position - 1] && isComputed) write(scene, short(data.outputs[position - 1]), x, 14, { size: TYPE.normal });
}

/** A cell: its box, and the state of its units as squares once it has been computed. */
function paintCell(scene, { stream, shift, y }, position, middle) {
  const { context, data, theme, plan, signed, isFast } = scene;
  const k = stream.order(position);
  if (k < 0 || k > plan.steps) return;
  const [x, filled] = [middle + shift - BOX.width / 2, stream.filled(k, scene.position)];
  const isHere = position === scene.step;
  box(context, x, y, BOX.width, BOX.height, BOX.radius);
  const strokeStyle = isHere ? theme.accent : filled > 0 ? theme.faint : theme.grid;
  Object.assign(context, { fillStyle: theme.paper, strokeStyle, lineWidth: isHere ? 2 : 1 });
  context.setLineDash(k === 0 ? [3, 3] : []);
  context.fill();
  context.stroke();
  context.setLineDash([]);
  context.globalAlpha = clamp(2 * filled - 1) * (isFast ? 0.6 : 1);
  const across = data.units > 4 ? 2 : 1;
  const [width, height] = [(BOX.width - 6) / across, (BOX.height - 6) / Math.ceil(data.units / across)];
  Object.assign(context, { strokeStyle: theme.faint, lineWidth: 0.5 });
  for (let unit = 0; filled > 0.5 && unit < data.units; unit += 1) {
    const value = data.shown[stream.row(k) * data.units + unit];
    context.fillStyle = Number.isFinite(value) ? signed(value) : theme.ink;
    box(context, x + 4 + (unit % across) * width, y + 4 + Math.floor(unit / across) * height, width - 2, height - 2, 2);
    context.fill();
    context.stroke();
  }
  context.globalAlpha = 1;
}

/** From what a layer reads up to its cells; with both directions a rail leads past the lower cell to the upper one. */
function paintInput(scene, { cells }, position, middle, floor) {
  for (const { stream, shift, y } of cells) {
    const x = middle + (shift < 0 ? -RAIL : shift);
    paintForward(scene, [x, floor], [x, y + BOX.height + 2], stream.filled(stream.order(position), scene.position));
  }
}

/** From a layer's cells up to the loss or the layer above, and the gradient that comes down from there. */
function paintUpward(scene, { cells, ceiling, top }, position, middle) {
  for (const { stream, shift, y } of cells) {
    const k = stream.order(position);
    if (!stream.isRead(k)) continue;
    const x = middle + (shift > 0 ? RAIL : shift - 4);
    const down = x + (shift > 0 ? 6 : 8);
    const colour = stream.filled(k, scene.position) === 1 ? scene.theme.faint : scene.theme.grid;
    arrow(scene.context, [x, y - 2], [x, ceiling], 1, colour);
    // Only where nothing comes from a later step is the state's gradient that of this arrow.
    const isAlone = k === scene.plan.steps || stream.hidden.norm(k + 1) === -Infinity;
    const label = shift > 0 ? { x: x + 14, y: top - 12, align: "left" } : { x: x - 5, y: top - 12, align: "right" };
    const look = isAlone ? { widest: shift > 0 ? 4 : 10, label } : { widest: 2 };
    paintFlow(scene, stream.hidden, k, [down, ceiling], [down, y - 2], stream.reached(k, scene.position), look);
  }
}

/** The steps that the resting picture leaves out. */
function paintGap(scene, { x }) {
  const { context, layout, theme } = scene;
  for (const { y, shift } of layout.cells) {
    for (const aside of [-6, 0, 6]) dot(context, [x + shift + aside, y + BOX.height / 2], 1.5, theme.faint);
  }
  write(scene, String(layout.columns - layout.fitting + 1), x, layout.reads, { colour: theme.faint });
  write(scene, "steps", x, layout.step, { colour: theme.faint });
}

/** The names of the rows, at the left. */
function paintNames(scene) {
  const { context, layout, plan, theme } = scene;
  const name = (words, y) => write(scene, words, layout.left - 8, y, { colour: theme.faint, align: "right" });
  const rows = { output: 14, loss: 32, reads: layout.reads, step: layout.step, all: layout.map + 10 };
  Object.entries(rows).forEach((row) => name(...row));
  for (const { stream, y } of layout.cells) {
    stream.lanes.forEach((lane, index) => {
      name(lane.name, laneY(stream, y, index) + 3);
      name(`∂L/∂${lane.name}`, laneY(stream, y, index) + 16);
    });
    const direction = stream.reverse ? "backward" : plan.twoWay ? "forward" : "layer";
    context.save();
    context.translate(layout.left - 53, y + BOX.height / 2);
    context.rotate(-Math.PI / 2);
    if (plan.streams.length > 1) write(scene, plan.levels > 1 ? `${direction} ${stream.layer + 1}` : direction, 0, 0);
    context.restore();
  }
}

/** All steps as thin rivers, as wide and as warm or cool as the arrows, with a frame around the steps in view. */
function paintMap(scene) {
  const { context, layout, plan, theme, position, rivers, columns, first } = scene;
  const { map, left, inner } = layout;
  const { steps } = plan;
  const x = (column) => left + (column / layout.columns) * inner;
  const span = ({ reverse }, from, to) => (reverse ? [x(steps + 1 - to), x(steps + 2 - from)] : [x(from), x(to + 1)]);
  layout.cells.forEach(({ stream }, index) => {
    const top = map + index * GAP.river;
    const walk = (to, colour) => line(context, span(stream, 0, to).map((end) => [end, top + GAP.river / 2]), 1, colour);
    walk(steps, theme.grid);
    walk(clamp(position - stream.wait.forward, 0, steps), theme.faint);
    const back = clamp(position - plan.half - stream.wait.backward, 0, steps);
    const [from, to] = span(stream, back === steps ? 0 : steps - back + 1, steps);
    const [unit, width] = [rivers[index].width / inner, to - from];
    const source = [(from - left) * unit, 0, width * unit, rivers[index].height];
    if (back > 0) context.drawImage(rivers[index], ...source, from, top, width, GAP.river);
  });
  if (layout.columns <= layout.fitting) return;
  const gap = columns.findIndex((column) => column.position === null);
  const end = layout.columns - layout.fitting + gap + 1;
  const frames = gap < 0 ? [[first, first + layout.fitting]] : [[0, gap], [end, layout.columns]];
  for (const [from, to] of frames.map((frame) => frame.map(x))) {
    box(context, from, map - 1, Math.max(to - from, 4), GAP.river * plan.streams.length + 2, 3);
    Object.assign(context, { strokeStyle: theme.accent, lineWidth: 1.5 });
    context.stroke();
  }
}

/** One stream's river, drawn once. */
export function drawRiver(stream, { inner, columns }, steps, flow, ratio) {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width: Math.max(1, Math.round(inner * ratio)), height: Math.round(GAP.river * ratio) });
  const context = canvas.getContext("2d");
  for (let pixel = 0; pixel < canvas.width; pixel += 1) {
    const k = stream.order(Math.floor(((pixel + 0.5) / canvas.width) * columns));
    const share = k >= 0 && k <= steps ? stream.hidden.share(k) : NaN;
    const height = Number.isFinite(share) ? flowWidth(share) * ratio : 0;
    context.fillStyle = flow(share || 0);
    context.fillRect(pixel, (canvas.height - height) / 2, 1, height);
  }
  return canvas;
}
