// Small controls: an explained term, a slider on a logarithmic track with a number box, and a chart's own switches.

let count = 0;

export function element(tag, className = "", attributes = {}, text = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text) made.textContent = text;
  return made;
}

/** A round button and the text that it opens. */
export function explain(text, label) {
  const id = `rv-help-${(count += 1)}`;
  const button = element("button", "rv-info", { type: "button", "aria-label": label, "aria-expanded": "false", "aria-controls": id }, "?");
  const body = element("p", "rv-help", { id, hidden: "" }, text);
  button.addEventListener("click", () => {
    body.hidden = !body.hidden;
    button.setAttribute("aria-expanded", String(!body.hidden));
  });
  return [button, body];
}

const POSITIONS = 400; // coarser than the three digits of a value, else an arrow key may round back to where it came from

/** A slider, logarithmic unless its track is linear; it speaks while it is dragged (live) and when it is let go. */
export function createSlider(declared, onChange) {
  const { low, high, linear } = declared.track;
  const root = element("div", "rv-slider");
  const id = `rv-slider-${(count += 1)}`;
  const label = element("label", "", { for: id }, declared.label);
  const track = element("input", "rv-track", { id, type: "range", min: 0, max: POSITIONS, step: 1 });
  const box = element("input", "rv-number", {
    type: "number", min: declared.low, max: declared.high, step: "any", "aria-label": `${declared.label}, exact value`,
  });
  const [button, text] = explain(declared.help, `What is the ${declared.label.toLowerCase()}`);
  const ticks = element("div", "rv-ticks", { "aria-hidden": "true" });
  const rail = element("div", "rv-rail");
  const share = (value) => (linear ? (value - low) / (high - low) : Math.log(value / low) / Math.log(high / low));
  const at = (share) => (linear ? low + (high - low) * share : low * (high / low) ** share);
  const toPosition = (value) => POSITIONS * Math.min(1, Math.max(0, share(value)));
  const toValue = (position) => Number(at(position / POSITIONS).toPrecision(3));
  for (const [tick, name] of declared.ticks) {
    const mark = element("span", "", {}, name);
    mark.style.left = `${toPosition(tick) / POSITIONS * 100}%`;
    ticks.append(mark);
  }
  let held = false;
  const say = (live) => {
    const value = toValue(Number(track.value));
    box.value = value;
    track.setAttribute("aria-valuetext", String(value));
    onChange(value, live);
  };
  track.addEventListener("input", () => { held = true; say(true); });
  // No "change" comes when a drag ends where it began.
  const letGo = () => { if (held) { held = false; say(false); } };
  for (const end of ["change", "pointerup", "pointercancel", "blur"]) track.addEventListener(end, letGo);
  let shown = declared.value;
  box.addEventListener("change", () => {
    if (box.value === "") box.value = shown; // nothing, or no number
    else onChange(Number(box.value = Math.min(declared.high, Math.max(declared.low, Number(box.value)))), false);
  });
  rail.append(track, ticks);
  root.append(label, button, rail, box, text);
  const show = ({ value, hidden }) => {
    root.hidden = hidden;
    shown = value;
    if (held) return;
    track.value = toPosition(value);
    track.setAttribute("aria-valuetext", String(value));
    if (document.activeElement !== box) box.value = value;
  };
  return { root, show };
}

/** A chart's own switch: a choice of one, or boxes to tick. */
export function createView(declared, onChange) {
  const root = element(declared.many ? "fieldset" : "label", "rv-view", { title: declared.help });
  root.append(element(declared.many ? "legend" : "span", "", {}, declared.label));
  return declared.many ? ticked(root, declared, onChange) : chosen(root, onChange);
}

function chosen(root, onChange) {
  const select = element("select");
  select.addEventListener("change", () => onChange(select.value));
  root.append(select);
  let known = "";
  const show = ({ options, value }) => {
    root.hidden = options.length < 2;
    const wanted = JSON.stringify(options);
    if (wanted !== known) {
      known = wanted;
      select.replaceChildren(...options.map(([name, label]) => element("option", "", { value: name }, label)));
    }
    select.value = value;
  };
  return { root, show };
}

function ticked(root, declared, onChange) {
  const boxes = declared.options.map(([name, label]) => {
    const line = element("label");
    const box = element("input", "", { type: "checkbox", value: name });
    line.append(box, document.createTextNode(label));
    root.append(line);
    return box;
  });
  for (const box of boxes) {
    box.addEventListener("change", () => onChange(boxes.filter((each) => each.checked).map((each) => each.value)));
  }
  return { root, show: ({ value }) => boxes.forEach((box) => { box.checked = value.includes(box.value); }) };
}
