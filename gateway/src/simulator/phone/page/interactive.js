// Messages that can be answered by a tap: buttons, lists, flows, products, templates, carousels.
const press = (title, symbol, onclick, more) => h("button", { type: "button", onclick, ...more }, symbol ? icon(symbol) : null, title);
const goTo = (title, url) => h("a", { href: /^https?:/.test(url || "") ? url : "#", target: "_blank", rel: "noopener noreferrer" }, icon("link"), title);

// A reply button of a message can be tapped once, as on the phone.
function tapButton(item, choice) {
  const answer = openChat().items.find((one) => one.reply_to === item.id && one.author === "customer" && ["interactive", "button"].includes(one.kind));
  const chosen = answer && answer.text === choice.title;
  return press(choice.title, chosen ? "check" : "reply", () => send({ tap_on: { message_id: item.id, choice: choice.id } }), { disabled: Boolean(answer), class: chosen ? "tapped" : undefined });
}

const ACTIONS = {
  button: (item) => item.choices.map((choice) => tapButton(item, choice)),
  list: (item, action) => [press(action.button, "list", () => listSheet(item, action))],
  cta_url: (item, action) => [goTo(action.parameters.display_text, action.parameters.url)],
  flow: (item, action) => [press(action.parameters.flow_cta, "form", () => flowSheet(item, action.parameters))],
  location_request_message: (item) => [press("Send location", "pin", () => locationSheet(item.id))],
  voice_call: (item, action) => [press((action.parameters || {}).display_text || "Call now", "phone", () => toast("Calls are not simulated"))],
  call_permission_request: (item) => [press("Allow calls", "check", () => send({ call_permission: { message_id: item.id, accept: true } })), press("Don’t allow", null, () => send({ call_permission: { message_id: item.id, accept: false } }))],
  address_message: (item) => [press("Provide address", "form", () => addressSheet(item))],
  request_contact_info: (item) => [press("Share contact info", "person", () => send({ share_contact: { message_id: item.id } }))],
  product: (item, action) => [press("View product", "cart", () => productSheet(item, action))],
  product_list: (item, action) => [press("View items", "cart", () => productSheet(item, action))],
  catalog_message: (item, action) => [press("View catalog", "cart", () => productSheet(item, action))],
  carousel: () => [],
};

function productCard(name, sub) {
  return h(".offer", {}, h("span.avatar.small", { style: { "--hue": hue(name), "border-radius": "10px" } }, icon("cart")), h(".grow", {}, h("b", {}, name), h("small", { style: { color: "var(--ink-2)" } }, sub)));
}

function interactive(item) {
  const object = item.content;
  const action = object.action || {};
  const products = (action.sections || []).flatMap((section) => section.product_items || []);
  const parts = [header(object.header)];
  if (object.type === "product") parts.push(productCard(action.product_retailer_id, "Catalog " + action.catalog_id));
  if (object.type === "product_list") parts.push(productCard((object.header || {}).text || "Products", products.length + " items"));
  if (object.type === "catalog_message") parts.push(productCard("Catalog", "See what is on offer"));
  parts.push(h(".body", {}, written((object.body || {}).text || "")));
  if (object.footer) parts.push(h(".foot", {}, object.footer.text));
  const rows = (ACTIONS[object.type] || (() => []))(item, action);
  if (rows.length) parts.push(h(".buttons", {}, rows));
  if (object.type === "carousel") parts.push(h(".cards", { tabindex: "0", "aria-label": "Cards, scroll sideways" }, (action.cards || []).map((card) => cardOf(item, card))));
  return parts;
}

function cardOf(item, card) {
  const action = card.action || {};
  if (card.type === "product") return h(".bubble", {}, productCard(action.product_retailer_id, "Catalog " + action.catalog_id), h(".buttons", {}, press("View", "cart", () => productSheet(item, action))));
  const parameters = action.parameters || {};
  const rows = action.name === "cta_url" || card.type === "cta_url" ? [goTo(parameters.display_text, parameters.url)] : (action.buttons || []).map((button) => {
    const reply = button.quick_reply || button.reply || {};
    return tapButton(item, { id: reply.id, title: reply.title });
  });
  return h(".bubble", {}, header(card.header), h(".body", {}, written((card.body || {}).text || "")), h(".buttons", {}, rows));
}

// Templates come hydrated from the simulator: `shown` is what the phone shows of them.
function templateButton(item, button) {
  switch (button.kind) {
    case "quick_reply": return tapButton(item, { id: button.id, title: button.text });
    case "url": return goTo(button.text, button.url);
    case "phone_number": return h("a", { href: "tel:" + button.phone }, icon("phone"), button.text);
    case "copy_code": case "otp": return press(button.text, "copy", () => { navigator.clipboard.writeText(button.code).catch(() => undefined); toast("Code " + button.code + " copied"); });
    case "flow": return press(button.text, "form", () => flowSheet(item, { flow_cta: button.text, flow_token: button.token }));
    case "catalog": case "mpm": return press(button.text, "cart", () => productSheet(item, button.action || {}));
    case "voice_call": return press(button.text, "phone", () => toast("Calls are not simulated"));
    case "request_contact_info": return press(button.text, "person", () => send({ share_contact: { message_id: item.id } }));
    default: return press(button.text, null, () => toast("This button (" + button.kind + ") does nothing here"));
  }
}

function templateParts(item, shown) {
  const buttons = shown.buttons || [];
  const few = buttons.length > 3 ? [...buttons.slice(0, 2).map((b) => templateButton(item, b)), press("See all options", "list", () => optionsSheet(item, buttons.slice(2)))] : buttons.map((b) => templateButton(item, b));
  return [
    header(shown.header),
    shown.offer ? h(".offer", {}, icon("offer"), h(".grow", {}, h("b", {}, shown.offer.text), shown.offer.expires ? h("small", {}, "Ends " + new Date(shown.offer.expires).toLocaleString([], { dateStyle: "medium", timeStyle: "short" })) : null)) : null,
    h(".body", {}, written(shown.body || "")),
    shown.footer ? h(".foot", {}, shown.footer) : null,
    few.length ? h(".buttons", {}, few) : null,
  ].filter(Boolean);
}

function template(item) {
  const shown = item.shown || { body: item.text, buttons: item.choices.map((c) => ({ kind: "quick_reply", text: c.title, id: c.id })) };
  const parts = templateParts(item, shown);
  if (shown.cards) parts.push(h(".cards", { tabindex: "0", "aria-label": "Cards, scroll sideways" }, shown.cards.map((card) => h(".bubble", {}, templateParts(item, card)))));
  return parts;
}
