startTheme();
startFeatures();
startTables();
startViews();
startFigures();
document.documentElement.dataset.ready = "";
performance.mark("studyrun-ready");
