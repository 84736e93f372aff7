// The button that chooses between the system's theme, light and dark.

const CHOICES = ["system", "light", "dark"];

function startTheme() {
  const button = document.getElementById("theme");
  const show = () => {
    const choice = document.documentElement.dataset.theme ?? "system";
    button.dataset.choice = choice;
    button.textContent = `Theme: ${choice}`;
  };
  button.addEventListener("click", () => {
    const next = CHOICES[(CHOICES.indexOf(button.dataset.choice) + 1) % CHOICES.length];
    if (next === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = next;
    try { localStorage.setItem("studyrun-theme", next); } catch { /* then it is not remembered */ }
    show();
  });
  button.hidden = false;
  show();
}
