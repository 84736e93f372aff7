// Figures that answer the pointer: Vega takes the place of the drawing when a figure comes into view.
// Whatever goes wrong, the drawing stays; so it does if Vega would write other words than it has.

let vega = null; // the promise of window.vegaEmbed

const parsed = new Promise((resolve) => {
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", resolve);
  else resolve();
});

function loadVega() {
  vega ??= parsed.then(() => new Promise((resolve, reject) => {
    const source = document.getElementById("vega");
    // The content security policy knows this script by its digest, wherever it is inserted.
    document.head.append(el("script", {}, source.textContent));
    if (window.vegaEmbed) resolve(window.vegaEmbed);
    else reject(new Error("Vega did not load"));
  }));
  return vega;
}

function startFigures() {
  let data = null;
  const watch = new IntersectionObserver((entries) => {
    for (const { target: figure, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      watch.unobserve(figure);
      data ??= embedded("#specs");
      idle(() => liven(figure, data.specs[figure.id], data.colours));
    }
  }, { rootMargin: "200px" });
  for (const figure of document.querySelectorAll("figure[data-live]")) {
    watch.observe(figure);
    figureTools(figure, () => (data ??= embedded("#specs")).specs[figure.id]);
  }
}

const idle = (work) => (window.requestIdleCallback ?? setTimeout)(work);

async function liven(figure, spec, colours) {
  const picture = figure.querySelector(".picture"), stage = el("div", { "aria-hidden": "true", class: "stage" });
  figure.append(stage);
  try {
    const embed = await loadVega();
    const { view } = await embed(stage, themed(spec, colours), {
      mode: "vega-lite", renderer: "svg", actions: false, ast: true, defaultStyle: false, tooltip: tooltipOf(spec),
    });
    const drawing = stage.querySelector("svg");
    if (!sameWords(picture, drawing)) { view.finalize(); throw new Error("other words"); }
    drawing.setAttribute("viewBox", drawing.getAttribute("viewBox") ?? `0 0 ${drawing.getAttribute("width")} ${drawing.getAttribute("height")}`);
    for (const name of ["width", "height"]) drawing.removeAttribute(name);
    drawing.setAttribute("aria-hidden", "true"); // the alternative text speaks for it, as it did before
    drawing.setAttribute("focusable", "false");
    picture.replaceChildren(...stage.childNodes);
    figure.dataset.live = "yes";
  } catch (problem) {
    figure.dataset.live = "failed";
    figure.dataset.why = problem.message;
  }
  stage.remove();
}

const words = (node) => [...node.querySelectorAll("text")].map((text) => text.textContent).sort().join("\n");
const sameWords = (before, after) => words(before) === words(after);

// The specification with the page's names for its colours, so that the theme changes them.
function themed(spec, colours) {
  const change = (value, key) => {
    if (key === "datasets") return value;
    if (typeof value === "string") return Object.hasOwn(colours, value) ? `var(${colours[value]})` : value;
    if (Array.isArray(value)) return value.map((each) => change(each));
    if (value && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, change(each, name)]));
    return value;
  };
  const changed = change(spec);
  changed.config = { ...changed.config, mark: { ...changed.config?.mark, tooltip: { content: "data" } } };
  return changed;
}

// The row of data below the pointer, as the record has it.
function tooltipOf(spec) {
  const rows = Object.values(spec.datasets ?? {}), titles = titlesOf(spec);
  const fields = new Set(rows.flatMap((each) => Object.keys(each[0] ?? {})));
  const tip = document.getElementById("tooltip");
  return (handler, event, item, value) => {
    const entries = value && typeof value === "object" ? Object.entries(value) : [];
    const known = entries.filter(([name]) => fields.has(name));
    const shown = (known.length ? known : entries).filter(([, each]) => each !== null && each !== undefined && each !== "");
    tip.hidden = !shown.length;
    if (tip.hidden) return;
    tip.replaceChildren(el("dl", {}, shown.map(([name, each]) => el("div", {}, el("dt", {}, bdi(titles[name] ?? name.replaceAll("_", " "))), el("dd", {}, bdi(String(each)))))));
    const x = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8);
    const y = event.clientY + 18 + tip.offsetHeight > innerHeight ? event.clientY - tip.offsetHeight - 10 : event.clientY + 18;
    tip.style.left = `${Math.max(4, x)}px`;
    tip.style.top = `${Math.max(4, y)}px`;
  };
}

function titlesOf(value, found = {}) {
  if (Array.isArray(value)) for (const each of value) titlesOf(each, found);
  else if (value && typeof value === "object") {
    if (typeof value.field === "string" && typeof value.title === "string") found[value.field] ??= value.title;
    for (const [name, each] of Object.entries(value)) if (name !== "datasets") titlesOf(each, found);
  }
  return found;
}

// The numbers and the drawing, to take along.
function figureTools(figure, spec) {
  const caption = figure.querySelector("figcaption");
  const button = (words, make) => {
    const made = el("button", { type: "button", class: "quiet", "aria-label": `Download as ${words}: ${caption.firstElementChild.textContent}` }, words);
    made.addEventListener("click", make);
    return made;
  };
  const drawing = figure.querySelector(".picture svg").cloneNode(true);
  caption.append(el("span", { class: "take" },
    button("CSV", () => download(`${figure.id}.csv`, "text/csv", datasetCsv(spec()))),
    button("SVG", () => download(`${figure.id}.svg`, "image/svg+xml", plainSvg(drawing)))));
}

function datasetCsv(spec) {
  const [rows] = Object.values(spec.datasets ?? {}).sort((a, b) => b.length - a.length);
  const names = [...new Set((rows ?? []).flatMap((row) => Object.keys(row)))];
  return asCsv([names, ...(rows ?? []).map((row) => names.map((name) => row[name]))]);
}

// The drawing on its own: the colours of the light page in place of their names.
function plainSvg(drawing) {
  const { colours } = embedded("#specs");
  const named = Object.fromEntries(Object.entries(colours).map(([colour, name]) => [`var(${name})`, colour]));
  const copy = drawing.cloneNode(true);
  const [, , width, height] = copy.getAttribute("viewBox").split(" ");
  copy.setAttribute("width", width);
  copy.setAttribute("height", height);
  for (const node of copy.querySelectorAll("[fill^='var('], [stroke^='var(']")) {
    for (const name of ["fill", "stroke"]) if (named[node.getAttribute(name)]) node.setAttribute(name, named[node.getAttribute(name)]);
  }
  return new XMLSerializer().serializeToString(copy);
}
