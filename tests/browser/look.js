// What a journey reads from the page. Every function looks at the page as it is; the journeys wait until one says yes.

window.look = {
  section: (name) => document.querySelector(`[data-chart="${name}"]`),
  plot: (name) => look.section(name)?.querySelector(".rv-plot"),
  gd: (name) => look.section(name)?.querySelector(".rv-gd"),
  stamp: () => document.querySelector(".rv")?.dataset.stamp,

  /** Whether an answer to the last settings is on the screen, in every chart that can be seen. */
  isSettled: () => {
    const seen = [...document.querySelectorAll("[data-chart]")].filter((section) => {
      const { top, bottom } = section.getBoundingClientRect();
      return top < innerHeight && bottom > 0;
    });
    const isDrawn = (section) => section.querySelector(".rv-plot").dataset.stamp === section.closest(".rv").dataset.stamp;
    const expected = seen.length ? seen : [document.querySelector("[data-chart]")]; // drawn first, in view or not
    return Boolean(look.stamp()) && look.isIdle() && expected.every(isDrawn);
  },
  /** Whether the server has nothing more to say. */
  isIdle: () => !document.querySelector('[data-testid="stApp"][data-test-script-state="running"]'),

  /** {name: [x, y]} of the lines of a chart, as plotly has read them. */
  lines: (name) => Object.fromEntries(
    (look.gd(name)?._fullData ?? [])
      .filter(({ type, mode }) => type === "scatter" && mode?.includes("lines"))
      .map(({ name: line, x, y }) => [line, [Array.from(x), Array.from(y)]]),
  ),
  /** Powers of ten that a line of the first chart wins from one step to the step before it. */
  tilt: (line) => {
    const [x, y] = look.lines("norms")[line] ?? [[], []];
    return (y[0] - y.at(-1)) / (x.at(-1) - x[0]);
  },
  highest: (line) => Math.max(...(look.lines("norms")[line]?.[1] ?? [])),
  scale: () => Number(document.querySelector('input[aria-label="Weight scale, exact value"]').value),
  /** Whether the linear network's curve is the one of a weight scale: its matrix is orthogonal, so each step wins that factor. */
  showsScale: (scale) => Math.abs(look.tilt("RNN linear") - Math.log10(scale)) < 1e-4,

  /** The places of a path that is walked on a map, as they were painted. */
  walked: (path) => look.section("map").querySelectorAll(".rv-trail polyline")[path].getAttribute("points").split(" ").length,
  isTraining: () => look.section("losses").closest(".rv").dataset.running === "true",

  /** Where a step of a chart, or a point of it, is on the screen. */
  place: (name, step, value) => {
    const [box, { xaxis, yaxis }] = [look.gd(name).getBoundingClientRect(), look.gd(name)._fullLayout];
    return { x: box.left + xaxis._offset + xaxis.l2p(step), y: box.top + yaxis._offset + yaxis.l2p(value) };
  },
  /** The step at which the mark of a chart stands; null where there is none. */
  marked: (name) => {
    const [mark, { xaxis }] = [look.section(name).querySelector(".rv-mark"), look.gd(name)._fullLayout];
    return mark.hidden ? null : Math.round(xaxis.p2l(parseFloat(mark.style.left) - xaxis._offset));
  },
  /** The step under the pointer. */
  hovered: (name) => look.gd(name)._hoverdata?.[0].x,
  /** The step that the unrolled network stands at. */
  step: () => Number(look.section("unrolled").querySelector(".u-value").textContent),
  position: () => Number(look.section("unrolled").querySelector("input[type=range]").value),

  /** Contrast of a CSS colour with another, as WCAG counts it. */
  contrast: (...colours) => {
    const [light, dark] = colours.map((colour) => {
      const parts = colour.match(/[\d.]+/g).slice(0, 3).map((part) => part / 255);
      const [red, green, blue] = parts.map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
      return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    }).sort((a, b) => b - a);
    return (light + 0.05) / (dark + 0.05);
  },
};
