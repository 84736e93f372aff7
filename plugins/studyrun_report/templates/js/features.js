// The tables of all features: their rows come from data, a window of them is in the page.

const WINDOW = 50;

class FeatureTable {
  constructor(wrapper) {
    this.id = wrapper.dataset.features;
    const data = embedded(`script[data-rows="${this.id}"]`);
    this.files = data.files;
    this.elsewhere = data.elsewhere;
    this.columns = data.columns.map(([name, title, numeric, about, group, filter]) => ({ name, title, numeric, about, group, filter }));
    this.rows = data.rows.map((cells) => ({ cells, id: cellLink(cells[0]) }));
    this.known = new Set(this.rows.map((row) => row.id));
    const reader = {
      value: (row, column) => cellValue(row.cells[column]),
      shown: (row, column) => cellShown(row.cells[column]),
      text: (row) => (row.text ??= row.cells.map((cell) => `${cellShown(cell)} ${cellDetail(cell)}`).join(" ").toLocaleLowerCase("en")),
      node: (row) => this.node(row),
    };
    this.view = new TableView(wrapper, this.columns, this.rows, reader, WINDOW);
    this.view.show();
    wrapper.querySelector("tbody").addEventListener("click", (event) => {
      const link = event.target.closest("tr")?.querySelector("th a");
      if (link && !event.target.closest("a") && !String(getSelection())) link.click();
    });
  }

  node(row) {
    return el("tr", {}, row.cells.map((cell, at) => dataCell(cell, this.columns[at], at === 0)));
  }

  // The pages are read when the first of them is asked for.
  get pages() {
    this.read ??= embedded(`script[data-pages="${this.id}"]`);
    return this.read.pages;
  }

  get problems() { return this.pages && this.read.problems; }
  get layouts() { return this.pages && this.read.layouts; }

  has(id) { return this.known.has(id) && (Object.hasOwn(this.elsewhere, id) || Object.hasOwn(this.pages, id)); }

  // The pages before and after, in the order in which the table stands.
  beside(id) {
    const rows = this.view.current.some((row) => row.id === id) ? this.view.current : this.rows;
    const at = rows.findIndex((row) => row.id === id);
    return { before: rows[at - 1], after: at < 0 ? undefined : rows[at + 1] };
  }
}
FeatureTable.all = [];

function dataCell(cell, column, first) {
  const shown = cellShown(cell), detail = cellDetail(cell), link = cellLink(cell);
  const words = link ? el("a", { href: hrefOf(link) }, shown) : bdi(shown);
  const kind = column.name === "kind" && shown ? kindMark(shown) : null;
  const size = column.numeric ? "number" : shown.length < 24 ? "short" : shown.length > 45 ? "long" : null;
  return el(first ? "th" : "td", { scope: first ? "row" : null, class: size }, kind, words, detail ? el("small", {}, detail) : null);
}

// Where a link leads: to a page or block of this file, or to the file in which it stands.
function hrefOf(id) {
  for (const table of FeatureTable.all) {
    if (Object.hasOwn(table.elsewhere, id)) return `${table.files[table.elsewhere[id]]}#${encodeURIComponent(id)}`;
    if (table.known.has(id)) return `#${encodeURIComponent(id)}`;
  }
  const home = document.body.dataset.home;
  return home && !document.getElementById(id) ? `${home}#${encodeURIComponent(id)}` : `#${encodeURIComponent(id)}`;
}

function startFeatures() {
  for (const wrapper of document.querySelectorAll("[data-features]")) FeatureTable.all.push(new FeatureTable(wrapper));
  for (const link of document.querySelectorAll("#report td a[href^='#'], #report th a[href^='#']")) {
    link.setAttribute("href", hrefOf(decodeURIComponent(link.hash.slice(1))));
  }
}
