// Walking along the paths of a descent: a player, and what has been walked so far on each chart. Nothing of it asks the server.

import { element } from "./parts.js";

const SECONDS = 8; // the whole way
const SLOWEST = 12; // updates a second of a short way
const FAR = 1e5; // pixels
const PER_SECOND_3D = 8; // pictures of a surface, which is slow to draw

/** Play, step and scrub; says the update that it stands at. */
export function createWalk(onMove) {
  const root = element("div", "rv-player");
  const button = (label, sign) => {
    const made = element("button", "rv-play", { type: "button", "aria-label": label }, sign);
    root.append(made);
    return made;
  };
  const [first, back, play, next] = [button("To the start", "|◀"), button("Step back", "◀"), button("Play", "▶"), button("Step", "▶|")];
  play.classList.add("rv-main");
  const track = element("input", "rv-track", { type: "range", min: 0, max: 0, step: 1, "aria-label": "Update" });
  const said = element("output", "rv-said");
  root.append(track, said);
  let [frame, at, count] = [null, 0, 0];
  const stand = (step) => {
    at = Math.min(count, Math.max(0, step));
    track.value = Math.floor(at);
    said.textContent = `update ${Math.floor(at)} of ${count}`;
    onMove(Math.floor(at));
  };
  const pause = () => {
    cancelAnimationFrame(frame);
    frame = null;
    play.textContent = "▶";
    play.setAttribute("aria-label", "Play");
  };
  const run = () => {
    if (at >= count) stand(0);
    play.textContent = "❚❚";
    play.setAttribute("aria-label", "Pause");
    let before = performance.now();
    const go = (now) => {
      stand(at + ((now - before) / 1000) * Math.max(SLOWEST, count / SECONDS));
      before = now;
      if (at >= count) pause();
      else frame = requestAnimationFrame(go);
    };
    frame = requestAnimationFrame(go);
  };
  play.addEventListener("click", () => (frame === null ? run() : pause()));
  const jump = (to) => () => { pause(); stand(to()); };
  first.addEventListener("click", jump(() => 0));
  back.addEventListener("click", jump(() => Math.floor(at) - 1));
  next.addEventListener("click", jump(() => Math.floor(at) + 1));
  track.addEventListener("input", jump(() => Number(track.value)));
  const show = (steps) => {
    const whole = at >= count; // who stands at the end stays there when the way gets longer or shorter
    count = steps;
    track.max = steps;
    if (frame === null) stand(whole ? steps : at);
  };
  return { root, show, destroy: pause };
}

/** The part of each path up to a step. */
export function showWalk(section, step) {
  if (!section.gd?._fullLayout || step === null) return;
  section.walked = step;
  if (section.gd._fullLayout.scene) later(section);
  else paint(section, step);
}

const paths = (section) => section.gd._fullData.filter(({ meta }) => meta?.walk);

// ---- on a map: an overlay, so that plotly draws nothing again

function paint(section, step) {
  const svg = (section.trail ??= overlay(section));
  const { xaxis: x, yaxis: y } = section.gd._fullLayout;
  const [left, top] = [x._offset, y._offset];
  const box = { left: `${left}px`, top: `${top}px`, width: `${x._length}px`, height: `${y._length}px` };
  Object.assign(svg.style, box);
  const drawn = paths(section).flatMap((path) => {
    const whole = Array.from({ length: Math.min(step + 1, path.x.length) }, (_, i) => [x.l2p(path.x[i]), y.l2p(path.y[i])]);
    const places = whole.filter((place) => place.every(Number.isFinite));
    const points = places.map((place) => near(place).map((part) => part.toFixed(1)).join(",")).join(" ");
    const dashes = path.line.dash === "solid" ? "none" : "7 4"; // where both paths are one, both are seen
    const look = { stroke: path.line.color, "stroke-width": 3, "stroke-linejoin": "round", "stroke-dasharray": dashes };
    const line = shape("polyline", { points, fill: "none", ...look });
    const [cx, cy] = places.at(-1) ?? [FAR, FAR];
    const ball = shape("circle", { cx, cy, r: 7, fill: path.line.color, stroke: "white", "stroke-width": 2 });
    return Math.abs(cx) + Math.abs(cy) < FAR ? [line, ball] : [line];
  });
  svg.replaceChildren(...drawn);
}

/** A place far outside of the picture, drawn nearer in the same direction: SVG does not go that far. */
function near(place) {
  const far = Math.max(...place.map(Math.abs));
  return far > FAR ? place.map((part) => (part / far) * FAR) : place;
}

function overlay(section) {
  const svg = shape("svg", { class: "rv-trail", "aria-hidden": "true" });
  section.plot.append(svg);
  section.gd.on("plotly_afterplot", () => paint(section, section.walked));
  return svg;
}

function shape(tag, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

// ---- on a surface: plotly's own lines, cut, at most so many times a second

function later(section) {
  section.pending ??= setTimeout(async () => {
    section.pending = null;
    if (!section.gd.isConnected) return;
    const walked = [...section.gd.data.keys()].filter((i) => section.gd.data[i].meta?.walk);
    section.whole ??= new WeakMap();
    const cut = (name) => walked.map((i) => whole(section, i)[name].slice(0, section.walked + 1));
    await window.Plotly.restyle(section.gd, { x: cut("x"), y: cut("y"), z: cut("z") }, walked);
  }, 1000 / PER_SECOND_3D);
}

/** A path before it was cut; a new figure brings new ones. */
function whole(section, i) {
  const trace = section.gd.data[i];
  const { x, y, z } = section.gd._fullData[i];
  if (!section.whole.has(trace)) section.whole.set(trace, { x, y, z });
  return section.whole.get(trace);
}
