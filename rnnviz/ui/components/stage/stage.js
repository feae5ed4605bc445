// The stage: every chart of a page, drawn in place. It owns what must follow the hand (the weight scale, the clipping threshold) and what
// never asks the server (the selected step, the wave). Text from the server is only ever set as textContent.

import { drawPlot, markStep } from "./plot.js";
import { createSlider, createView, element, explain } from "./parts.js";
import { createUnrolled } from "./unrolled.js";
import { createWalk, showWalk } from "./walk.js";

const ANSWER_WITHIN = 4000; // ms after which a question counts as lost, and the next may go

const stages = new WeakMap();

export function render({ data, parentElement, setStateValue }) {
  let stage = stages.get(parentElement);
  if (!stage) {
    stage = new Stage(parentElement);
    stages.set(parentElement, stage);
  }
  stage.receive(JSON.parse(new TextDecoder().decode(data)), (value) => setStateValue("ask", value));
}

export function dispose(parentElement) {
  stages.get(parentElement)?.destroy();
  stages.delete(parentElement);
}

class Stage {
  constructor(host) {
    this.host = host;
    this.root = element("div", "rv");
    this.problem = element("p", "rv-problem", { role: "alert", hidden: "" });
    this.hand = element("div", "rv-hand");
    this.detail = element("div", "rv-detail");
    this.root.append(this.problem, this.hand);
    const embedded = new URLSearchParams(location.search).get("embed") === "true";
    this.root.classList.toggle("rv-embedded", embedded);
    host.append(this.root);
    this.sections = new Map();
    this.sliders = new Map();
    this.views = new Map();
    this.visible = new Set();
    this.changes = {};
    this.id = 0;
    this.step = null;
    this.page = location.pathname;
    this.ending = new AbortController();
    const { signal } = this.ending;
    document.addEventListener("click", (event) => this.follow(event), { signal, capture: true });
    window.addEventListener("popstate", () => this.leave(location.pathname), { signal });
    this.observer = new IntersectionObserver((entries) => this.seen(entries), {
      root: host.closest('[data-testid="stMain"]'),
      rootMargin: "160px 0px",
    });
  }

  receive(data, send) {
    this.data = data;
    this.send = send;
    this.theme = this.pageTheme(); // before anything is written: to ask later would make the browser style the page twice
    if (data.asked >= this.id) {
      this.id = data.asked;
      this.answered();
    }
    this.dress(data.theme);
    this.problem.hidden = !data.problem;
    this.problem.textContent = data.problem;
    for (const declared of data.sliders) this.showSlider(declared);
    this.hand.hidden = data.sliders.every(({ hidden }) => hidden);
    this.hand.classList.toggle("rv-many", data.sliders.length > 2);
    const drawing = data.charts.map((chart) => this.showChart(chart));
    this.showViews(this.detail, data.detail);
    this.root.dataset.stamp = data.live ? "" : data.stamp; // for whoever waits until all of it has been drawn
    this.root.dataset.running = Boolean(data.running);
    if (this.theme !== data.theme.name) this.ask({});
    else if (!data.live && !data.problem && this.askedAgain !== data.stamp) this.askForStale();
    if (data.running) Promise.allSettled(drawing).then(() => setTimeout(() => this.data === data && this.goOn()));
  }

  // What runs in slices on the server goes on when its last slice has been drawn: a closed tab asks no more.
  goOn() {
    this.tick = true;
    this.ask({});
  }

  // ---- leaving: a question that follows the click on another page's link would run the old page after the new one, and leave neither

  follow(event) {
    const link = event.target.closest("a[href]");
    if (!link || link.target || link.pathname === this.page) return;
    if (event.button || event.ctrlKey || event.metaKey || event.shiftKey) return; // it opens elsewhere
    if (this.isSending) {
      event.preventDefault();
      event.stopImmediatePropagation();
      setTimeout(() => link.click());
    } else this.leave(link.pathname);
  }

  leave(page) {
    if (page === this.page) return;
    clearTimeout(this.leaving);
    this.leaving = setTimeout(() => this.stay(), ANSWER_WITHIN); // still here: the server has not heard of it
  }

  stay() {
    this.leaving = null;
    if (this.waiting && !this.inFlight) this.post();
  }

  // ---- asking the server: one question in flight, the latest value wins

  ask(changes, live = false) {
    Object.assign(this.changes, changes);
    this.live = live;
    this.waiting = true;
    if (!this.inFlight) this.post();
  }

  post() {
    if (this.leaving) return;
    this.waiting = false;
    this.inFlight = setTimeout(() => this.lost(), ANSWER_WITHIN);
    this.id += 1;
    const shown = [...this.sections.keys()].filter((name) => this.visible.has(name));
    const of = (part) => Object.fromEntries(shown.map((name) => [name, part(this.sections.get(name)) ?? ""]));
    const [drawn, held] = [of(({ stamp }) => stamp), of(({ still }) => still?.mark)];
    const { id, live, theme, changes, tick } = this;
    this.send({ id, live, visible: shown, drawn, held, theme, changes, tick });
    this.isSending = true; // Streamlit sends in a timer, which it has set before this one
    setTimeout(() => (this.isSending = false));
    this.changes = {};
    this.tick = false;
  }

  lost() {
    this.answered();
    if (this.data.running && !this.inFlight) this.goOn();
  }

  answered() {
    clearTimeout(this.inFlight);
    this.inFlight = null;
    if (this.waiting) this.post();
  }

  pageTheme() {
    const paper = getComputedStyle(this.host).getPropertyValue("--st-background-color").trim();
    const [red, green, blue] = (paper.match(/^#(..)(..)(..)/) ?? []).slice(1).map((part) => parseInt(part, 16));
    if (red === undefined) return this.data?.theme.name ?? "light";
    return 0.3 * red + 0.59 * green + 0.11 * blue < 128 ? "dark" : "light";
  }

  dress(theme) {
    for (const name of ["ink", "paper", "faint", "grid", "accent", "vanishing", "steady", "exploding"]) {
      this.root.style.setProperty(`--${name}`, theme[name]);
    }
    this.root.style.setProperty("--scale", theme.scale);
    this.root.dataset.theme = theme.name;
  }

  // ---- what follows the hand

  showSlider(declared) {
    if (!this.sliders.has(declared.name)) {
      const slider = createSlider(declared, (value, live) => this.ask({ [declared.name]: value }, live));
      this.sliders.set(declared.name, slider);
      this.hand.append(slider.root);
    }
    this.sliders.get(declared.name).show(declared);
  }

  // ---- the charts

  showChart(chart) {
    if (!this.sections.has(chart.name)) this.sections.set(chart.name, this.section(chart));
    const section = this.sections.get(chart.name);
    if (!chart.drawn) return null;
    section.stamp = this.data.stamp;
    complete(section, chart.figure);
    section.answer.textContent = chart.answer;
    section.notes.replaceChildren(...chart.notes.map((text) => element("li", "", {}, text)));
    section.badges.replaceChildren(...chart.badges.map(badge));
    this.showViews(section.views, chart.views);
    section.plot.setAttribute("aria-label", `${chart.question} ${chart.answer}`);
    const empty = !Object.keys(chart.figure).length;
    section.plot.hidden = empty;
    if (!empty) return section.draw(chart);
    section.plot.dataset.stamp = section.stamp; // there is a sentence in its place
    return null;
  }

  section(chart) {
    const root = element("section", "rv-chart", { "data-chart": chart.name, "aria-label": chart.question });
    const head = element("div", "rv-head");
    const views = element("div", "rv-views");
    const answer = element("p", "rv-answer");
    const badges = element("ul", "rv-badges", { "aria-label": "Verdicts" });
    const plot = element("div", "rv-plot", { role: "figure", "aria-label": chart.question });
    const notes = element("ul", "rv-notes");
    const [button, text] = explain(chart.symbols, `What is on "${chart.question}"`);
    head.append(element("h3", "", {}, chart.question), button);
    root.append(head, views, text, answer, badges, plot, notes);
    if (this.sections.size === this.data.own) this.root.append(this.detail); // it concerns the charts below it
    this.root.append(root);
    const section = { root, answer, badges, views, plot, notes };
    section.draw = chart.steps === "own" ? this.unrolled(section) : this.plotly(section);
    this.observer.observe(root);
    return section;
  }

  plotly(section) {
    const onStep = (step) => this.select(step, section);
    const onChange = (changes, live) => this.ask(changes, live);
    return async (chart) => {
      section.steps = chart.steps;
      if (chart.steps === "walk") this.showPlayer(section, chart);
      await drawPlot(section, chart, this.data.plotly, { onStep, onChange });
      this.mark(section);
      section.plot.dataset.stamp = section.stamp;
      section.plot.dataset.drawn = Number(section.plot.dataset.drawn ?? 0) + 1;
    };
  }

  unrolled(section) {
    const network = createUnrolled(section.plot, (step) => this.select(step, section));
    section.network = network;
    return (chart) => {
      network.update(unpack(chart.figure), { ...this.data.theme, colour: chart.figure.colour });
      section.plot.dataset.stamp = section.stamp;
    };
  }

  select(step, from) {
    this.step = step;
    for (const section of this.sections.values()) {
      if (section.network) {
        if (section !== from) section.network.select(step, true);
      } else this.mark(section);
    }
  }

  mark(section) {
    if (section.steps === "walk") showWalk(section, this.step);
    else markStep(section, this.step);
  }

  // One player for all charts that are walked along.
  showPlayer(section, chart) {
    if (!this.player) {
      this.player = createWalk((step) => this.select(step, null));
      section.plot.before(this.player.root);
    }
    this.player.show(chart.figure.layout.meta.walk);
  }

  showViews(host, views) {
    const wanted = views.map((declared) => {
      if (!this.views.has(declared.name)) {
        const view = createView(declared, (value) => this.ask({ [declared.name]: value }));
        this.views.set(declared.name, view);
      }
      const view = this.views.get(declared.name);
      view.show(declared);
      return view.root;
    });
    if (wanted.length !== host.children.length || wanted.some((root, at) => root !== host.children[at])) host.replaceChildren(...wanted);
  }

  // Only what can be seen is computed and sent.
  seen(entries) {
    for (const entry of entries) {
      const name = entry.target.dataset.chart;
      if (entry.isIntersecting) this.visible.add(name);
      else this.visible.delete(name);
    }
    this.askForStale();
  }

  // The page may also have run again without being asked (a control, the Back button), on what it knew from the last question.
  askForStale() {
    const stale = [...this.visible].some((name) => this.sections.get(name)?.stamp !== this.data.stamp);
    if (!stale) return;
    this.askedAgain = this.data.stamp; // once: what cannot be drawn is not asked for over and over
    this.ask({});
  }

  destroy() {
    this.observer.disconnect();
    this.ending.abort();
    clearTimeout(this.inFlight);
    clearTimeout(this.leaving);
    this.player?.destroy();
    this.data = {}; // nothing runs any more
    this.send = () => {};
    for (const section of this.sections.values()) {
      if (section.network) section.network.destroy();
      else if (section.gd) window.Plotly.purge(section.gd);
      section.resizing?.disconnect();
    }
    this.root.remove();
  }
}

/** The traces that stay while others move come once. */
function complete(section, figure) {
  if (!figure.still) return;
  const { count, mark } = figure.still;
  if (section.still?.mark !== mark) section.still = { mark, traces: figure.data.slice(0, count) };
  figure.data.splice(0, figure.data.length - figure.moving, ...section.still.traces);
}

function badge({ label, text, kind, colour }) {
  const item = element("li", `rv-badge rv-${kind}`);
  const dot = element("span", "rv-dot");
  dot.style.background = colour;
  item.append(dot, element("b", "", {}, label), document.createTextNode(` ${text}`));
  return item;
}

const TYPES = { f4: Float32Array, f8: Float64Array, u1: Uint8Array };

/** Typed arrays in place of plotly's {dtype, bdata}. */
function unpack(figure) {
  const unpacked = Object.entries(figure).map(([name, value]) => {
    if (!value?.bdata) return [name, value];
    const bytes = Uint8Array.from(atob(value.bdata), (letter) => letter.charCodeAt(0));
    return [name, new TYPES[value.dtype](bytes.buffer)];
  });
  return Object.fromEntries(unpacked);
}
