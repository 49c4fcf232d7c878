// The calculator of a report: evaluates fitted laws at the settings that the reader chooses.
// The equations are those of analysis/page/calculator.py and mnist_horizon/theory.py.
(() => {
  "use strict";

  // B_noise = (tr Cov + within) / |E[g]|^2 in interactions, of endless rollouts with centred rewards
  // (mnist_horizon/schedules/additive.py), in units of |m|^2. `level` is p or k; 1 for dense.
  function noiseScale(kind, level, horizon, numbers) {
    const discount = 1 - 2 / (horizon + 1);
    const period = kind === "periodic" ? level : 1, shown = kind === "revealed" ? level : 1;
    const mu = numbers.accuracy, variance = mu * (1 - mu);
    const fisher = numbers.noise_scale / variance, right = numbers.share * fisher;
    const centred = (1 - 2 * mu) * right + mu * mu * fisher;
    const endless = 1 / (1 - discount * discount);
    const first = (1 - discount ** period) / (period * (1 - discount));
    const second = (1 - discount ** (2 * period)) * endless / period;
    const past = (1 - second) * endless, future = endless - second - past;
    const total = fisher * (future * (mu / shown - mu * mu) + past * variance)
      + second * (right * (1 / shown - 1) + centred - 1);
    const within = period * first * first - second;
    return (total + within) / (first * first);
  }

  // Interactions of a law at one set of its numbers.
  function interactions(law, numbers, settings) {
    if (law.kind === "schedule") {
      const noise = noiseScale(settings.schedule, settings.level, settings.horizon, numbers);
      return numbers.s_min * (law.batch + noise);
    }
    return numbers.a + numbers.b * (settings.horizon - 1) ** numbers.g;
  }

  // Prediction with its 95% interval by leaving out seeds, symmetric in log; null where it has none.
  function predict(law, settings) {
    const value = interactions(law, law.estimate, settings);
    const others = law.without_seed.map((numbers) => interactions(law, numbers, settings));
    if (!(value > 0) || others.length < 2 || !others.every((one) => one > 0)) return null;
    const squares = others.map((one) => (Math.log(one) - Math.log(value)) ** 2);
    const share = (others.length - 1) / others.length;
    const half = law.t * Math.sqrt(share * squares.reduce((sum, one) => sum + one, 0));
    return {value, low: value * Math.exp(-half), high: value * Math.exp(half)};
  }

  // As analysis/page/wording.py: three significant figures.
  function text(value) {
    const size = Math.abs(value);
    if (size === 0 || (size >= 1e-4 && size < 1e6)) {
      return Number(value.toPrecision(3)).toLocaleString("en", {maximumSignificantDigits: 3});
    }
    const [digits, exponent] = value.toExponential(2).split("e");
    const places = String(Math.abs(Number(exponent))).padStart(2, "0");
    return `${Number(digits)}e${Number(exponent) < 0 ? "-" : "+"}${places}`;
  }

  globalThis.horizonCalculator = {noiseScale, predict, text};

  const LARGEST_TASK = 1000, STEPS = 1000, TOO_WIDE = 10;
  const distinct = (values) => [...new Set(values)];

  function start(root) {
    const data = JSON.parse(root.querySelector("[data-calculator-data]").textContent);
    const find = (attribute, name) => root.querySelector(`[data-${attribute}="${name}"]`);
    const control = (name) => find("control", name);
    const result = (name) => find("result", name);

    function fill(name, options) {
      const select = control(name), before = select.value;
      select.replaceChildren(...options.map(([value, label]) => new Option(label, value)));
      if (options.some(([value]) => String(value) === before)) select.value = before;
      select.closest("label").hidden = options.length < 2;
    }

    // A slider with a number beside it. The slider's steps are even in log; the number is exact.
    function pair(name, whole) {
      const slider = find("slider", name), number = find("number", name);
      let ends = [1, 1];
      Object.assign(slider, {min: 0, max: STEPS, step: 1});
      const clamp = (value) => Math.min(Math.max(value, ends[0]), ends[1]);
      const short = (value) => whole() ? Math.round(value) : Number(value.toPrecision(3));
      const follow = () => {
        const value = clamp(Number(number.value) || ends[0]);
        const place = Math.log(value / ends[0]) / (Math.log(ends[1] / ends[0]) || 1);
        slider.value = Math.round(STEPS * place);
        slider.ariaValueText = text(value);
      };
      slider.addEventListener("input", () => {
        number.value = clamp(short(ends[0] * (ends[1] / ends[0]) ** (slider.value / STEPS)));
        slider.ariaValueText = text(Number(number.value));
      });
      number.addEventListener("input", follow);
      number.addEventListener("change", () => { number.value = api.value(); follow(); });
      const api = {
        value: () => {
          const value = clamp(Number(number.value) || ends[0]);
          return whole() ? Math.round(value) : value;
        },
        limit: (low, high, initial) => {
          if (ends[0] === low && ends[1] === high) return;
          ends = [low, high];
          Object.assign(number, {min: low, max: high, step: "any"});
          number.value = number.value === "" ? initial : api.value();
          follow();
        },
        show: (shown) => { find("pair", name).hidden = !shown; },
      };
      return api;
    }

    const isDelay = () => control("schedule").value === "periodic";
    const horizon = pair("horizon", () => false), task = pair("task", () => false);
    const level = pair("level", isDelay);
    const sources = distinct(data.laws.map((law) => `${law.kind} ${law.name}`));
    const named = (source) => data.laws.filter((law) => `${law.kind} ${law.name}` === source);

    function chosenLaw() {
      const found = named(control("law").value).filter(
        (law) => law.threshold === Number(control("threshold").value));
      return found.find((law) => law.width === Number(control("width").value)) || found[0];
    }

    // Offer only laws that exist, and horizons and levels in reach of what was measured.
    function offer() {
      const laws = named(control("law").value);
      const thresholds = distinct(laws.map((law) => law.threshold)).sort((one, two) => one - two);
      const fresh = control("threshold").value === "";
      fill("threshold", thresholds.map((value) => [value, value]));
      if (fresh) control("threshold").value = thresholds[Math.floor(thresholds.length / 2)];
      const widths = laws.filter((law) => law.threshold === Number(control("threshold").value))
        .map((law) => law.width).sort((one, two) => one - two);
      const first = control("width").value === "";
      fill("width", widths.map((value) => [value, value]));
      if (first) control("width").value = widths[widths.length - 1];
      const law = chosenLaw();
      fill("schedule", law.kind === "schedule"
        ? Object.entries(data.kinds).map(([kind, name]) => [kind, name ? `${kind}:${name}` : kind])
        : []);
      horizon.limit(1, data.reach * law.measured[1], law.measured[1]);
      task.limit(1, LARGEST_TASK, 1);
      offerLevels(law);
      return law;
    }

    function offerLevels(law) {
      const kind = control("schedule").value, name = data.kinds[kind];
      level.show(law.kind === "schedule" && Boolean(name));
      if (!name) return;
      const [low, high] = (law.measured_levels || {})[kind] || (kind === "periodic" ? [1, 16] : [0.25, 1]);
      find("name", "level").textContent = kind === "periodic"
        ? "k: steps between payments" : "p: probability that a reward is given";
      if (kind === "periodic") level.limit(1, data.reach * high, high);
      else level.limit(low / data.reach, 1, low);
    }

    function show(name, band, unit) {
      const place = result(name);
      const known = band && band.high / band.low < TOO_WIDE;
      place.textContent = known ? `${text(band.value * unit)} `
        + `[${text(band.low * unit)}, ${text(band.high * unit)}]` : data.unknown;
      for (const part of ["value", "low", "high"]) {
        if (known) place.dataset[part] = band[part] * unit;
        else delete place.dataset[part];
      }
    }

    function note(law, settings) {
      const parts = [], [least, most] = law.measured;
      const range = `${text(least)} to ${text(most)}`;
      parts.push(settings.horizon < least || settings.horizon > most
        ? `Extrapolated: horizons from ${range} were measured.`
        : `Within the measured horizons, ${range}.`);
      if (law.kind === "schedule" && data.kinds[settings.schedule]) {
        const ends = law.measured_levels[settings.schedule], name = data.kinds[settings.schedule];
        if (!ends) parts.push(`Extrapolated: no ${settings.schedule} schedule was measured.`);
        else if (settings.level < ends[0] || settings.level > ends[1]) {
          parts.push(`Extrapolated: ${name} from ${text(ends[0])} to ${text(ends[1])} was measured.`);
        }
      }
      const name = data.kinds[settings.schedule]
        ? `${settings.schedule}:${settings.level}` : settings.schedule;
      const departure = (law.departures || {})[name];
      if (departure) {
        parts.push(`Runs of ${name} needed ${departure} times what the law of the other schedules`
          + " predicts.");
      }
      return parts.join(" ");
    }

    function update() {
      const law = offer();
      const settings = {horizon: horizon.value(), schedule: control("schedule").value || "dense",
        level: 1};
      if (data.kinds[settings.schedule]) settings.level = level.value();
      const band = predict(law, settings), scale = task.value();
      show("samples", band, scale);
      show("flops", band, scale * law.flops);
      show("product", band, scale * law.parameters);
      result("note").textContent = note(law, settings);
    }

    root.querySelector(".calculator-body").hidden = false;
    fill("law", sources.map((source) => [source, named(source)[0].name]));
    const joint = data.laws.find((law) => law.kind === "schedule");
    if (joint) control("law").value = `schedule ${joint.name}`;
    root.addEventListener("input", update);
    root.addEventListener("change", update);
    update();
  }

  document.addEventListener("DOMContentLoaded",
    () => document.querySelectorAll("[data-calculator]").forEach(start));
})();
