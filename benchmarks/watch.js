// Stop-watches inside the page, so that the driver's own delays are not counted. Each works on the app and on the floor.

(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const isInView = (element) => {
    const { top, bottom } = element.getBoundingClientRect();
    return top < innerHeight && bottom > 0;
  };
  const plots = () => all(".rv-chart").filter(isInView).map((chart) => chart.querySelector(".rv-plot")).filter((plot) => !plot.hidden);

  /** What the whole screen shows: a stamp or the floor's number; "" while only part of it is drawn. */
  function shown(before) {
    const stamp = document.querySelector(".rv")?.dataset.stamp ?? document.querySelector(".floor")?.textContent;
    if (!stamp || stamp === before || document.querySelector(".floor")) return stamp ?? "";
    const seen = plots();
    return seen.length && seen.every(({ dataset }) => dataset.stamp === stamp) ? stamp : "";
  }

  /** The end of the next frame, and of the task after it. */
  const painted = () => new Promise((done) => requestAnimationFrame(() => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => done(performance.now());
    port2.postMessage(null);
  }));

  /** When the screen has come to show something else in full. */
  const changed = (before) => new Promise((done) => {
    const look = () => {
      const now = shown(before);
      if (!now || now === before) return;
      observer.disconnect();
      done(painted());
    };
    const observer = new MutationObserver(look);
    const attributeFilter = ["data-stamp"];
    observer.observe(document, { subtree: true, childList: true, characterData: true, attributes: true, attributeFilter });
    look();
  });

  /** A drawing of plotly's without a single mark in any of its traces, or no drawing. */
  const isBlank = (plot) => !plot.querySelector(".cartesianlayer .mlayer :is(path, image)");

  const nodes = () => all(".rv-gd, .rv-gd .main-svg");

  window.watch = {
    ready: changed("").then((end) => performance.timeOrigin + end),

    /** Time from the next event of a type to the next full screen: `result`, in ms. */
    arm(type) {
      let start = null;
      addEventListener(type, (event) => { start = event.timeStamp; }, { capture: true, once: true });
      watch.result = changed(shown()).then((end) => end - start);
    },

    /** Move the weight scale about a share of its track in every frame, then let go: how often the first chart was drawn. */
    drag: (seconds, share) => new Promise((done) => {
      const [track, plot] = [document.querySelector(".rv-track"), document.querySelector(".rv-plot")];
      const tell = (type) => track.dispatchEvent(new Event(type, { bubbles: true }));
      const drawn = () => Number(plot.dataset.drawn);
      const [start, before] = [performance.now(), drawn()];
      const move = (now) => {
        const turn = (now - start) / 1000;
        if (turn > seconds) {
          done(drawn() - before);
          return tell("change");
        }
        track.value = track.max * (share + 0.2 * Math.sin(2 * Math.PI * turn));
        tell("input");
        return requestAnimationFrame(move);
      };
      requestAnimationFrame(move);
    }),

    /** Remember every node of the charts, and look at every frame for a chart that is blank, until `lost` is called. */
    hold() {
      const held = nodes();
      let [frames, blank, isLooking] = [0, 0, true];
      const look = () => {
        if (!isLooking) return;
        frames += 1;
        blank += plots().some((plot) => !plot.querySelector(".u-root") && isBlank(plot));
        requestAnimationFrame(look);
      };
      requestAnimationFrame(look);
      watch.lost = () => {
        isLooking = false;
        const now = new Set(nodes());
        return { held: held.length, lost: held.filter((node) => !now.has(node)).length, frames, blank };
      };
    },

    /** Both axes' ends on the first chart. */
    ranges: () => {
      const { _fullLayout: layout } = document.querySelector(".rv-gd");
      return Object.fromEntries(["xaxis", "yaxis"].map((axis) => [axis, layout[axis].range.map((end) => end.toFixed(6)).join()]));
    },

    /** Frames per second in which the unrolled network's position has moved, over its play from start to end. */
    play: () => new Promise((done) => {
      const range = document.querySelector(".u-range");
      const frames = [];
      let before = range.value;
      const look = (now) => {
        if (range.value !== before) frames.push(now);
        before = range.value;
        if (frames.length && now - frames.at(-1) > 500) done(frames);
        else requestAnimationFrame(look);
      };
      document.querySelector(".u-root button[aria-label^=Play]").click();
      requestAnimationFrame(look);
    }),
  };
})();
