// Which of the two is shown, the report or one feature's page; the address says it.

const title = document.title;
let followed = false; // a link was followed, so where it leads decides what is seen

function target() {
  try { return decodeURIComponent(location.hash.slice(1)); } catch { return ""; }
}

// What the history remembers of this entry: the tables as they stand, and how far it was scrolled.
function remember(more = {}) {
  const tables = Object.fromEntries(TableView.all.map((view) => [view.id, view.state]));
  try { history.replaceState({ ...history.state, tables, ...more }, ""); } catch { /* then it does not */ }
}

function recall() {
  for (const view of TableView.all) {
    const state = history.state?.tables?.[view.id];
    if (!state) continue;
    view.state = state;
    view.fill();
    view.show();
  }
}

function route(first = false) {
  const id = target(), table = FeatureTable.all.find((each) => id && each.has(id));
  if (table && Object.hasOwn(table.elsewhere, id)) { location.replace(hrefOf(id)); return; }
  const home = document.body.dataset.home;
  if (home && id && !table && !document.getElementById(id)) { location.replace(`${home}#${encodeURIComponent(id)}`); return; }
  if (table) showFeature(table, id);
  else showReport(id, first);
  followed = false;
}

function showFeature(table, id) {
  const view = document.getElementById("feature-view");
  view.replaceChildren(...featurePage(table, id));
  view.dataset.page = id;
  show("feature");
  watchScrolling(view);
  const heading = document.getElementById("feature-title");
  document.title = `${heading.textContent.trim()} \u00B7 ${title}`;
  heading.focus({ preventScroll: true });
  scrollTo(0, history.state?.scroll ?? 0);
}

function showReport(id, first) {
  const was = document.body.dataset.view;
  show("report");
  document.title = title;
  const place = id ? document.getElementById(id) : null;
  if (place) for (let each = place.closest("details"); each; each = each.parentElement.closest("details")) each.open = true;
  const back = document.querySelector(`#report a[href="#${CSS.escape(document.getElementById("feature-view").dataset.page ?? "")}"]`);
  if (was === "feature" && !followed && history.state?.scroll !== undefined) {
    scrollTo(0, history.state.scroll);
    back?.focus({ preventScroll: true });
  } else if (place && (was === "feature" || first || place instanceof HTMLDetailsElement)) {
    place.scrollIntoView();
    if (was === "feature") (back ?? place.querySelector("a, button, input"))?.focus({ preventScroll: true });
  }
}

function show(view) {
  document.body.dataset.view = view;
  document.getElementById("report").hidden = view !== "report";
  document.getElementById("feature-view").hidden = view !== "feature";
}

function startViews() {
  recall();
  document.addEventListener("click", (event) => {
    if (!event.target.closest("a[href]")) return;
    followed = true;
    remember({ scroll: scrollY });
  }, true);
  addEventListener("hashchange", () => { route(); remember(); });
  addEventListener("beforeprint", () => {
    for (const each of document.querySelectorAll("details")) each.open = true;
  });
  route(true);
  markSections();
}

// The section in view is the current one in the navigation.
function markSections() {
  const links = new Map([...document.querySelectorAll("nav[aria-label='Sections'] a[href^='#']")].map((link) => [link.hash.slice(1), link]));
  const seen = new Set();
  const watch = new IntersectionObserver((entries) => {
    for (const { target: section, isIntersecting } of entries) {
      if (isIntersecting) seen.add(section.id);
      else seen.delete(section.id);
    }
    const current = [...links.keys()].find((id) => seen.has(id));
    if (!current && document.body.dataset.view === "report") return;
    for (const [id, link] of links) {
      if (id === current) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  }, { rootMargin: "-15% 0px -65% 0px" });
  for (const id of links.keys()) {
    const section = document.getElementById(id);
    if (section) watch.observe(section);
  }
}
