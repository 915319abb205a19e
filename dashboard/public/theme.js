/* global document, matchMedia */
// Runs before the first paint, so that a reload never flashes the other theme. A file of its own because
// the content security policy allows no inline script. The storage key is mode-watcher's.
(function () {
  var root = document.documentElement;
  var chosen = 'system';
  try {
    chosen = localStorage.getItem('mode-watcher-mode') || 'system';
  } catch {
    // Storage may be blocked; then the system's preference is used.
  }
  var dark =
    chosen === 'dark' || (chosen !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches);
  root.classList.toggle('dark', dark);
  root.style.colorScheme = dark ? 'dark' : 'light';
})();
