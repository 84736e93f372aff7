// Elements from values. Data enters the page here alone, as text: never as markup.

const SVG = "http://www.w3.org/2000/svg";

// el("p", {class: "note"}, "text", child, null): what is null or "" is left out.
function el(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) node.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== ""));
  return node;
}

// Text from data, kept from reordering what stands around it.
function bdi(text) {
  return el("bdi", {}, text);
}

// The mark that stands before a kind, in its colour.
function kindMark(kind) {
  const dot = el("span", { class: "dot", "aria-hidden": "true" });
  if (/^[\w-]+$/.test(kind)) dot.style.setProperty("--tone", `var(--kind-${kind}, var(--muted))`);
  return dot;
}

function download(name, type, content) {
  const address = URL.createObjectURL(new Blob([content], { type }));
  const link = el("a", { href: address, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000); // by then it is written
}

// Rows of values as CSV; text that a spreadsheet would calculate begins with an apostrophe.
function asCsv(rows) {
  const written = (value) => {
    if (value === null || value === undefined) return "";
    const text = typeof value === "string" && /^[=+\-@\t\r]/.test(value) && !isNumber(value) ? `'${value}` : String(value);
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return rows.map((row) => (row.map(written).join(",") || '""') + "\n").join("");
}

function isNumber(value) {
  return value !== "" && value !== null && !Number.isNaN(Number(value));
}
