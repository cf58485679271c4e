// Draws the statistics page's chart from the figures the page carries: attempts by hour, or by day where there are many.
document.addEventListener("DOMContentLoaded", () => {
  const canvas = document.getElementById("chart");
  if (!canvas) return;
  const stats = JSON.parse(canvas.dataset.stats);
  const { zone, lang } = canvas.dataset;
  const byDay = stats.hours > 48;
  const shape = byDay ? { day: "2-digit", month: "2-digit" } : { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  const clock = new Intl.DateTimeFormat(lang, { timeZone: zone, ...shape });
  // Every hour has its place, so that a silence is seen as one.
  const sums = new Map();
  const end = Date.now();
  // The first hour is not whole, and would share its name with the last one's.
  const begin = Math.ceil(new Date(stats.since).getTime() / 3600000) * 3600000;
  for (let at = begin; at <= end; at += 3600000) {
    const label = clock.format(at);
    if (!sums.has(label)) sums.set(label, [0, 0]);
  }
  for (const hour of stats.hourly) {
    const sum = sums.get(clock.format(new Date(hour.at)));
    if (!sum) continue;
    sum[0] += hour.success;
    sum[1] += hour.error;
  }
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  Chart.defaults.color = colour("--soft");
  Chart.defaults.borderColor = colour("--bs-border-color");
  const part = (label, index, shade) => ({
    label, data: [...sums.values()].map((sum) => sum[index]), backgroundColor: shade, stack: "all", maxBarThickness: 32,
  });
  new Chart(canvas, {
    type: "bar",
    data: {
      labels: [...sums.keys()],
      datasets: [part(canvas.dataset.success, 0, "#23a35a"), part(canvas.dataset.error, 1, "#cf3f3f")],
    },
    options: {
      maintainAspectRatio: false,
      animation: false,
      scales: { x: { stacked: true, grid: { display: false } }, y: { stacked: true, beginAtZero: true, ticks: { precision: 0 } } },
      plugins: { legend: { position: "bottom" } },
    },
  });
});
