/**
 * The network unrolled over its steps: its states fill forward in time, then the gradient comes back from the loss.
 *
 * A position on the timeline runs from 0 over the forward steps to the end of the backward wave. Every picture is a
 * function of that position alone, so that play, scrub and step back are one thing. Nothing here asks the server.
 */

const DECADES = 6; // a norm that changed this much since the loss has the end colour and the end width
const MOST_STREAMS = 4; // more rows than this do not fit above the fold: the lower layers are left out
const FLICKER = 0.5; // a window crossed in fewer seconds stands still, and only what is in its boxes runs
const SLOWEST = 8; // steps per second with which a long wave sets off and arrives
const CALM_PER_SECOND = 3; // pictures per second for readers who asked for reduced motion

// Sizes in pixels at scale 1; a projector's scale multiplies the canvas as a whole.
const PITCH = { least: 58, withRails: 68, most: 132 };
const BOX = { width: 27, height: 70, radius: 7 };
const GAP = { output: 70, layers: 42, directions: 14, river: 12 };
const SHIFT = 6; // forward cells stand left and backward cells right of their step, which leaves room for rails
const RAIL = 14; // how far from the step's middle a rail passes beside the other direction's cell
const TYPE = { small: 11, normal: 13 };

const clamp = (value, least = 0, most = 1) => Math.min(most, Math.max(least, value));

// ---- numbers as people write them -----------------------------------------------------------------------------------

const fixed = (value, digits) => value.toFixed(digits).replace(/^-(?=[0.]*$)/, "").replace("-", "−");
const raised = (text) => text.replace(/./g, (sign) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["−0123456789".indexOf(sign)]);

function short(value) {
  if (!Number.isFinite(value)) return String(value).replace("Infinity", "∞").replace("-", "−");
  return Math.abs(value) < 1e4 ? fixed(value, Math.abs(value) < 10 ? 2 : 0) : value.toExponential(0).replace("-", "−");
}

/** A norm from its log10: 3.1·10⁻⁴. */
function written(log10) {
  if (Number.isNaN(log10)) return "NaN";
  if (log10 > -1 && log10 < 3) return fixed(10 ** log10, log10 < 1 ? 2 : 0);
  if (!Number.isFinite(log10)) return log10 < 0 ? "0" : "∞";
  const exponent = Math.floor(log10 + 0.02); // 9.95 and more would be written 10.0
  return `${fixed(10 ** (log10 - exponent), 1)}·10${raised(fixed(exponent, 0))}`;
}

const readAt = ({ inputs }, step) => (inputs[step - 1] === " " ? "␣" : inputs[step - 1]);
const exponentOf = (log10) => (Number.isFinite(log10) ? fixed(log10, Math.abs(log10) < 9.95 ? 1 : 0) : "");

// ---- colour and width -----------------------------------------------------------------------------------------------

/** From −1 … 1 to a colour between three; a table, because it is asked thousands of times a second. */
function ramp(...colours) {
  const [low, middle, high] = colours.map((hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)));
  const table = Array.from({ length: 129 }, (_, index) => {
    const share = index / 64 - 1;
    const mixed = middle.map((from, channel) => from + ((share < 0 ? low : high)[channel] - from) * Math.abs(share));
    return `rgb(${mixed.map(Math.round).join(",")})`;
  });
  return (share) => table[Math.round(64 * clamp(share, -1, 1)) + 64];
}

const flowWidth = (share) => 5.5 + 4.5 * clamp(share, -1, 1);

// ---- what happens when ----------------------------------------------------------------------------------------------

/**
 * Which states are there, and which gradients have come, at each position.
 *
 * `k` counts a stream's states in the order in which it walks; 0 is its initial state. The layers of a one-way network
 * run together. With both directions a layer has to wait for the whole layer below: each has a sweep of its own.
 */
function plan(data) {
  const { steps } = data;
  const layers = [...new Set(data.streams.map(({ layer }) => layer))].sort((a, b) => a - b);
  const twoWay = data.streams.some(({ reverse }) => reverse);
  const kept = layers.slice(twoWay ? -MOST_STREAMS / 2 : -MOST_STREAMS);
  const half = twoWay ? steps * kept.length : steps;
  // Each direction's own last state: the backward one's stands at step 1.
  const readsFinals = twoWay && data.headReads === "final_states" && !data.losses.slice(1, -1).includes(1);

  const streams = data.streams.map(({ reverse, layer }, index) => {
    const level = kept.indexOf(layer);
    const isTop = level === kept.length - 1;
    const wait = twoWay ? { forward: level * steps, backward: (kept.length - 1 - level) * steps } : { forward: 0, backward: 0 };
    const row = (k) => index * (steps + 1) + (reverse ? steps - k : k);
    const position = (k) => (reverse ? steps + 1 - k : k);
    const lanes = [["c", data.cellNorms], ["h", data.norms]].filter(([, norms]) => norms).map(([name, norms]) => {
      const norm = (k) => norms[row(k)];
      let source = steps; // the loss may come earlier on the walk than its end
      while (source > 1 && !Number.isFinite(norm(source))) source -= 1;
      return { name, norm, share: (k) => (norm(k) - norm(source)) / DECADES };
    });
    return {
      reverse, layer, level, isTop, wait, row, position, lanes, hidden: lanes.at(-1), order: position, // its own inverse
      isRead: (k) => !isTop || (k > 0 && (readsFinals ? k === steps : data.losses[position(k) - 1] === 1)),
      filled: (k, now) => (k === 0 ? 1 : clamp(now - wait.forward - k + 1)),
      // The initial state receives its gradient together with the first step.
      reached: (k, now) => clamp(now - half - wait.backward - steps + Math.max(k, 1)),
    };
  }).filter(({ level }) => level >= 0);

  const stepAt = (now) => {
    const walked = (Math.max(1, Math.ceil(now > half ? now - half : now)) - 1) % steps;
    return now > half ? steps - walked : walked + 1;
  };
  return { streams, steps, half, end: 2 * half, twoWay, layers, levels: kept.length, stepAt };
}

/** Steps per second: the whole takes 6 to 12 seconds, and a fast wave sets off, turns and arrives slowly. */
function speedAt({ steps, half, end }, now) {
  const cruise = end / clamp(6 + 2 * Math.log10(steps / 25), 6, 8);
  return Math.min(cruise, SLOWEST + 5 * Math.min(now, Math.abs(now - half), end - now));
}

// ---- what stands where ----------------------------------------------------------------------------------------------

/** Rows of boxes with the top layer on top and forward above backward; columns as wide as the room allows. */
function arrange({ streams, steps, twoWay, levels }, width) {
  const gutter = streams.length > 1 ? 64 : 48;
  const blocks = [];
  let y = GAP.output;
  for (let level = levels - 1; level >= 0; level -= 1) {
    const members = streams.filter((stream) => stream.level === level).sort((a, b) => a.reverse - b.reverse);
    const top = y;
    const cells = members.map((stream, index) => {
      const shift = twoWay ? (stream.reverse ? SHIFT : -SHIFT) : 0;
      return { stream, shift, y: top + index * (BOX.height + GAP.directions) };
    });
    y = cells.at(-1).y + BOX.height;
    blocks.push({ cells, isTop: blocks.length === 0, ceiling: blocks.length ? top - GAP.layers + 18 : 38, top });
    y += level > 0 ? GAP.layers : 0;
  }
  const [reads, step, map] = [y + 36, y + 54, y + 70];
  const columns = steps + (twoWay ? 2 : 1);
  const room = width - gutter - 4;
  const least = twoWay && width > 600 ? PITCH.withRails : PITCH.least; // a phone has to see some steps, too
  const fitting = Math.max(3, Math.floor(room / least));
  const pitch = Math.min(PITCH.most, room / Math.min(columns, fitting));
  const inner = pitch * Math.min(columns, fitting);
  const height = map + GAP.river * streams.length + 4;
  return { blocks, reads, step, map, left: gutter + (room - inner) / 2, inner, columns, fitting, pitch, width, height };
}

/** The resting picture of a long sequence: its beginning, a gap (null), its end. */
function abridged({ columns, fitting }) {
  const before = fitting >> 1;
  return Array.from({ length: fitting }, (_, slot) => (slot < before ? slot : slot > before ? columns - fitting + slot : null));
}

/** The columns to draw, each with the x of its middle; those half outside the window too. */
function columnsInView(layout, first, isAbridged) {
  const { columns, fitting, pitch, left } = layout;
  const place = (position, slot) => ({ position, x: left + (slot + 0.5) * pitch });
  if (isAbridged) return abridged(layout).map(place);
  const start = Math.max(0, Math.floor(first) - 1);
  const stop = Math.min(columns, Math.ceil(first + fitting) + 1);
  return Array.from({ length: stop - start }, (_, index) => place(start + index, start + index - first));
}

// ---- drawing --------------------------------------------------------------------------------------------------------
// A scene is { context, data, theme, plan, layout, columns, position, step, … }: everything that one picture depends on.

function line(context, points, width, colour, dash = []) {
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

function write({ context, theme }, words, x, y, { colour = theme.ink, size = TYPE.small, align = "center", weight = 400, room } = {}) {
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

function paint(scene) {
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
  const colour = Number.isFinite(share) ? scene.flow(share) : Number.isNaN(log10) ? scene.theme.exploding : scene.theme.faint;
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
  for (const { stream, y, shift } of layout.blocks.flatMap(({ cells }) => cells)) {
    const k = stream.reverse ? plan.steps - from : from; // the earlier state, where the gradient arrives
    if (k < 0 || k >= plan.steps) continue;
    const ends = [column.x + shift + BOX.width / 2 + 2, next.x + shift - BOX.width / 2 - 2];
    const [earlier, later] = stream.reverse ? ends.reverse() : ends;
    const aside = shift === 0 ? 0 : shift > 0 ? -4 : 7; // clear of the rails
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
  for (const block of layout.blocks) for (const cell of block.cells) paintCell(scene, cell, position, x);
  const k = (stream) => stream.order(position);
  const readers = layout.blocks[0].cells.map(({ stream }) => stream).filter((stream) => isStep && stream.isRead(k(stream)));
  if (readers.length) {
    dot(context, [x, 28], 8, theme.accent);
    write(scene, "L", x, 32, { colour: theme.paper, weight: 600 });
  }
  if (isFast) return;
  write(scene, isStep ? String(position) : "start", x, layout.step, position === scene.step ? { weight: 600 } : { colour: theme.faint });
  if (!isStep) return;
  write(scene, readAt(data, position), x, layout.reads, { size: TYPE.normal, room: layout.pitch - 4 });
  const hasOutput = data.losses[position - 1] && readers.every((stream) => stream.filled(k(stream), scene.position) === 1);
  if (hasOutput) write(scene, short(data.outputs[position - 1]), x, 14, { size: TYPE.normal });
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
  for (const { y, shift } of layout.blocks.flatMap(({ cells }) => cells)) {
    for (const aside of [-6, 0, 6]) dot(context, [x + shift + aside, y + BOX.height / 2], 1.5, theme.faint);
  }
  write(scene, String(layout.columns - layout.fitting + 1), x, layout.reads, { colour: theme.faint });
  write(scene, "steps", x, layout.step, { colour: theme.faint });
}

/** The names of the rows, at the left. */
function paintNames(scene) {
  const { context, layout, plan, theme } = scene;
  const name = (words, y) => write(scene, words, layout.left - 8, y, { colour: theme.faint, align: "right" });
  [["output", 14], ["loss", 32], ["reads", layout.reads], ["step", layout.step], ["all", layout.map + 10]].forEach((row) => name(...row));
  for (const { stream, y } of layout.blocks.flatMap(({ cells }) => cells)) {
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
  const { context, layout, plan, theme, position, rivers, columns } = scene;
  const { map, left, inner } = layout;
  const { steps } = plan;
  const x = (column) => left + (column / layout.columns) * inner;
  const span = ({ reverse }, from, to) => (reverse ? [x(steps + 1 - to), x(steps + 2 - from)] : [x(from), x(to + 1)]);
  plan.streams.forEach((stream, index) => {
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
  for (const part of gap < 0 ? [columns] : [columns.slice(0, gap), columns.slice(gap + 1)]) {
    const [from, to] = [x(part[0].position), x(part.at(-1).position + 1)];
    box(context, from, map - 1, Math.max(to - from, 4), GAP.river * plan.streams.length + 2, 3);
    Object.assign(context, { strokeStyle: theme.accent, lineWidth: 1.5 });
    context.stroke();
  }
}

/** One stream's river, drawn once. */
function drawRiver(stream, { inner, columns }, steps, flow, ratio) {
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

// ---- the elements around the picture --------------------------------------------------------------------------------

function element(parent, tag, className, attributes = {}, words = "") {
  const made = parent.appendChild(document.createElement(tag));
  Object.entries({ class: className, ...attributes }).forEach(([name, value]) => made.setAttribute(name, value));
  if (words) made.textContent = words;
  return made;
}

function dress(button, icon, label) {
  button.dataset.icon = icon;
  Object.assign(button, { ariaLabel: label, title: label });
}

function build(host) {
  const root = element(host, "div", "u-root");
  const canvas = element(root, "canvas", "u-canvas", { role: "img" });
  const readout = element(root, "p", "u-readout", { "aria-hidden": "true" });
  const controls = element(root, "div", "u-controls", { role: "group", "aria-label": "Play the unrolled network" });
  const labels = { reset: "Reset (Backspace)", back: "Step back (←)", play: "Play (Space)", forward: "Step (→)" };
  const buttons = Object.fromEntries(Object.entries(labels).map(([name, label]) => {
    const button = element(controls, "button", "u-button", { type: "button" });
    dress(button, name, label);
    return [name, button];
  }));
  const track = element(controls, "div", "u-track");
  const range = element(track, "input", "u-range", { type: "range", min: 0, step: 1, "aria-label": "Position in time" });
  element(track, "span", "u-phase", { "aria-hidden": "true" }, "forward: states");
  element(track, "span", "u-phase", { "aria-hidden": "true" }, "backward: gradient");
  const key = element(controls, "p", "u-key");
  element(key, "span", "", {}, "since the loss ÷10⁶");
  element(key, "span", "u-wedge", { "aria-hidden": "true" });
  element(key, "span", "", {}, "×10⁶");
  const note = element(root, "p", "u-note");
  const live = element(root, "p", "u-live", { "aria-live": "polite" });
  return { root, canvas, readout, buttons, range, note, live };
}

/** The line under the picture: names, and functions from a step and a position to the values. */
function readings(data, { streams }) {
  const units = data.units === 1 ? "h₁" : `h₁…${"₀₁₂₃₄₅₆₇₈"[data.units]}`; // the data holds no more of them
  const tops = streams.filter(({ isTop }) => isTop);
  return [["Step", String], ["reads", (step) => readAt(data, step)], ...tops.flatMap((stream) => {
    const direction = tops.length === 1 ? "" : stream.reverse ? "← " : "→ ";
    const size = (k) => Math.hypot(...data.shown.subarray(stream.row(k) * data.units, (stream.row(k) + 1) * data.units));
    const when = (known, value) => (step, now) => (known(stream.order(step), now) === 1 ? value(stream.order(step)) : "–");
    return [
      [`${direction}‖${units}‖`, when(stream.filled, (k) => written(Math.log10(size(k))))],
      ...stream.lanes.map(({ name, norm }) => [`${direction}‖∂L/∂${name}‖`, when(stream.reached, (k) => written(norm(k)))]).reverse(),
    ];
  })];
}

/** What the picture shows, in a sentence. */
function takeaway(data, { streams, steps, twoWay }) {
  const ways = streams.filter(({ isTop }) => isTop).map((stream) => {
    const value = (k) => exponentOf(stream.hidden.norm(k)) || (Number.isNaN(stream.hidden.norm(k)) ? "not a number" : "−∞");
    const source = Array.from({ length: steps }, (_, index) => steps - index).find(stream.isRead);
    const direction = twoWay ? `${stream.reverse ? "backward" : "forward"} direction ` : "";
    return `${direction}${source ? `${value(source)} at the loss, ` : ""}${value(1)} at step ${stream.position(1)}`;
  });
  return `Backward wave of ${data.label} over ${steps} ${steps === 1 ? "step" : "steps"}: log10 norm ${ways.join("; ")}`;
}

// ---- the component --------------------------------------------------------------------------------------------------

/** Fills `host` with the picture and its controls; `onSelect(step)` hears where the reader goes. */
export function createUnrolled(host, onSelect) {
  const { root, canvas, readout, buttons, range, note, live } = build(host);
  const ended = new AbortController();
  const prefersCalm = window.matchMedia("(prefers-reduced-motion: reduce)");
  const scene = { context: canvas.getContext("2d"), position: 0, first: 0, isFast: false };
  let isPlaying = false;
  let isVisible = true;
  let marked = null; // a step that the reader looks at, apart from where the wave is
  let reported = null;
  let target = 0; // the column at which the window will begin
  let values = [];
  let frame = 0;
  let before = 0;
  let speaking = 0;

  const current = () => marked ?? scene.plan.stepAt(scene.position);

  /** Keeps the step in the window: page by page, or in the middle of boxes that stand still where pages would flicker. */
  function follow(seconds) {
    const { layout, plan, position } = scene;
    const { columns, fitting } = layout;
    const step = current();
    const isFast = isPlaying && columns > fitting && fitting < FLICKER * speedAt(plan, position);
    const lead = isFast || !isPlaying ? fitting >> 1 : position > plan.half ? fitting - 2 : 1;
    if (isFast || step < target + 1 || step > target + fitting - 2) target = step - lead;
    target = clamp(target, 0, Math.max(0, columns - fitting));
    const first = isPlaying && !isFast ? target + (scene.first - target) * Math.exp(-seconds / 0.07) : target;
    const isResting = !isPlaying && position === plan.end && columns > fitting;
    const isAbridged = isResting && (marked === null || abridged(layout).includes(marked));
    Object.assign(scene, { step, isFast, first, columns: columnsInView(layout, first, isAbridged) });
  }

  function render(seconds = 0) {
    if (!scene.layout) return;
    follow(seconds);
    paint(scene);
    values.forEach(({ shown, value }) => { shown.textContent = value(scene.step, scene.position); });
    range.value = scene.position;
  }

  /** A screen reader hears where the reader has come to rest, not every frame. */
  function speak() {
    live.textContent = [...readout.children].map((item) => item.textContent).join(" · ");
    range.setAttribute("aria-valuetext", `${scene.position > scene.plan.half ? "backward" : "forward"}, step ${scene.step}`);
  }

  function settle(seconds) {
    render(seconds);
    clearTimeout(speaking);
    speaking = setTimeout(speak, 600);
    if (reported !== current()) onSelect((reported = current()));
  }

  function moveTo(position, seconds = 0) {
    marked = null;
    scene.position = clamp(position, 0, scene.plan.end);
    settle(seconds);
  }

  function play(wanted) {
    isPlaying = wanted;
    dress(buttons.play, wanted ? "pause" : "play", wanted ? "Pause (Space)" : "Play (Space)");
    if (wanted) moveTo(scene.position === scene.plan.end ? 0 : scene.position);
    else render();
    wake();
  }

  function wake() {
    cancelAnimationFrame(frame);
    before = performance.now();
    if (isPlaying && isVisible && !document.hidden) frame = requestAnimationFrame(tick);
  }

  function tick(now) {
    frame = requestAnimationFrame(tick);
    const seconds = (now - before) / 1000;
    const { plan, position } = scene;
    const isCalm = prefersCalm.matches;
    if (seconds <= 0 || (isCalm && seconds < 1 / CALM_PER_SECOND)) return;
    before = now;
    const calmStep = Math.ceil(plan.end / (12 * CALM_PER_SECOND));
    const next = isCalm ? Math.floor(position) + calmStep : position + speedAt(plan, position) * Math.min(seconds, 0.1);
    moveTo(next, seconds);
    if (scene.position === plan.end) play(false);
  }

  function jump(position) {
    if (isPlaying) play(false);
    moveTo(position);
  }

  const commands = {
    play: () => play(!isPlaying),
    reset: () => jump(0),
    forward: () => jump(Math.floor(scene.position) + 1),
    back: () => jump(Math.ceil(scene.position) - 1),
  };
  const keys = { " ": "play", ArrowRight: "forward", ArrowLeft: "back", Backspace: "reset" };

  function onKey(event) {
    const command = keys[event.key];
    const isButtonsOwn = event.key === " " && event.target.tagName === "BUTTON";
    if (!command || isButtonsOwn || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation(); // the page has shortcuts of its own
    commands[command]();
  }

  /** A click on a cell looks at its step; in the map, a drag moves the window. */
  function onPointer(event) {
    if (!scene.layout || (event.type === "pointermove" && !canvas.hasPointerCapture(event.pointerId))) return;
    const { layout, plan, theme, columns } = scene;
    const bounds = canvas.getBoundingClientRect();
    const [x, y] = [(event.clientX - bounds.left) / theme.scale, (event.clientY - bounds.top) / theme.scale];
    const isInMap = canvas.hasPointerCapture(event.pointerId) || y > layout.map - 6;
    const nearest = columns.find((column) => Math.abs(column.x - x) <= layout.pitch / 2)?.position;
    const position = isInMap ? Math.floor(((x - layout.left) / layout.inner) * layout.columns) : nearest;
    if (position === undefined || position === null) return;
    if (isPlaying) play(false);
    marked = clamp(position, 1, plan.steps);
    if (isInMap) {
      canvas.setPointerCapture(event.pointerId);
      target = marked - (layout.fitting >> 1);
    }
    settle();
  }

  function resize() {
    const { data, theme, plan } = scene;
    const width = root.clientWidth / (theme?.scale ?? 1);
    if (!data || width === 0) return;
    scene.layout = arrange(plan, width);
    const ratio = theme.scale * window.devicePixelRatio;
    canvas.style.height = `${scene.layout.height * theme.scale}px`;
    Object.assign(canvas, { width: Math.round(width * ratio), height: Math.round(scene.layout.height * ratio) });
    scene.context.scale(ratio, ratio);
    scene.rivers = plan.streams.map((stream) => drawRiver(stream, scene.layout, plan.steps, scene.flow, ratio));
    render();
  }

  function update(data, theme) {
    const next = plan(data);
    const isSameTime = scene.plan?.end === next.end && scene.plan.steps === next.steps;
    const largest = data.shown.reduce((most, value) => (Number.isFinite(value) ? Math.max(most, Math.abs(value)) : most), 1);
    const sign = ramp(theme.negative, theme.zero, theme.positive);
    const flow = ramp(theme.vanishing, theme.steady, theme.exploding);
    Object.assign(scene, { data, theme, plan: next, flow, signed: (value) => sign(Math.sign(value) * Math.sqrt(Math.abs(value) / largest)) });
    for (const name of ["ink", "paper", "faint", "grid", "accent", "vanishing", "steady", "exploding", "font", "scale"]) {
      host.style.setProperty(`--${name}`, theme[name]);
    }
    canvas.setAttribute("aria-label", takeaway(data, next));
    range.max = next.end;
    const { layers, levels } = next;
    note.textContent = levels < layers.length ? `The top ${levels} of ${layers.length} layers are drawn.` : "";
    readout.replaceChildren();
    values = readings(data, next).map(([name, value]) => {
      const item = element(readout, "span", "u-item", {}, `${name} `);
      return { value, shown: element(item, "b", "u-value") };
    });
    if (!isSameTime) {
      [scene.position, marked, reported] = [next.end, null, null];
      if (isPlaying) play(false);
    }
    resize();
  }

  function select(step, silent) {
    if (isPlaying || !scene.plan) return; // an echo of the wave must not hold it up
    marked = step === null ? null : clamp(step, 1, scene.plan.steps);
    if (silent) reported = current();
    settle();
  }

  function destroy() {
    isPlaying = false;
    cancelAnimationFrame(frame);
    clearTimeout(speaking);
    ended.abort();
    observers.forEach((observer) => observer.disconnect());
    host.replaceChildren();
  }

  const listen = (target, type, heard) => target.addEventListener(type, heard, { signal: ended.signal });
  Object.entries(commands).forEach(([name, command]) => listen(buttons[name], "click", command));
  listen(range, "input", () => jump(Number(range.value)));
  listen(host, "keydown", onKey);
  listen(canvas, "pointerdown", onPointer);
  listen(canvas, "pointermove", onPointer);
  listen(document, "visibilitychange", wake);
  const seen = new IntersectionObserver((entries) => { isVisible = entries.at(-1).isIntersecting; wake(); });
  const sized = new ResizeObserver(resize);
  const observers = [seen, sized];
  seen.observe(root);
  sized.observe(root);
  return { update, select, destroy };
}
