
(() => {
  const scrolls = () => document.querySelectorAll('[data-scroll]');
  const toEnd = box => { box.scrollTop = box.scrollHeight; };
  const clocks = () => {
    for (const clock of document.querySelectorAll('[data-since]')) {
      const s = Math.max(0, Math.floor((Date.now() - Number(clock.dataset.since)) / 1000));
      clock.textContent = Math.floor(s / 60) + ':' + String(s % 60).padStart(2, '0');
    }
  };
  let shown = document.querySelector('main').innerHTML;
  scrolls().forEach(toEnd);
  clocks();
  setInterval(async () => {
    if (document.hidden) return;
    try {
      const page = await (await fetch(location.href, {cache: 'no-store'})).text();
      const fresh = new DOMParser().parseFromString(page, 'text/html').querySelector('main');
      document.body.classList.remove('lost');
      if (fresh && fresh.innerHTML !== shown) {
        shown = fresh.innerHTML;
        const open = new Set([...document.querySelectorAll('details[open]')].map(one => one.id));
        const places = new Map([...scrolls()].map(box =>
          [box.id, box.scrollHeight - box.scrollTop - box.clientHeight < 40 ? null : box.scrollTop]));
        document.querySelector('main').replaceWith(document.adoptNode(fresh));
        for (const one of document.querySelectorAll('details')) one.open = open.has(one.id);
        for (const box of scrolls()) {
          const place = places.get(box.id);
          if (place == null) toEnd(box); else box.scrollTop = place;
        }
      }
    } catch { document.body.classList.add('lost'); }
    clocks();
  }, 1000);
  document.addEventListener('click', async event => {
    const button = event.target.closest('[data-post]');
    if (!button) return;
    const toast = document.getElementById('toast');
    toast.textContent = button.dataset.busy || '…';
    toast.className = 'on';
    try {
      const answer = await fetch(button.dataset.post,
        {method: 'POST', headers: {'Content-Type': 'application/json'}, body: button.dataset.body});
      const said = await answer.json();
      const reply = said.reply;
      toast.textContent = reply ? 'Ответ сервера телефонии: ' + reply.status + ' ' + reply.body.slice(0, 200)
        : said.error || 'Готово';
      toast.className = said.ok && (!reply || reply.status < 400) ? 'on good' : 'on bad';
    } catch (error) { toast.textContent = String(error); toast.className = 'on bad'; }
    setTimeout(() => { toast.className = ''; }, 4000);
  });
  document.addEventListener('submit', async event => {
    const form = event.target.closest('[data-write]');
    if (!form) return;
    event.preventDefault();
    const {chat, text} = form.elements;
    const title = chat.selectedOptions[0].dataset.title;
    const body = {bot: form.dataset.bot, chat_id: Number(chat.value), text: text.value, ...(title && {title})};
    const toast = document.getElementById('toast');
    try {
      const said = await (await fetch(form.dataset.write,
        {method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify(body)})).json();
      toast.textContent = said.error || '';
      toast.className = said.ok ? '' : 'on bad';
      if (said.ok) text.value = '';
    } catch (error) { toast.textContent = String(error); toast.className = 'on bad'; }
  });
})();
