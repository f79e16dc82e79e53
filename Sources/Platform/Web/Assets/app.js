// Progressive enhancement only: every page works without this file.

const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const on = (type, act) => document.addEventListener(type, act);

// Drafts: <form data-draft="ask">, kept until sent and not refused. Storage may be forbidden or full: never break a page.
const attempt = (act) => { try { return act(); } catch { return undefined; } };
const read = (key) => attempt(() => JSON.parse(sessionStorage.getItem(key)));
const write = (key, draft) => attempt(() => sessionStorage.setItem(key, JSON.stringify(draft)));
const drop = (key) => attempt(() => sessionStorage.removeItem(key));
const keys = () => attempt(() => Object.keys(sessionStorage).filter((key) => key.startsWith("draft:"))) ?? [];

const keyOf = (form) => `draft:${location.pathname}:${form.dataset.draft}`;
const isToggle = (field) => field.type === "checkbox" || field.type === "radio";
const drafted = (form) => [...form.elements].filter((field) => field.name
  && !/^(hidden|password|file|submit|button|fieldset)$/.test(field.type) && !/^(one-time-code|cc-)/.test(field.autocomplete));
const refused = (form) => form?.querySelector("[aria-invalid=true], .error, .notice.bad");

function restore(form) {
  const values = read(keyOf(form))?.values ?? [];
  drafted(form).forEach((field, at) => {
    const [name, value] = values[at] ?? [];
    if (name !== field.name + (isToggle(field) ? `=${field.value}` : "")) return; // the form has changed since
    if (isToggle(field)) field.checked = value;
    else if (field.tagName === "SELECT" || field.value === "") field.value = value; // what the server sent wins
  });
}
const forms = all("form[data-draft]");
const cameBack = performance.getEntriesByType("navigation")[0]?.type === "back_forward";
for (const key of keys()) {
  if (read(key)?.sent && !cameBack && !refused(forms.find((form) => keyOf(form) === key))) drop(key);
}
forms.forEach(restore);
on("input", ({ target: { form } }) => {
  if (!form?.dataset.draft) return;
  write(keyOf(form), { values: drafted(form).map((field) =>
    isToggle(field) ? [`${field.name}=${field.value}`, field.checked] : [field.name, field.value]) });
});

// Double submits. Buttons are disabled once the data is taken, so their own values still travel.
on("submit", (event) => {
  const { target: form, submitter } = event;
  if (event.defaultPrevented || (submitter?.getAttribute("formmethod") ?? form.getAttribute("method")) === "dialog") return;
  if (form.dataset.sent) return event.preventDefault();
  form.dataset.sent = "1";
  if (form.matches("[data-forget-drafts]")) keys().forEach(drop);
  const draft = form.dataset.draft && read(keyOf(form));
  if (draft) write(keyOf(form), { ...draft, sent: true });
  setTimeout(() => {
    for (const button of all("button:not([type=button]):enabled", form)) button.disabled = button.dataset.held = true;
    submitter?.setAttribute("aria-busy", "true");
  });
});
addEventListener("pageshow", () => {
  all("form[data-sent]").forEach((form) => delete form.dataset.sent);
  for (const button of all("button[data-held]")) {
    button.disabled = false;
    button.removeAttribute("aria-busy");
    delete button.dataset.held;
  }
});

// Links: fetch the next page ahead.
const fetched = new Set();
let resting;
function prefetch({ target }) {
  clearTimeout(resting);
  const link = target.closest?.("a[href]");
  if (!link || link.origin !== location.origin || link.download || link.target || navigator.connection?.saveData) return;
  const url = link.href.split("#")[0];
  if (fetched.has(url) || url === location.href.split("#")[0] || link.closest("[data-no-prefetch]")) return;
  resting = setTimeout(() => {
    fetched.add(url);
    document.head.append(Object.assign(document.createElement("link"), { rel: "prefetch", href: url }));
  }, 80);
}
on("pointerover", prefetch);
on("focusin", prefetch);

// Menus close on Escape and when a press or the focus goes elsewhere.
const menus = () => all("details[data-menu][open]");
const leave = ({ target }) => menus().forEach((menu) => { if (!menu.contains(target)) menu.open = false; });
on("pointerdown", leave);
on("focusin", leave);
on("keydown", ({ key }) => {
  if (key !== "Escape") return;
  for (const menu of menus()) {
    if (menu.contains(document.activeElement)) menu.querySelector("summary").focus();
    menu.open = false;
  }
});

// A link to a confirmation page opens the page's own dialog.
on("click", (event) => {
  const dialog = document.getElementById(event.target.closest?.("[data-dialog]")?.dataset.dialog);
  if (!dialog?.showModal || event.metaKey || event.ctrlKey) return;
  event.preventDefault();
  dialog.showModal();
});

// A value to copy: the button is hidden in the page, shown where it works; its words are the server's.
for (const button of all("button[data-copy]")) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).value);
    button.textContent = button.dataset.done;
  });
}

// "Use my place": hidden in the page, shown here; its words are the server's.
for (const button of all("button[data-geolocate]")) {
  if (!navigator.geolocation || !isSecureContext) continue;
  const { form, dataset: words } = button;
  const finish = (word) => {
    button.removeAttribute("aria-busy");
    form.querySelector("[data-geolocate-status]").textContent = word;
  };
  button.hidden = false;
  button.addEventListener("click", () => {
    finish(words.wait);
    button.setAttribute("aria-busy", "true");
    navigator.geolocation.getCurrentPosition(({ coords }) => {
      for (const name of ["latitude", "longitude"]) {
        form.elements[name].value = coords[name].toFixed(5);
        form.elements[name].dispatchEvent(new Event("input", { bubbles: true }));
      }
      finish(words.done);
    }, () => finish(words.failed), { timeout: 10_000, maximumAge: 60_000 });
  });
}

// Counters: <span data-count-for="id">
const { format } = new Intl.NumberFormat(document.documentElement.lang);
for (const counter of all("[data-count-for]")) {
  const field = document.getElementById(counter.dataset.countFor);
  const show = () => { counter.textContent = `${format(field.value.length)} / ${format(field.maxLength)}`; };
  field.addEventListener("input", show);
  show();
}
