// A table that is searched, filtered and sorted: what is left of its rows, and the tools above it.

const MANY = 8; // rows above which a table can be searched

class TableView {
  // wrapper: the element [data-table]; columns: [{name, title, numeric, filter}];
  // rows: whatever `reader` understands: value(row, column), shown(row, column), text(row), node(row);
  // size: so many rows are shown at once.
  constructor(wrapper, columns, rows, reader, size = Infinity) {
    Object.assign(this, { wrapper, columns, rows, reader, size });
    this.id = wrapper.dataset.table;
    this.body = wrapper.querySelector("tbody");
    this.head = wrapper.querySelector("thead tr:last-child");
    this.clear();
    this.buildHeads();
    this.buildTools();
    TableView.all.push(this);
  }

  clear() {
    this.state = { sort: null, search: "", filters: {}, shown: this.size === Infinity ? null : this.size };
  }

  // Tools

  buildHeads() {
    [...this.head.cells].forEach((head, column) => {
      const button = el("button", { type: "button" }, ...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const [sorted, direction] = this.state.sort ?? [];
        this.state.sort = [column, sorted === column && direction > 0 ? -1 : 1];
        this.changed();
      });
    });
  }

  buildTools() {
    this.count = el("p", { class: "count", role: "status", "data-count": true });
    this.tools = el("div", { class: "tools" });
    if (this.rows.length > MANY) this.tools.append(this.searchField());
    const fields = this.columns.map((column, at) => {
      if (column.filter === "choice") return this.choice(column, at);
      return column.filter === "range" ? this.range(column, at) : null;
    }).filter(Boolean);
    if (fields.length) this.tools.append(...this.folding(fields));
    if (!this.tools.childNodes.length) this.count.hidden = true;
    else this.tools.classList.add("full");
    const clear = el("button", { type: "button", class: "quiet", "data-clear": true, hidden: true }, "Clear");
    clear.addEventListener("click", () => { this.clear(); this.fill(); this.changed(); this.tools.querySelector("input, select")?.focus(); });
    const csv = el("button", { type: "button", class: "quiet", "data-csv": true, "aria-label": `Download as CSV: ${this.title}` }, "CSV");
    csv.addEventListener("click", () => download(`${this.id}.csv`, "text/csv", this.csv()));
    this.tools.append(clear, el("div", { class: "last" }, this.count, csv));
    this.wrapper.querySelector(".table-head").append(this.tools);
    if (this.size !== Infinity) this.buildMore();
  }

  // On a narrow screen the fields are opened by a button.
  folding(fields) {
    this.fields = el("div", { class: "fields", id: `${this.id}-fields` }, ...fields);
    this.opener = el("button", { type: "button", class: "quiet opener", "aria-controls": this.fields.id, "aria-expanded": "false" }, "Filters");
    this.opener.addEventListener("click", () => this.open(!this.fields.classList.contains("open")));
    return [this.opener, this.fields];
  }

  open(wanted) {
    this.fields?.classList.toggle("open", wanted);
    this.opener?.setAttribute("aria-expanded", String(wanted));
  }

  get title() {
    return this.wrapper.querySelector(".caption")?.textContent.trim() ?? this.id;
  }

  searchField() {
    const field = el("input", { type: "search", placeholder: "Search", "aria-label": `Search: ${this.title}`, "data-search": true, autocomplete: "off", spellcheck: "false" });
    field.addEventListener("input", () => { this.state.search = field.value; this.changed(); });
    return field;
  }

  choice(column, at) {
    const counts = new Map();
    for (const row of this.rows) {
      const shown = this.reader.shown(row, at);
      counts.set(shown, (counts.get(shown) ?? 0) + 1);
    }
    const names = [...counts.keys()].sort((a, b) => a.localeCompare(b, "en"));
    const options = names.map((name) => el("option", { value: name }, name));
    const field = el("select", { "data-filter": column.name }, el("option", { value: "" }, "all"), ...options);
    field.addEventListener("change", () => this.filter(column.name, field.value));
    return el("label", {}, `${column.title} `, field);
  }

  range(column, at) {
    const percent = this.rows.some((row) => this.reader.shown(row, at).endsWith("%"));
    column.scale = percent ? 100 : 1;
    const field = (end, words) => {
      const input = el("input", { type: "text", inputmode: "decimal", [`data-${end}`]: column.name, "aria-label": `${column.title} ${words}${percent ? ", in percent" : ""}`, placeholder: words, autocomplete: "off" });
      input.addEventListener("input", () => this.filter(`${column.name} ${end}`, input.value));
      return input;
    };
    return el("span", { class: "range", role: "group", "aria-label": column.title }, el("span", {}, `${column.title} `), field("from", "from"), field("to", "to"), percent ? el("span", {}, "%") : null);
  }

  filter(name, value) {
    if (value === "") delete this.state.filters[name];
    else this.state.filters[name] = value;
    this.changed();
  }

  buildMore() {
    this.more = el("button", { type: "button", class: "more", "data-more": true });
    this.more.addEventListener("click", () => {
      const first = this.state.shown;
      this.state.shown += this.size;
      this.changed(true);
      this.body.rows[first]?.querySelector("a")?.focus();
    });
    this.wrapper.append(this.more);
  }

  // The fields as the state has them.
  fill() {
    const { search, filters } = this.state;
    if (Object.keys(filters).length) this.open(true);
    for (const field of this.tools.querySelectorAll("input, select")) {
      const { filter, from, to } = field.dataset;
      if ("search" in field.dataset) field.value = search;
      else field.value = filters[filter ?? (from ? `${from} from` : `${to} to`)] ?? "";
    }
  }

  // What is left

  get left() {
    const { sort, search } = this.state;
    const wanted = search.toLocaleLowerCase("en").split(/\s+/).filter(Boolean);
    const tests = this.columns.flatMap((column, at) => this.tests(column, at));
    const rows = this.rows.filter((row) => {
      if (!tests.every((test) => test(row))) return false;
      const text = wanted.length ? this.reader.text(row) : "";
      return wanted.every((word) => text.includes(word));
    });
    if (!sort) return rows;
    const [column, direction] = sort;
    return rows.sort((a, b) => compare(this.reader.value(a, column), this.reader.value(b, column), direction));
  }

  tests(column, at) {
    const { filters } = this.state;
    const choice = filters[column.name];
    const limit = (text) => {
      const number = Number(String(text ?? "").replace(",", ".").replace(/\s*%$/, "").trim() || NaN);
      return number / (column.scale ?? 1);
    };
    const from = limit(filters[`${column.name} from`]), to = limit(filters[`${column.name} to`]);
    const found = [];
    if (choice !== undefined) found.push((row) => this.reader.shown(row, at) === choice);
    const number = (row) => { const value = this.reader.value(row, at); return isNumber(value) ? Number(value) : NaN; };
    if (!Number.isNaN(from)) found.push((row) => number(row) >= from);
    if (!Number.isNaN(to)) found.push((row) => number(row) <= to);
    return found;
  }

  changed(keepShown = false) {
    if (!keepShown && this.more) this.state.shown = this.size;
    this.show();
    remember();
  }

  show() {
    const left = this.left, { sort, shown } = this.state;
    this.current = left;
    const visible = shown === null ? left : left.slice(0, shown);
    this.body.replaceChildren(...visible.map((row) => this.reader.node(row)));
    if (!visible.length) {
      const words = this.rows.length ? "No row is left." : "No rows.";
      this.body.append(el("tr", {}, el("td", { class: "empty", colspan: this.columns.length }, words)));
    }
    [...this.head.cells].forEach((head, column) => {
      if (sort?.[0] === column) head.setAttribute("aria-sort", sort[1] > 0 ? "ascending" : "descending");
      else head.removeAttribute("aria-sort");
    });
    const total = this.rows.length, noun = total === 1 ? "row" : "rows";
    this.count.textContent = left.length === total ? `${total} ${noun}` : `${left.length} of ${total} ${noun}`;
    const { search, filters } = this.state;
    this.tools.querySelector("[data-clear]").hidden = !search && !Object.keys(filters).length;
    if (this.more) {
      this.more.hidden = left.length <= shown;
      this.more.textContent = `Show ${Math.min(this.size, left.length - shown)} more`;
    }
  }

  csv() {
    const rows = this.current ?? this.rows;
    const values = (row) => this.columns.map((_, at) => this.reader.value(row, at));
    return asCsv([this.columns.map((column) => column.name), ...rows.map(values)]);
  }
}
TableView.all = [];

// Numbers by size, everything else by letters, what has no value always last.
function compare(a, b, sign) {
  if (a === "" || b === "") return (a === "") - (b === "");
  const x = Number(a), y = Number(b);
  const both = !Number.isNaN(x) && !Number.isNaN(y);
  return sign * (both ? x - y : String(a).localeCompare(String(b), "en"));
}
