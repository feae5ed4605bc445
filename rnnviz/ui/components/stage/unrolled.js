/**
 * The network unrolled over its steps: its states fill forward in time, then the gradient comes back from the loss.
 *
 * A position on the timeline runs from 0 over the forward steps to the end of the backward wave. Every picture is a
 * function of that position alone, so that play, scrub and step back are one thing. Nothing here asks the server.
 */

import { drawRiver, line, paint } from "./paint.js";
import {
  abridged, arrange, CALM_PER_SECOND, clamp, columnsInView, exponentOf, FLICKER, plan, ramp, readAt, speedAt, written,
} from "./wave.js";

// ---- the elements around the picture --------------------------------------------------------------------------------

function element(parent, tag, className, attributes = {}, words = "") {
  const made = parent.appendChild(document.createElement(tag));
  Object.entries({ class: className, ...attributes }).forEach(([name, value]) => made.setAttribute(name, value));
  if (words) made.textContent = words;
  return made;
}

function dress(button, icon, label) {
  button.dataset.icon = icon;
  button.title = label;
  button.setAttribute("aria-label", label);
}

function build(host) {
  const root = element(host, "div", "u-root", { hidden: "" }); // until there is something to play
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
    const when = (known, value) => (step, now) => (known(stream.order(step), now) > 0 ? value(stream.order(step)) : "–");
    return [
      [`${direction}‖${units}‖`, when(stream.filled, (k) => written(Math.log10(size(k))))],
      ...[...stream.lanes].reverse().map(({ name, norm }) => {
        return [`${direction}‖∂L/∂${name}‖`, when(stream.reached, (k) => written(norm(k)))];
      }),
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
    if (event.button > 0 || (event.type === "pointermove" && !canvas.hasPointerCapture(event.pointerId))) return;
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
    scene.rivers = scene.layout.cells.map(({ stream }) => drawRiver(stream, scene.layout, plan.steps, scene.flow, ratio));
    render();
  }

  function update(data, theme) {
    const next = plan(data);
    const isSameTime = scene.plan?.end === next.end && scene.plan.steps === next.steps;
    const largest = data.shown.reduce((most, value) => (Number.isFinite(value) ? Math.max(most, Math.abs(value)) : most), 1);
    const sign = ramp(theme.negative, theme.zero, theme.positive);
    const flow = ramp(theme.vanishing, theme.steady, theme.exploding);
    // The root shows small states, too.
    const signed = (value) => sign(Math.sign(value) * Math.sqrt(Math.abs(value) / largest));
    Object.assign(scene, { data, theme, plan: next, layout: null, flow, signed });
    root.hidden = false;
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
  document.fonts.ready.then(() => render()); // the canvas does not notice when its font arrives
  return { update, select, destroy };
}
