// A feature's page, made from its data when it is opened.

function featurePage(table, id) {
  const [feature, label, kind, verdict, terms, evidence, controls, bars, samples, tables] = table.pages[id];
  const layouts = table.layouts.filter(([name]) => tables[name]?.length);
  return [
    featureNavigation(table, id),
    el("div", { class: "feature-head" }, el("div", {},
      el("h1", { id: "feature-title", tabindex: "-1" }, el("span", { class: "name" }, `Feature ${feature}`), " ", label ? el("span", { class: "label" }, bdi(label)) : null),
      el("p", { class: "badges" }, badge(kind, kindMark(kind)), verdict === kind ? null : badge(verdict)),
      terms.length ? el("dl", { class: "summary" }, terms.map(term)) : null,
      evidence ? el("p", {}, bdi(evidence)) : null, controls ? el("p", {}, bdi(controls)) : null),
      bars ? histogram(bars) : null),
    el("div", { class: "feature-body" },
      el("div", { class: "feature-main" },
        ...layouts.filter((each) => wide(each)).map((layout) => layoutTable(id, layout, tables)),
        samples.length ? sampleGroups(table, samples) : null),
      el("div", { class: "feature-side" },
        ...layouts.filter((each) => !wide(each)).map((layout) => layoutTable(id, layout, tables)))),
  ];
}

const wide = ([, , columns]) => columns.length > 4;

function group(title, ...children) {
  return el("section", { class: "group" }, el("h2", {}, title), ...children);
}

function badge(text, mark = null) {
  return text ? el("span", { class: "badge" }, mark, bdi(text)) : null;
}

function term([name, shown, code]) {
  return el("div", {}, el("dt", {}, name), el("dd", {}, code ? el("code", {}, shown) : bdi(shown)));
}

function featureNavigation(table, id) {
  const { before, after } = table.beside(id);
  const step = (row, words, name) => row
    ? el("a", { href: hrefOf(row.id), [`data-${name}`]: true }, `${words}: ${cellShown(row.cells[0])}`)
    : el("span", { class: "muted" }, `${words}: none`);
  return el("nav", { class: "feature-nav", "aria-label": "Features" },
    el("a", { href: `${document.body.dataset.home ?? ""}#${table.id}`, "data-back": true }, "All features"),
    el("span", { class: "last" }, step(before, "Previous", "previous"), step(after, "Next", "next")));
}

// Activations

function histogram([low, high, counts, alt]) {
  const width = 320, height = 96, most = Math.max(1, ...counts), bar = width / counts.length;
  const bars = counts.map((count, at) => {
    const tall = count ? Math.max(1.5, (height * count) / most) : 0;
    return svg("rect", { x: (at * bar + 0.5).toFixed(2), y: (height - tall).toFixed(2), width: Math.max(1, bar - 1).toFixed(2), height: tall.toFixed(2) },
      svg("title", {}, String(count)));
  });
  const drawing = svg("svg", { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "data-histogram": true, "aria-hidden": "true", focusable: "false" }, bars);
  return group("Activations",
    el("div", { class: "histogram", role: "img", "aria-label": alt }, drawing),
    el("p", { class: "ends" }, el("span", {}, low), el("span", {}, high)),
    el("p", { class: "note" }, bdi(alt)));
}

// Problems

function sampleGroups(table, samples) {
  const marked = samples.some(([, own]) => own.some((sample) => sample[3].length));
  return group("Problems",
    marked ? el("p", { class: "note" }, mark("Marked"), " steps are those in which its concept occurs.") : null,
    ...samples.map(([title, own]) => el("div", { class: "samples", "data-samples": title }, el("h3", {}, bdi(title)),
      el("ol", {}, own.map((sample) => sampleOf(table.problems[sample[0]], sample))))));
}

function sampleOf([id, question, steps, answer], [, activation, share, marked]) {
  const bar = el("span", { class: "bar", "aria-hidden": "true" }, el("span", {}));
  bar.firstChild.style.width = `${100 * Math.min(1, Math.max(0, share))}%`;
  return el("li", { class: "sample" },
    el("div", { class: "strength" }, el("span", { class: "activation" }, el("span", { class: "unseen" }, "Activation "), activation), bar, el("small", {}, bdi(id))),
    el("div", {},
      el("p", { class: "question" }, bdi(question)),
      el("p", { class: "steps" }, steps.map((step, at) => [marked.includes(at) ? mark(step) : el("span", { class: "step" }, bdi(step)), " "]),
        answer ? el("span", { class: "answer" }, "Answer ", bdi(answer)) : null)));
}

function mark(text) {
  return el("mark", { class: "step marked" }, el("span", { "aria-hidden": "true" }, "\u25C6 "), bdi(text), el("span", { class: "unseen" }, " (marked)"));
}

// Tables

function layoutTable(id, [name, caption, columns, note], tables) {
  const heads = columns.map(([column, title, numeric, about]) => ({ name: column, title, numeric, about }));
  const identity = `${id}-${name}`;
  const rows = tables[name].map((row) => el("tr", {}, row.map((cell, at) => dataCell(pageCell(cell), heads[at], at === 0))));
  const grouped = columns.some((column) => column[4]) ? groupHeads(columns) : null;
  const row = el("tr", {}, heads.map((head) => el("th", { scope: "col", class: head.numeric ? "number" : null, title: head.about || null, "data-column": head.name }, head.title)));
  return el("section", { class: "group table", "data-table": identity },
    el("h2", { id: `${identity}-caption`, class: "caption" }, bdi(caption)),
    el("div", { class: "scroll", role: "group", "aria-labelledby": `${identity}-caption`, tabindex: "0" },
      el("table", { "aria-labelledby": `${identity}-caption` }, el("thead", {}, grouped, row), el("tbody", {}, rows))),
    note ? el("p", { class: "note" }, bdi(note)) : null);
}

// A page's cells have no value of their own: text, or [shown, detail, link].
const pageCell = (cell) => (Array.isArray(cell) ? ["", ...cell] : ["", cell]);

function groupHeads(columns) {
  const cells = [];
  for (let at = 0; at < columns.length;) {
    const own = columns[at][4];
    let width = 1;
    while (at + width < columns.length && columns[at + width][4] === own) width += 1;
    cells.push(own ? el("th", { scope: "colgroup", colspan: width }, el("span", {}, own)) : el("td", { colspan: width }));
    at += width;
  }
  return el("tr", { class: "groups" }, cells);
}
