// The explorer of a report: fills two Vega charts with the runs that the reader chose.
// Rows of its data are arrays; their columns are those of analysis/page/explorer.py.
(() => {
  "use strict";

  const REGRESSORS = {
    "h": (h) => h,
    "h-1": (h) => h - 1,
    "variance_horizon": (h) => (h - 2 + 1 / h) / 4,
  };
  const ALL = "all", ERROR = 1;  // the level of Vega's messages

  const unique = (values) => [...new Set(values)].sort((one, other) => one - other);
  const shortNumber = (value) =>
    Number(value.toPrecision(4)).toLocaleString("en", {maximumSignificantDigits: 4});

  const sentence = (text) => text[0].toUpperCase() + text.slice(1);

  function readRuns(data) {
    return data.runs.map(([family, id, width, horizon, seed, interactions, states, place, returns]) =>
      ({id, family, width, horizon, seed, interactions, states, returns, places: data.places[place]}));
  }

  // Fill a select with [value, text] pairs and keep its value where it is still among them.
  function fill(select, options) {
    const before = select.value;
    select.replaceChildren(...options.map(([value, text]) => new Option(text, value)));
    if (options.some(([value]) => String(value) === before)) select.value = before;
    select.closest("label").hidden = options.length < 2;
  }

  function start(root) {
    const json = (name) => JSON.parse(root.querySelector(`[data-explorer-${name}]`).textContent);
    const data = json("data"), charts = json("charts"), runs = readRuns(data);
    const control = (name) => root.querySelector(`[data-control="${name}"]`);
    const place = (name) => root.querySelector(`[data-chart="${name}"]`);
    const views = {};  // by chart: the specification's name and Vega's view
    let pending = Promise.resolve();

    function choice() {
      return {
        threshold: Number(control("threshold").value),
        family: Number(control("family").value),
        width: Number(control("width").value),
        axis: control("axis").value,
        horizon: control("horizon").value,
        run: control("run").value,
      };
    }

    const ofSize = (chosen) => runs.filter(
      (run) => run.family === chosen.family && run.width === chosen.width);
    const ofHorizon = (chosen) => ofSize(chosen).filter(
      (run) => chosen.horizon === ALL || run.horizon === Number(chosen.horizon));

    // Offer only what exists: widths of the family, then horizons, then runs.
    function offer() {
      const family = Number(control("family").value);
      const here = runs.filter((run) => run.family === family);
      fill(control("width"), unique(here.map((run) => run.width)).map((width) => [width, width]));
      const horizons = unique(ofSize(choice()).map((run) => run.horizon));
      fill(control("horizon"), [...(horizons.length > 1 ? [[ALL, "all horizons"]] : []),
        ...horizons.map((horizon) => [horizon, `h = ${horizon}`])]);
      fill(control("run"), [["", "none"], ...ofHorizon(choice()).map(
        (run) => [run.id, `h = ${run.horizon}, seed ${run.seed}`])]);
    }

    function crossingRows(chosen) {
      const x = REGRESSORS[chosen.axis], at = chosen.threshold;
      const is = ([family, width, threshold]) =>
        family === chosen.family && width === chosen.width && threshold === at;
      const drawn = ofSize(chosen).filter((run) => run.interactions[at] !== null);
      const regressor = chosen.axis === "h" ? "h-1" : chosen.axis;
      const laws = data.laws.filter((law) => is(law) && (law[4] === null || law[4] === regressor));
      return {
        runs: drawn.map((run) => ({run: run.id, seed: run.seed, horizon: run.horizon,
          x: x(run.horizon), interactions: run.interactions[at],
          state: data.states[run.states[at]]})),
        means: data.means.filter(is).map(([, , , horizon, interactions, low, high, censored, seeds]) =>
          ({horizon, x: x(horizon), interactions, low, high, censored: censored === 1, seeds})),
        laws: laws.flatMap(([, , , law, , points]) => points.map(([h, interactions, low, high]) =>
          ({law: data.lines[law][0], x: x(h), interactions, low, high}))),
      };
    }

    function curveRows(chosen) {
      return {
        curves: ofHorizon(chosen).flatMap((run) => run.returns.map((value, row) => ({run: run.id,
          seed: run.seed, horizon: run.horizon, interactions: run.places[row], return: value}))),
        threshold: [{return: data.thresholds[chosen.threshold]}],
      };
    }

    function mark(id) {
      for (const {view} of Object.values(views)) view.signal("marked", id).runAsync();
    }

    // The chart of crossings for a horizontal axis; only h itself is drawn on logarithmic axes.
    function specification(name, axis) {
      const chart = structuredClone(charts[name]);
      for (const {encoding} of name === "crossings" ? chart.layer : []) {
        encoding.x.title = data.axes[axis][0];
        for (const {scale} of [encoding.x, encoding.y]) scale.type = axis === "h" ? "log" : "linear";
      }
      return chart;
    }

    async function embed(name, kind) {
      if (views[name]) views[name].finalize();
      // Warnings are of tables without rows: before the first drawing, or of laws where none is.
      const found = await vegaEmbed(place(name), specification(name, kind),
        {actions: false, renderer: "svg", mode: "vega-lite", logLevel: ERROR});
      views[name] = {kind, view: found.view, finalize: () => found.finalize()};
      const runOf = (item) => (item && item.datum && item.datum.run) || "";
      found.view.addEventListener("mouseover", (_, item) => mark(runOf(item) || choice().run));
      found.view.addEventListener("mouseout", () => mark(choice().run));
      found.view.addEventListener("click", (_, item) => chooseHorizonOf(runOf(item)));
    }

    function chooseHorizonOf(id) {
      const run = runs.find((one) => one.id === id);
      if (!run) return;
      control("horizon").value = run.horizon;
      update();
    }

    async function draw(name, kind, rows, marked) {
      if (!views[name] || views[name].kind !== kind) await embed(name, kind);
      const view = views[name].view;
      for (const [table, values] of Object.entries(rows)) view.data(table, values);
      await view.signal("marked", marked).resize().runAsync();
    }

    function say(chosen, rows) {
      const of = `${data.families[chosen.family]}, width ${chosen.width}`;
      const censored = rows.runs.filter((run) => run.state === data.states[1]).length;
      const drawn = data.lines.filter(([law]) => rows.laws.some((point) => point.law === law));
      const parts = rows.runs.length === 0 ? [`No run of ${of} has this return as a goal.`] : [
        `${of}, to a return of ${data.thresholds[chosen.threshold]}: ${rows.runs.length} runs, `
          + `${censored} of them right-censored.`,
        drawn.length === 0 ? "No law is drawn: these runs allow none, or its fit was refused." : "",
        ...drawn.map(([law, look]) => `${sentence(look)}: ${law}.`),
      ];
      const run = runs.find((one) => one.id === chosen.run);
      if (run) parts.push(`Highlighted: ${run.id}, ${outcome(run, chosen.threshold)}.`);
      root.querySelector(".explorer-state").textContent = parts.filter(Boolean).join(" ");
      place("crossings").ariaLabel = parts[0];
      place("curves").ariaLabel = `Learning curves of ${ofHorizon(chosen).length} runs: ${of}, `
        + (chosen.horizon === ALL ? "all horizons" : `h = ${chosen.horizon}`);
    }

    function outcome(run, at) {
      const interactions = run.interactions[at];
      if (interactions === null) return "not measured at this return";
      return `${data.states[run.states[at]]} at ${shortNumber(interactions)} interactions`;
    }

    function update() {
      offer();
      const chosen = choice(), rows = crossingRows(chosen);
      say(chosen, rows);
      pending = pending.then(() => Promise.all([
        draw("crossings", chosen.axis, rows, chosen.run),
        draw("curves", "", curveRows(chosen), chosen.run),
      ])).then(() => { root.dataset.drawn = JSON.stringify(chosen); });
    }

    root.querySelector(".explorer-body").hidden = false;
    fill(control("threshold"), data.thresholds.map((value, number) => [number, value]));
    fill(control("family"), data.families.map((name, number) => [number, name]));
    fill(control("axis"), Object.entries(data.axes).map(([axis, [, text]]) => [axis, text]));
    control("threshold").value = Math.floor(data.thresholds.length / 2);
    offer();
    control("width").value = Math.max(...ofFamily(runs, choice().family).map((run) => run.width));
    root.addEventListener("change", update);
    update();
  }

  const ofFamily = (runs, family) => runs.filter((run) => run.family === family);

  document.addEventListener("DOMContentLoaded", () => {
    if (typeof vegaEmbed === "undefined") return;
    document.querySelectorAll("[data-explorer]").forEach(start);
  });
})();
