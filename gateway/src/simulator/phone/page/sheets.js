// What slides up over the chat: lists, forms, attachments, the menu of one message.
let sheetReturn = null;

function sheet(title, ...content) {
  const layer = $("layer");
  sheetReturn = sheetReturn || document.activeElement;
  const box = h(".sheet", { role: "dialog", "aria-modal": "true", "aria-label": title }, h("header", {}, h("h2", {}, title), h("button.round", { "aria-label": "Close", onclick: closeSheet }, icon("close"))), h(".inside", {}, content));
  layer.replaceChildren(box);
  layer.hidden = false;
  (box.querySelector("[data-first], .inside button, .inside input, .inside textarea") || box.querySelector("button")).focus();
  return box;
}

function closeSheet() {
  $("layer").hidden = true;
  $("layer").replaceChildren();
  if (sheetReturn && sheetReturn.isConnected) sheetReturn.focus(); else if ($("write")) $("write").focus();
  sheetReturn = null;
}

// Tab goes round inside of the sheet.
$("layer").addEventListener("keydown", (event) => {
  if (event.key !== "Tab") return;
  const all = [...$("layer").querySelectorAll("button, input, textarea, a[href]")].filter((one) => !one.disabled);
  const edge = event.shiftKey ? all[0] : all.at(-1);
  if (document.activeElement === edge) { event.preventDefault(); (event.shiftKey ? all.at(-1) : all[0]).focus(); }
});
$("layer").addEventListener("pointerdown", (event) => { if (event.target === $("layer")) closeSheet(); });

// A form of plain fields; `done` gets their values.
function form(title, fields, label, done, note) {
  const inputs = fields.map(([name, text, value, extra]) => [name, h("input", { name, value: value || "", autocomplete: "off", "data-first": name === fields[0][0], ...extra }), text]);
  const submit = (event) => { event.preventDefault(); const values = Object.fromEntries(inputs.map(([name, input]) => [name, input.value.trim()])); closeSheet(); done(values); };
  sheet(title, h("form.form", { onsubmit: submit }, note ? h("p", {}, note) : null, inputs.map(([, input, text]) => h("label", {}, text, input)), h("button.action", { type: "submit" }, label)));
}

function listSheet(item, action) {
  let chosen = null;
  const button = h("button.action", { type: "button", disabled: true, onclick: () => { closeSheet(); send({ tap_on: { message_id: item.id, choice: chosen } }); } }, "Send");
  const row = (one) => h("label.pick", {}, h("span.grow", {}, one.title, one.description ? h("small", {}, one.description) : null), h("input", { type: "radio", name: "row", value: one.id, onchange: () => { chosen = one.id; button.disabled = false; } }));
  sheet(action.button, (action.sections || []).map((section) => [section.title ? h("h3", {}, section.title) : null, section.rows.map(row)]), button);
}

function optionsSheet(item, buttons) {
  sheet("All options", h(".buttons", { style: { margin: "0" }, onclick: () => setTimeout(closeSheet) }, buttons.map((button) => templateButton(item, button))));
}

function productSheet(item, action) {
  const ids = action.product_retailer_id ? [{ product_retailer_id: action.product_retailer_id }] : (action.sections || []).flatMap((section) => section.product_items || []);
  const thumbnail = (action.parameters || {}).thumbnail_product_retailer_id || action.thumbnail_product_retailer_id;
  const products = ids.length ? ids : [{ product_retailer_id: thumbnail || "SKU-1" }];
  const counts = products.map(() => 0);
  const order = () => {
    const items = products.map((p, n) => ({ product_retailer_id: p.product_retailer_id, quantity: counts[n], item_price: 9.5, currency: "GBP" })).filter((p) => p.quantity);
    closeSheet();
    send({ order: { catalog_id: action.catalog_id || "", text: "", product_items: items } });
  };
  const button = h("button.action", { type: "button", disabled: true, onclick: order }, "Place order");
  const stepper = (n) => {
    const shown = h("span", {}, "0");
    const by = (step) => { counts[n] = Math.max(0, counts[n] + step); shown.textContent = counts[n]; button.disabled = !counts.some(Boolean); };
    return h("span.count", {}, h("button", { type: "button", "aria-label": "Less", onclick: () => by(-1) }, "−"), shown, h("button", { type: "button", "aria-label": "More", onclick: () => by(1) }, "+"));
  };
  sheet("Products", products.map((p, n) => h(".pick", {}, h("span.grow", {}, p.product_retailer_id, h("small", {}, "9.50 GBP, a price for trying out")), stepper(n))), button);
}

function flowSheet(item, parameters) {
  const data = (parameters.flow_action_payload || {}).data || {};
  const fields = Object.entries(data).map(([name, value]) => [name, name, typeof value === "string" ? value : JSON.stringify(value)]);
  const done = (values) => {
    const answers = fields.length ? values : { [values.field || "answer"]: values.value };
    send({ flow_reply: { message_id: item.id, name: "flow", body: "Sent", response: { flow_token: parameters.flow_token || "unused", ...answers } } });
  };
  form(parameters.flow_cta || "Flow", fields.length ? fields : [["field", "Field", "answer"], ["value", "What you answer"]], "Submit", done, "The flow’s own screens live at Meta. Here you answer with its fields.");
}

function addressSheet(item) {
  const known = ((item.content.action || {}).parameters || {}).values || {};
  const field = (name, text) => [name, text, known[name]];
  form("Address", [field("name", "Name"), field("phone_number", "Phone"), field("in_pin_code", "Pin code"), field("house_number", "House"), field("address", "Street"), field("city", "City")], "Send address",
    (values) => send({ flow_reply: { message_id: item.id, name: "address_message", body: Object.values(values).filter(Boolean).join(", "), response: { saved_address_id: "", values } } }));
}

function locationSheet(replyTo) {
  form("Send a location", [["name", "Name of the place", "Southbank Centre"], ["address", "Address", "Belvedere Rd, London"], ["latitude", "Latitude", "51.5065", { inputmode: "decimal" }], ["longitude", "Longitude", "-0.1166", { inputmode: "decimal" }]], "Send",
    (v) => send({ location: { latitude: Number(v.latitude) || 0, longitude: Number(v.longitude) || 0, name: v.name || undefined, address: v.address || undefined } }, replyTo));
}

function contactSheet() {
  form("Send a contact", [["name", "Name", "Priya Shah"], ["phone", "Phone", "+44 7700 900321", { inputmode: "tel" }]], "Send",
    (v) => { const [first, ...rest] = v.name.split(" "); send({ contacts: [{ name: { formatted_name: v.name, first_name: first, last_name: rest.join(" ") || undefined }, phones: [{ phone: v.phone, wa_id: v.phone.replace(/\D/g, ""), type: "CELL" }] }] }); });
}

function attachSheet() {
  const choose = (kind, accept) => { const input = h("input", { type: "file", accept, onchange: () => input.files[0] && upload(kind, input.files[0]) }); closeSheet(); input.click(); };
  const tile = (name, symbol, hueOf, onclick) => h("button", { type: "button", onclick }, h("span.tile", { style: { "--hue": hueOf } }, icon(symbol)), name);
  sheet("Attach", h(".grid", {},
    tile("Photo", "image", 262, () => choose("image", "image/jpeg,image/png")), tile("Video", "play", 338, () => choose("video", "video/mp4,video/3gpp")),
    tile("Document", "file", 205, () => choose("document", "")), tile("Audio", "mic", 24, () => choose("audio", "audio/*")), tile("Sticker", "sun", 42, () => choose("sticker", "image/webp")),
    tile("Location", "pin", 158, () => { closeSheet(); locationSheet(); }), tile("Contact", "person", 186, () => { closeSheet(); contactSheet(); })));
}

function itemMenu(item) {
  const own = item.author === "customer";
  const react = (emoji) => { closeSheet(); send({ reaction: { message_id: item.id, emoji } }); };
  const entry = (text, symbol, act, danger) => h("button.menu" + (danger ? ".danger" : ""), { type: "button", onclick: () => { closeSheet(); act(); } }, icon(symbol), text);
  const emojis = ["👍", "❤️", "😂", "😮", "😢", "🙏"];
  sheet("Message", own ? null : h(".emojis", {}, emojis.map((emoji) => h("button", { type: "button", "aria-label": "React with " + emoji, onclick: () => react(item.reaction === emoji ? "" : emoji) }, emoji))),
    entry("Reply", "reply", () => replyTo(item.id)), item.text ? entry("Copy text", "copy", () => navigator.clipboard.writeText(item.text).catch(() => toast("Not allowed here"))) : null,
    state.stories.some((story) => story.wamid === item.id || story.sends.includes(item.id)) ? entry("Show what happened", "pulse", () => pick(item.id, true)) : null,
    own && item.kind === "text" && !item.revoked ? entry("Edit", "edit", () => form("Edit message", [["text", "Text", item.text]], "Save", (v) => v.text && send({ edit: { message_id: item.id, text: v.text } }))) : null,
    own && !item.revoked ? entry("Delete for everyone", "trash", () => send({ revoke: { message_id: item.id } }), true) : null);
}

// What a person can tell WhatsApp about a business, and about themselves.
function businessSheet() {
  const number = openNumber();
  const entry = (text, sub, symbol, act) => h("button.menu", { type: "button", onclick: () => { closeSheet(); act(); } }, icon(symbol), h("span.grow", {}, text, h("small", { style: { display: "block", color: "var(--ink-2)" } }, sub)));
  const newNumber = (v) => { const wa_id = v.phone.replace(/\D/g, ""); if (wa_id) send({ change_number: { wa_id } }).then(() => connect(wa_id)); };
  sheet(number.name,
    h(".menu", {}, icon("phone"), pretty(number.display_number)),
    entry("Stop offers", "This business may send no more marketing", "close", () => send({ marketing: { stop: true } }).then(() => toast("No more offers from " + number.name))),
    entry("Allow offers again", "Marketing is welcome", "check", () => send({ marketing: { stop: false } }).then(() => toast("Offers are welcome again"))),
    entry("I have a new number", "WhatsApp tells this business", "user", () => form("New number", [["phone", "The new number", "", { inputmode: "tel", required: true, placeholder: "+44 7700 900789" }]], "Change", newNumber)),
    entry("Send something unsupported", "A poll, which businesses cannot receive", "warn", () => send({ unsupported: { kind: "poll" } })));
}

function peopleSheet() {
  const choose = (key) => { closeSheet(); connect(key); };
  sheet("Who are you?", state.world.customers.map((one) => h("button.menu", { type: "button", onclick: () => choose(one.key) }, avatar(one.name, true), h("span.grow", {}, one.name, h("small", { style: { display: "block", color: "var(--ink-2)" } }, label(one))), one.key === state.customer ? icon("check") : null)),
    h("button.menu", { type: "button", onclick: () => { closeSheet(); newPerson(); } }, h("span.avatar.small", { style: { "--hue": 158 } }, icon("plus")), "Somebody new"));
}

function newPerson() {
  form("Somebody new", [["name", "Name", "", { required: true, placeholder: "Ada Marsh" }], ["phone", "Phone; leave empty for a person who shows only a username", "", { inputmode: "tel", placeholder: "+44 7700 900456" }], ["username", "Username", "", { placeholder: "ada.marsh" }]], "Be this person", async (v) => {
    // Everybody has a number; who gives none shows only a username to businesses.
    const digits = v.phone.replace(/\D/g, "");
    const key = digits || "447700" + String(Date.now() % 1e6).padStart(6, "0");
    const profile = { name: v.name, username: v.username || null, shows_phone: Boolean(digits) };
    await Promise.all(state.world.numbers.map((number) => api("PUT", `numbers/${number.id}/customers/${key}`, profile)));
    connect(key);
  });
}
