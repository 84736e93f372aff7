// The page's own tables, which stand in its markup: their rows are put in order and left out.

const markupRows = {
  value: (row, column) => row.cells[column].dataset.value,
  shown: (row, column) => row.cells[column].dataset.shown ?? row.cells[column].textContent,
  text: (row) => (row.text ??= row.textContent.toLocaleLowerCase("en")),
  node: (row) => row,
};

function startTables() {
  for (const wrapper of document.querySelectorAll("[data-table]:not([data-features])")) {
    const table = wrapper.querySelector("table[data-sortable]");
    if (!table) continue;
    const heads = [...table.tHead.rows[table.tHead.rows.length - 1].cells];
    const columns = heads.map((head) => ({ name: head.dataset.column, title: head.textContent.trim(), filter: head.dataset.filter ?? "" }));
    const view = new TableView(wrapper, columns, [...table.tBodies[0].rows], markupRows);
    view.show();
  }
  watchScrolling(document);
}

// Only what scrolls is a stop for the keyboard.
const scrolling = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const box = target.closest(".scroll");
    if (box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }
});

function watchScrolling(root) {
  for (const box of root.querySelectorAll(".scroll")) {
    scrolling.observe(box);
    scrolling.observe(box.firstElementChild);
  }
}
