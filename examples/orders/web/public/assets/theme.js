// Before the first paint, or a dark page would flash white: the theme that was chosen, if one was.
try {
  const theme = localStorage.getItem("orders:theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // No storage: the system's theme.
}
