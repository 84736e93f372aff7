// Before anything is painted: the theme that the reader chose, if storage may be read.
try {
  const chosen = localStorage.getItem("studyrun-theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch { /* a page from a file may have no storage */ }
