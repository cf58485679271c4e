// The colour theme: the visitor's choice, else the system's. Loaded before the page is drawn, so that it never flashes.
(() => {
  const wanted = () => {
    const chosen = localStorage.getItem("theme");
    if (chosen === "dark" || chosen === "light") return chosen;
    return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  };
  const apply = () => document.documentElement.setAttribute("data-bs-theme", wanted());
  apply();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", apply);
  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-theme-switch]")) return;
    localStorage.setItem("theme", wanted() === "dark" ? "light" : "dark");
    apply();
  });
})();
