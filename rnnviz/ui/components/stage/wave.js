// The plan of a wave through the unrolled network: when what happens, where it stands, and how large it looks.

const DECADES = 6; // a norm that changed this much since the loss has the end colour and the end width
const MOST_STREAMS = 4; // more rows than this do not fit above the fold: the lower layers are left out
export const FLICKER = 0.5; // a window crossed in fewer seconds stands still, and only what is in its boxes runs
const SLOWEST = 8; // steps per second with which a long wave sets off and arrives
export const CALM_PER_SECOND = 3; // pictures per second for readers who asked for reduced motion

// Sizes in pixels at scale 1; a projector's scale multiplies the canvas as a whole.
export const PITCH = { least: 58, withRails: 68, most: 132 };
export const BOX = { width: 27, height: 70, radius: 7 };
export const GAP = { output: 70, layers: 42, directions: 14, river: 12 };
const SHIFT = 6; // forward cells stand left and backward cells right of their step, which leaves room for rails
export const RAIL = 14; // how far from the step's middle a rail passes beside the other direction's cell
export const TYPE = { small: 11, normal: 13 };

export const clamp = (value, least = 0, most = 1) => Math.min(most, Math.max(least, value));

// ---- numbers as people write them -----------------------------------------------------------------------------------

const fixed = (value, digits) => value.toFixed(digits).replace(/^-(?=[0.]*$)/, "").replace("-", "−");
export const raised = (text) => text.replace(/./g, (sign) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["−0123456789".indexOf(sign)]);

export function short(value) {
  if (!Number.isFinite(value)) return String(value).replace("Infinity", "∞").replace("-", "−");
  return Math.abs(value) < 1e4 ? fixed(value, Math.abs(value) < 10 ? 2 : 0) : value.toExponential(0).replace("-", "−");
}

/** A norm from its log10: 3.1·10⁻⁴. */
export function written(log10) {
  if (Number.isNaN(log10)) return "NaN";
  if (log10 > -1 && log10 < 3) return fixed(10 ** log10, log10 < 1 ? 2 : 0);
  if (!Number.isFinite(log10)) return log10 < 0 ? "0" : "∞";
  const exponent = Math.floor(log10 + 0.00217); // 9.95 and more would be written 10.0
  return `${fixed(10 ** (log10 - exponent), 1)}·10${raised(fixed(exponent, 0))}`;
}

export const readAt = ({ inputs }, step) => (inputs[step - 1] === " " ? "␣" : inputs[step - 1]);
export const exponentOf = (log10) => (Number.isFinite(log10) ? fixed(log10, Math.abs(log10) < 9.95 ? 1 : 0) : "");

// ---- colour and width -----------------------------------------------------------------------------------------------

/** From −1 … 1 to a colour between three; a table, because it is asked thousands of times a second. */
export function ramp(...colours) {
  const [low, middle, high] = colours.map((hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)));
  const table = Array.from({ length: 129 }, (_, index) => {
    const share = index / 64 - 1;
    const mixed = middle.map((from, channel) => from + ((share < 0 ? low : high)[channel] - from) * Math.abs(share));
    return `rgb(${mixed.map(Math.round).join(",")})`;
  });
  return (share) => table[Math.round(64 * clamp(share, -1, 1)) + 64];
}

export const flowWidth = (share) => 5.5 + 4.5 * clamp(share, -1, 1);

// ---- what happens when ----------------------------------------------------------------------------------------------

/**
 * Which states are there, and which gradients have come, at each position.
 *
 * `k` counts a stream's states in the order in which it walks; 0 is its initial state. The layers of a one-way network
 * run together. With both directions a layer has to wait for the whole layer below: each has a sweep of its own.
 */
export function plan(data) {
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
    const sweep = twoWay ? steps : 0;
    const wait = { forward: level * sweep, backward: (kept.length - 1 - level) * sweep };
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
export function speedAt({ steps, half, end }, now) {
  const cruise = end / clamp(6 + 2 * Math.log10(steps / 25), 6, 8);
  return Math.min(cruise, SLOWEST + 5 * Math.min(now, Math.abs(now - half), end - now));
}

// ---- what stands where ----------------------------------------------------------------------------------------------

/** Rows of boxes with the top layer on top and forward above backward; columns as wide as the room allows. */
export function arrange({ streams, steps, twoWay, levels }, width) {
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
    blocks.push({ cells, ceiling: blocks.length ? top - GAP.layers + 18 : 38, top });
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
  const cells = blocks.flatMap((block) => block.cells);
  const left = gutter + (room - inner) / 2;
  return { blocks, cells, reads, step, map, left, inner, columns, fitting, pitch, width, height };
}

/** The resting picture of a long sequence: its beginning, a gap (null), its end. */
export function abridged({ columns, fitting }) {
  const before = fitting >> 1;
  const column = (slot) => (slot < before ? slot : columns - fitting + slot);
  return Array.from({ length: fitting }, (_, slot) => (slot === before ? null : column(slot)));
}

/** The columns to draw, each with the x of its middle; those half outside the window too. */
export function columnsInView(layout, first, isAbridged) {
  const { columns, fitting, pitch, left } = layout;
  const place = (position, slot) => ({ position, x: left + (slot + 0.5) * pitch });
  if (isAbridged) return abridged(layout).map(place);
  const start = Math.max(0, Math.floor(first) - 1);
  const stop = Math.min(columns, Math.ceil(first + fitting) + 1);
  return Array.from({ length: stop - start }, (_, index) => place(start + index, start + index - first));
}
