// What every page needs: selects that send their form.
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-submit]")) event.target.form.requestSubmit();
});
// What looks again by itself (data-calm) leaves alone whom it would disturb: a field or button in use, an unfolded line.
// htmx's own conditions in hx-trigger are scripts in attributes, which our policy forbids.
document.addEventListener("htmx:before:request", (event) => {
  const piece = event.target;
  if (!piece.matches?.("[data-calm]") || event.detail.ctx.sourceEvent?.type === "told") return;
  if (piece.contains(document.activeElement) || piece.querySelector("details[open]")) event.preventDefault();
});
// A signing secret made here, of the browser's own randomness: 32 bytes, as Standard Webhooks has it.
document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-make-secret]");
  if (!button) return;
  const field = document.getElementById(button.dataset.makeSecret);
  field.value = "whsec_" + btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(32))));
  field.select();
});

// Copies a field's text; where the browser does not let us, it is at least selected.
document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("[data-copy]");
  if (!button) return;
  const field = document.getElementById(button.dataset.copy);
  field.select();
  try { await navigator.clipboard.writeText(field.value); } catch { document.execCommand("copy"); }
  button.classList.add("done");
  setTimeout(() => button.classList.remove("done"), 1500);
});

// What cannot be undone is asked about first (data-sure holds the question).
document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-sure]");
  if (button && !confirm(button.dataset.sure)) event.preventDefault();
});

// An answer that stands there belongs to the question before: it goes when the next is asked.
document.addEventListener("htmx:before:request", (event) => {
  const { target } = event.detail.ctx;
  if (!event.defaultPrevented && target instanceof Element && target.matches("[data-answer]")) target.replaceChildren();
});

// A failure takes no piece of the page away: a card that is typed in, a piece that looks again by itself. It is said in
// the corner instead, and so is that the server is not there at all.
const note = (content) => {
  const place = document.getElementById("note");
  place.replaceChildren(content);
  clearTimeout(note.hides);
  note.hides = setTimeout(() => place.replaceChildren(), 10000);
};
document.addEventListener("htmx:response:error", (event) => {
  const { ctx } = event.detail;
  if (ctx.swap !== "outerHTML") return;
  ctx.swap = "none";
  const holder = document.createElement("template");
  holder.innerHTML = ctx.text;
  note(holder.content);
});
document.addEventListener("htmx:error", () => {
  const said = document.createElement("div");
  said.className = "alert alert-danger py-2 my-2";
  said.textContent = document.getElementById("note").dataset.away;
  note(said);
});

// Who works with the keyboard stays where they were when a piece is drawn anew.
document.addEventListener("htmx:before:swap", (event) => {
  const active = document.activeElement;
  const { target } = event.detail.ctx;
  if (!(target instanceof Element) || active === document.body || !target.contains(active)) return;
  const post = (active.closest("[hx-post]") ?? active).getAttribute("hx-post");
  const again = active.id ? `#${CSS.escape(active.id)}` : post ? `form[hx-post="${CSS.escape(post)}"] [type="submit"], button[hx-post="${CSS.escape(post)}"]` : "";
  if (!again) return;
  document.addEventListener("htmx:after:swap", () => {
    if (document.activeElement === document.body) document.querySelector(again)?.focus();
  }, { once: true });
});
