"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const minus = (text) => String(text).replace("-", "\u2212");

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function drawn(name, attributes = {}, text = null) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== null) made.textContent = text;
  return made;
}

function fill(select, options, value = select.value) {
  select.replaceChildren(...options.map(([key, text]) => element("option", { value: key }, text)));
  if (options.some(([key]) => key === value)) select.value = value;
}

for (const part of document.querySelectorAll(".scripted")) part.hidden = false;
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((part) => { part.open = true; }));

// Theme: the system's until the reader chooses; the choice is kept where the browser lets a page keep something.
const themes = ["system", "dark", "light"];
function setTheme(name) {
  if (name === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
  byId("theme").textContent = `Theme: ${name}`;
}
let theme = "system";
try { theme = themes.find((name) => name === localStorage.getItem("theme")) ?? theme; } catch { /* no storage */ }
setTheme(theme);
byId("theme").addEventListener("click", () => {
  theme = themes[(themes.indexOf(theme) + 1) % themes.length];
  setTheme(theme);
  try { localStorage.setItem("theme", theme); } catch { /* no storage */ }
});

// Sorting: numbers from the top down first, names from A; then the other way; then as written. Blanks stay last.
for (const table of document.querySelectorAll(".sortable")) {
  const body = table.tBodies[table.tBodies.length - 1];
  const written = [...body.rows];
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => {
    const numeric = heading.classList.contains("number");
    const turns = numeric ? ["descending", "ascending", null] : ["ascending", "descending", null];
    const button = element("button", { type: "button" }, ...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const turn = turns[(turns.indexOf(heading.getAttribute("aria-sort")) + 1) % turns.length];
      headings.forEach((other) => other.removeAttribute("aria-sort"));
      if (turn) heading.setAttribute("aria-sort", turn);
      const key = (row) => {
        const cell = row.cells[column];
        return numeric ? (cell.dataset.number === undefined ? null : Number(cell.dataset.number)) : cell.textContent.trim();
      };
      const sign = turn === "descending" ? -1 : 1;
      const order = (a, b) => {
        const [x, y] = [key(a), key(b)];
        if (x === null || y === null) return (x === null) - (y === null);
        return sign * (numeric ? x - y : x.localeCompare(y, "en"));
      };
      body.append(...(turn ? [...written].sort(order) : written));
    });
  });
}

// Learning curves.
const ALL = "";
const quantities = { task: byId("curve-task"), method: byId("curve-method"), shown: byId("curve-quantity") };
const mean = (values) => (values.length ? values.reduce((sum, value) => sum + value, 0) / values.length : null);
const meanOver = (seeds, step) => mean(seeds.map((seed) => seed[step] ?? null).filter((value) => value !== null));
const commonest = (values) => [...values].sort((a, b) => a - b).reduce((best, value, _, all) => {
  const count = all.filter((other) => other === value).length;
  return count > best[1] ? [value, count] : best;
}, [null, 0])[0];

function series(curves, shown) {
  const seeds = shown === "score" ? curves.score.map((seed) => seed.map((v) => (v === null ? null : 100 * v))) : curves.terms[shown];
  return seeds && { seeds, mean: curves.steps.map((_, step) => meanOver(seeds, step)) };
}

function updateChoices() {
  const curves = data.curves[quantities.task.value];
  fill(quantities.method, [[ALL, "all methods (means)"], ...Object.keys(curves).map((name) => [name, name])]);
  const chosen = quantities.method.value === ALL ? Object.values(curves) : [curves[quantities.method.value]];
  const terms = [...new Set(chosen.flatMap((one) => Object.keys(one.terms)))].sort();
  fill(quantities.shown, [["score", `score: ${data.metrics[quantities.task.value]} (\u00d7100)`], ...terms.map((name) => [name, `loss term: ${name}`])]);
}

function ticks(low, high, count = 5) {
  const rough = (high - low) / count, power = 10 ** Math.floor(Math.log10(rough));
  const gap = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((value) => value >= rough);
  const found = [];
  for (let n = Math.ceil(low / gap); n * gap <= high; n += 1) found.push(Number((n * gap).toPrecision(12)));
  return found;
}

function drawCurves() {
  const { task, method, shown } = Object.fromEntries(Object.entries(quantities).map(([key, select]) => [key, select.value]));
  const single = method !== ALL;
  const lines = (single ? [method] : Object.keys(data.curves[task]))
    .map((name) => ({ name, look: data.looks[name], curves: data.curves[task][name], ...series(data.curves[task][name], shown) }))
    .filter((line) => line.seeds);
  const values = lines.flatMap((line) => (single ? line.seeds.flat() : line.mean)).filter((value) => value !== null && value !== undefined);
  const plot = byId("curve-plot");
  if (!values.length) return plot.replaceChildren("No value was recorded.");
  const width = Math.min(plot.clientWidth || 640, 820), height = 320;
  const room = { left: 46, right: single ? 14 : 108, top: 14, bottom: 38 };
  const steps = Math.max(...lines.map((line) => line.curves.steps.length));
  const spare = 0.06 * (Math.max(...values) - Math.min(...values)) || 1;
  const low = Math.min(...values) - spare, high = Math.max(...values) + spare;
  const inner = { left: room.left + 14, right: width - room.right - 4 };
  const x = (step) => inner.left + (steps > 1 ? step / (steps - 1) : 0.5) * (inner.right - inner.left);
  const y = (value) => height - room.bottom - ((value - low) / (high - low)) * (height - room.bottom - room.top);
  const picture = drawn("svg", { width, height, role: "img", "aria-label": `${quantities.shown.selectedOptions[0].text} per epoch on ${data.titles[task]}, ${single ? method : "all methods"}` });
  for (const tick of ticks(low, high)) {
    picture.append(drawn("line", { class: "grid", x1: room.left, x2: width - room.right, y1: y(tick), y2: y(tick) }));
    picture.append(drawn("text", { x: room.left - 6, y: y(tick) + 4, "text-anchor": "end" }, minus(tick)));
  }
  const every = Math.ceil(steps / 15);
  for (let step = 0; step < steps; step += every) picture.append(drawn("text", { x: x(step), y: height - room.bottom + 18, "text-anchor": "middle" }, step + 1));
  picture.append(drawn("text", { x: (room.left + width - room.right) / 2, y: height - 4, "text-anchor": "middle" }, "epoch"));
  if (single) {
    lines[0].curves.steps.forEach(([phase], step, all) => {
      if (step && phase === all[step - 1][0]) return;
      if (step) picture.append(drawn("line", { class: "phase", x1: x(step - 0.5), x2: x(step - 0.5), y1: room.top, y2: height - room.bottom }));
      if (all.some(([other]) => other !== phase)) picture.append(drawn("text", { x: step ? x(step - 0.5) + 4 : x(0) + 4, y: room.top }, phase));
    });
  }
  const ends = [];
  for (const { name, look, curves, seeds, mean: means } of lines) {
    const group = drawn("g", { style: `--color: ${look.color}` });
    const trace = (one, kind, title) => {
      const points = one.map((value, step) => [value, step]).filter(([value]) => value !== null && value !== undefined);
      group.append(drawn("polyline", { class: kind, points: points.map(([value, step]) => `${x(step)},${y(value)}`).join(" "), "stroke-dasharray": look.dash }));
      for (const [value, step] of points) {
        const dot = drawn("path", { class: "dot", d: look.shape, transform: `translate(${x(step)} ${y(value)}) scale(${kind === "curve" ? 0.8 : 0.5})` });
        dot.append(drawn("title", {}, `${title}, epoch ${step + 1}: ${minus(value.toPrecision(4))}`));
        group.append(dot);
      }
      return points.at(-1);
    };
    const ring = (value, step) => { if (value !== null && value !== undefined) group.append(drawn("circle", { class: "ring", cx: x(step), cy: y(value), r: 6.5 })); };
    if (single) seeds.forEach((seed, i) => { trace(seed, "curve seed", `${name}, seed ${curves.seeds[i]}`); ring(seed[curves.kept[i]], curves.kept[i]); });
    const last = trace(means, "curve", `${name}, mean of ${seeds.length}`);
    if (!single) { const kept = commonest(curves.kept); ring(means[kept], kept); ends.push([y(last[0]), name, x(last[1]), look]); }
    picture.append(group);
  }
  ends.sort((a, b) => a[0] - b[0]);
  ends.forEach((end) => { end[4] = end[0]; });
  for (let round = 0; round < 60; round += 1) {
    for (let i = 1; i < ends.length; i += 1) {
      const lacking = Math.max(0, 13 - (ends[i][4] - ends[i - 1][4])) / 2;
      ends[i - 1][4] -= lacking;
      ends[i][4] += lacking;
    }
  }
  for (const [, name, right, look, at] of ends) {
    picture.append(drawn("path", { d: look.shape, style: `fill: ${look.color}`, transform: `translate(${right + 16} ${at}) scale(0.8)` }));
    picture.append(drawn("text", { class: "label", x: right + 23, y: at + 4 }, name));
  }
  plot.replaceChildren(picture);
  return writeValues(lines, steps);
}

function writeValues(lines, steps) {
  const head = element("tr", {}, ...["method (mean over seeds)", ...Array.from({ length: steps }, (_, step) => `epoch ${step + 1}`)].map((text, i) => element("th", i ? { scope: "col", class: "number" } : { scope: "col" }, text)));
  const rows = lines.map((line) => element("tr", {}, element("th", { scope: "row" }, `${line.name} (n = ${line.seeds.length})`),
    ...Array.from({ length: steps }, (_, step) => element("td", { class: "number" }, (line.mean[step] ?? null) === null ? "\u2013" : minus(line.mean[step].toPrecision(4))))));
  byId("curve-values").replaceChildren(element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows)));
}

fill(quantities.task, Object.keys(data.curves).map((name) => [name, data.titles[name]]));
for (const select of Object.values(quantities)) select.addEventListener("change", () => { updateChoices(); drawCurves(); });
addEventListener("resize", drawCurves);
updateChoices();
drawCurves();

// Attribution examples. One stop of the Tab key per row of tokens; the arrow keys go from token to token.
function tokenRow(example, values, color, point) {
  const largest = Math.max(...values.filter((_, i) => !example.special[i]).map(Math.abs)) || 1;
  const row = element("div", { class: "tokens", role: "group", "aria-label": `tokens coloured by ${color}` });
  example.tokens.forEach((token, i) => {
    const joined = token.startsWith("##") && i > 0;
    const one = element("span", { class: "token", tabindex: i ? -1 : 0, "aria-label": `${token} ${minus(values[i])}` }, joined ? token.slice(2) : token);
    if (joined) one.classList.add("joined");
    if (example.special[i]) one.classList.add("special");
    else one.style.background = `color-mix(in srgb, var(--${values[i] < 0 ? "against" : "for"}) ${Math.round((100 * Math.abs(values[i])) / largest)}%, transparent)`;
    one.addEventListener("pointerenter", () => point(i));
    one.addEventListener("focus", () => point(i));
    row.append(one, joined || example.tokens[i + 1]?.startsWith("##") ? "" : " ");
  });
  row.addEventListener("keydown", (event) => {
    const tokens = [...row.children], step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const next = step && tokens[tokens.indexOf(document.activeElement) + step];
    if (!next) return;
    document.activeElement.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
    event.preventDefault();
  });
  return row;
}

function exampleBox(example, method) {
  const student = example.students[method], readout = element("p", { class: "readout" }, "\u00a0");
  const rows = [];
  const point = (i) => {
    rows.forEach((row) => [...row.children].forEach((token, at) => token.classList.toggle("pointed", at === i)));
    readout.replaceChildren(element("code", {}, example.tokens[i]), `: teacher ${minus(example.teacher.map[i])}, ${method} ${minus(student.map[i])}`);
  };
  const side = (name, one) => {
    const row = tokenRow(example, one.map, name, point);
    rows.push(row);
    return element("div", { class: "map" }, element("p", {}, element("strong", {}, name), ` answers ${one.answer}`), row);
  };
  const rho = student.rho === null ? "undefined" : minus(student.rho.toFixed(2));
  return element("div", { class: "example" },
    element("h3", {}, `Rank correlation ${rho} `, element("span", {}, `\u00b7 ${example.rank} \u00b7 gold: ${example.label} \u00b7 example ${example.idx} \u00b7 attribution of ${example.explained}`)),
    element("div", { class: "maps" }, side("teacher", example.teacher), side(method, student)), readout);
}

const explained = Object.keys(data.explained);
if (explained.length) {
  const [task, method] = [byId("example-task"), byId("example-method")];
  const update = () => {
    const one = data.explained[task.value];
    fill(method, Object.entries(one.seeds).map(([name, seed]) => [name, `${name} (seed ${seed})`]), method.value || data.reference);
    byId("example-rule").textContent = one.rule;
    byId("examples-list").replaceChildren(...one.examples.filter((example) => example.students[method.value]).map((example) => exampleBox(example, method.value)));
  };
  fill(task, explained.map((name) => [name, data.titles[name]]));
  for (const select of [task, method]) select.addEventListener("change", update);
  update();
}
