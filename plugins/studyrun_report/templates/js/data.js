// What the page carries as data: JSON in script elements, compressed where there is much of it.

// What an embedded script element holds.
function embedded(selector) {
  const node = document.querySelector(selector);
  return node ? JSON.parse(node.textContent) : null;
}

// A cell as the page's data writes it: text, a count, or [value, shown, detail, link].
const cellValue = (cell) => (Array.isArray(cell) ? cell[0] : cell);
const cellShown = (cell) => (Array.isArray(cell) ? cell[1] : String(cell));
const cellDetail = (cell) => (Array.isArray(cell) && cell[2]) || "";
const cellLink = (cell) => (Array.isArray(cell) && cell[3]) || "";

// Puts JSON in place of what is compressed.
async function unpack(node) {
  const letters = atob(node.textContent), bytes = new Uint8Array(letters.length);
  for (let at = 0; at < bytes.length; at += 1) bytes[at] = letters.charCodeAt(at);
  const plain = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  node.textContent = await new Response(plain).text();
  node.removeAttribute("data-packed");
}

async function unpackAll() {
  const packed = [...document.querySelectorAll("script[data-packed]")];
  if (packed.length && !window.DecompressionStream) {
    throw new Error("This browser cannot unpack this page's features: it takes Chrome or Edge 80, Firefox 113, Safari 16.4 or any later one.");
  }
  await Promise.all(packed.map(unpack));
}
