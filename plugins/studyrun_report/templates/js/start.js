function start() {
  startFeatures();
  startTables();
  startViews();
  startFigures();
  started();
}

// What needs no features; without them no address can be followed to its file and back.
function startWithout(problem) {
  document.getElementById("top").append(el("p", { class: "note", role: "alert", "data-problem": true }, problem.message));
  startTables();
  startFigures();
  started();
}

function started() {
  document.documentElement.dataset.ready = "";
  performance.mark("studyrun-ready");
}

startTheme();
if (document.querySelector("script[data-packed]")) unpackAll().then(start, startWithout);
else start(); // at once, before anything is painted
