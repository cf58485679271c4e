// The live page: rows come drawn from the server over server-sent events and are put where they belong; clocks run here.
(() => {
  const page = document.getElementById("live");
  if (!page) return;
  const bodies = { live: document.getElementById("calls-live"), ended: document.getElementById("calls-ended") };
  const link = document.getElementById("link");
  const find = document.getElementById("find");
  const recent = Number(page.dataset.recent) || 50;
  // The server's clock counts, whatever the viewer's says.
  let ahead = Date.now() - Date.parse(page.dataset.now);

  const text = (seconds) => {
    const two = (n) => String(n).padStart(2, "0");
    const h = Math.floor(seconds / 3600), m = Math.floor(seconds / 60) % 60, s = seconds % 60;
    return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
  };
  const tick = () => {
    const now = Date.now() - ahead;
    for (const clock of bodies.live.querySelectorAll("[data-since]")) {
      const shown = text(Math.max(0, Math.floor((now - Date.parse(clock.dataset.since)) / 1000)));
      if (clock.textContent !== shown) clock.textContent = shown;
    }
  };
  const sift = (row) => {
    const wanted = find.value.trim().toLowerCase();
    row.hidden = wanted !== "" && !row.textContent.toLowerCase().includes(wanted);
  };
  const count = () => {
    const n = bodies.live.rows.length;
    document.getElementById("live-count").textContent = n;
    document.getElementById("live-empty").hidden = n > 0;
    document.getElementById("ended-empty").hidden = bodies.ended.rows.length > 0;
  };
  const parse = (html) => {
    const holder = document.createElement("template");
    holder.innerHTML = html;
    return holder.content.querySelector("tr");
  };
  const put = (change, quiet) => {
    const old = document.getElementById(`call-${change.id}`);
    if (!change.html) { if (old) old.remove(); return; }
    const row = parse(change.html);
    const body = change.ended ? bodies.ended : bodies.live;
    sift(row);
    if (old && old.parentElement === body) {
      // A link with the keyboard's focus keeps it.
      const focused = old.contains(document.activeElement) ? [...old.querySelectorAll("a")].indexOf(document.activeElement) : -1;
      old.replaceWith(row);
      if (focused >= 0) row.querySelectorAll("a")[focused]?.focus();
      return;
    }
    if (old) old.remove();
    if (!quiet) row.classList.add("new");
    body.prepend(row);
    while (bodies.ended.rows.length > recent) bodies.ended.rows[bodies.ended.rows.length - 1].remove();
  };
  const say = (words, on) => {
    link.textContent = words;
    link.classList.toggle("on", on);
    link.classList.toggle("off", !on);
  };

  const source = new EventSource(page.dataset.stream);
  source.addEventListener("open", () => say(page.dataset.on, true));
  source.addEventListener("error", () => {
    say(page.dataset.retry, false);
    // The server said no for good (logged out): the browser will not try again by itself.
    if (source.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 3000);
  });
  source.addEventListener("calls", (event) => {
    const message = JSON.parse(event.data);
    if (message.now) ahead = Date.now() - Date.parse(message.now);
    if (message.reset) {
      bodies.live.replaceChildren();
      bodies.ended.replaceChildren();
    }
    for (const change of message.rows) put(change, message.reset);
    count();
    tick();
  });
  find.addEventListener("input", () => {
    for (const body of Object.values(bodies)) for (const row of body.rows) sift(row);
  });
  tick();
  setInterval(tick, 1000);
})();
