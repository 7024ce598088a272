// The two views of the phone: the list of chats and one open chat with its composer.
const HIDDEN = new Set(["reaction", "edit", "revoke"]);
const visible = (chat) => chat.items.filter((item) => !HIDDEN.has(item.kind) && !item.held);
const openNumber = () => state.world.numbers.find((number) => number.id === state.open);
const openChat = () => chatOf(state.open);
const me = () => state.world.customers.find((one) => one.key === state.customer) || { name: "You", key: state.customer };
const label = (one) => [one.username && "@" + one.username, one.shows_phone === false ? "number hidden" : pretty(one.key)].filter(Boolean).join(" · ");

function drawList() {
  const rows = state.world.numbers.map((number) => ({ number, chat: chatOf(number.id), last: visible(chatOf(number.id)).at(-1) }));
  rows.sort((a, b) => ((b.last && b.last.at) || 0) - ((a.last && a.last.at) || 0));
  const person = me();
  $("list").replaceChildren(
    h(".bar", {}, h("h1", {}, "Chats"), h("button.round", { "aria-label": "Light or dark", onclick: turnTheme }, icon("sun")), h("button.round.only-narrow", { "aria-label": "What happened", onclick: openPanel }, icon("pulse"))),
    h("button.me", { onclick: peopleSheet, "aria-label": "You are " + person.name + ". Change" }, avatar(person.name, true), h("span.grow", {}, h("b", {}, person.name), h("small", {}, label(person))), icon("down")),
    h(".rows", { onkeydown: arrows }, rows.length ? rows.map(listRow) : h(".empty", {}, "No business has a number yet. docs/simulator.md shows how to add one.")));
}

function listRow({ number, chat, last }) {
  const unread = visible(chat).filter((item) => item.author === "business" && item.at > (state.seen[number.id] || 0)).length;
  const mine = last && last.author === "customer";
  return h("button.row" + (unread ? ".unread" : ""), { onclick: () => open(number.id), "data-number": number.id }, avatar(number.name),
    h("span.grow", {}, h("span.top", {}, h("b", {}, number.name), last ? h("time", {}, clock(last.at)) : null),
      h("span.bottom", {}, mine ? ticks(last.tick) : null, h("small", {}, isTyping(chat) ? "typing…" : last ? oneLine(last) : pretty(number.display_number)), unread ? h("span.badge", {}, unread) : null)));
}

function arrows(event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return;
  const all = [...event.currentTarget.querySelectorAll("button")];
  const next = all[all.indexOf(document.activeElement) + step];
  if (next) { event.preventDefault(); next.focus(); }
}

function open(id) {
  state.open = id; state.reply = null;
  const number = openNumber();
  $("list").hidden = true; $("chat").hidden = false;
  $("chat").replaceChildren(
    h(".bar", {}, h("button.round", { "aria-label": "Back to the chats", onclick: leave }, icon("back")), h("button.who", { "aria-label": "About " + number.name, onclick: businessSheet }, avatar(number.name, true), h("span.grow", {}, h("b", {}, number.name), h("small", { id: "presence" }))), h("button.round.only-narrow", { "aria-label": "What happened", onclick: openPanel }, icon("pulse"))),
    h(".scroll", { id: "scroll", tabindex: "-1", role: "log", "aria-live": "polite" }), composer());
  drawChat(true);
  $("write").focus();
  location.hash = id;
}

function leave() {
  state.open = null;
  $("chat").hidden = true; $("list").hidden = false;
  history.replaceState(null, "", location.pathname + location.search);
  drawList();
  const first = $("list").querySelector(".row");
  if (first) first.focus();
}

const isTyping = (chat) => Boolean(chat.typing_until && chat.typing_until > Date.now());
const atEnd = (box) => box.scrollHeight - box.scrollTop - box.clientHeight < 90;
function stick() { const box = $("scroll"); if (box && state.stuck) box.scrollTop = box.scrollHeight; }

// Draws what is new or changed; `all`: everything.
function drawChat(all) {
  const box = $("scroll");
  const chat = openChat();
  state.stuck = all || atEnd(box);
  const nodes = [h(".pill", {}, "A simulated WhatsApp. Nothing leaves this machine.")];
  let before = null;
  for (const item of visible(chat)) {
    if (!before || day(before.at) !== day(item.at)) nodes.push(h(".pill", {}, day(item.at)));
    const first = !before || before.author !== item.author || before.kind === "system";
    const key = item.version + (first ? "f" : "") + (item.reply_to || "") + (answered(chat, item) ? "a" : "");
    const known = $("m-" + item.id);
    if (item.kind === "system") nodes.push(h(".pill", { id: "m-" + item.id }, oneLine(item)));
    else if (known && known.dataset.key === key && !all) nodes.push(known);
    else { const node = bubble(item, first); node.dataset.key = key; if (known || all) node.style.animation = "none"; nodes.push(node); }
    before = item;
  }
  if (isTyping(chat)) nodes.push(h(".msg.in.first", { id: "typing" }, h(".bubble", {}, h(".dots", { "aria-label": "typing" }, h("i"), h("i"), h("i")))));
  reconcile(box, nodes);
  const number = openNumber();
  $("presence").textContent = isTyping(chat) ? "typing…" : number.name.startsWith("+") ? "business account" : pretty(number.display_number);
  $("presence").className = isTyping(chat) ? "typing" : "";
  if (before) state.seen[state.open] = Math.max(state.seen[state.open] || 0, before.at);
  clearTimeout(drawChat.timer);
  if (isTyping(chat)) drawChat.timer = setTimeout(() => state.open && drawChat(), chat.typing_until - Date.now() + 50);
  stick();
}

// Moves only what differs: a node that stays keeps its focus, its scroll position, its playing recording.
function reconcile(box, nodes) {
  const keep = new Set(nodes);
  for (const child of [...box.children]) if (!keep.has(child)) child.remove();
  nodes.forEach((node, n) => { if (box.children[n] !== node) box.insertBefore(node, box.children[n] || null); });
}
const answered = (chat, item) => item.author === "business" && chat.items.some((one) => one.reply_to === item.id && one.author === "customer");

function composer() {
  const write = h("textarea", { id: "write", rows: "1", placeholder: "Message", "aria-label": "Message", enterkeyhint: "send", maxlength: "4096" });
  write.onkeydown = (event) => { if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); say(); } };
  return h("form.composer", { onsubmit: (event) => { event.preventDefault(); say(); } },
    h(".field", {}, h("div", { id: "replying" }), h(".line", {}, h("button.round", { type: "button", "aria-label": "Attach", onclick: attachSheet }, icon("plus")), write)),
    h("button.send", { type: "submit", "aria-label": "Send" }, icon("send")));
}

function say() {
  const text = $("write").value.trim();
  if (!text) return;
  $("write").value = "";
  const quote = state.reply;
  replyTo(null);
  send({ text }, quote);
}

function replyTo(id) {
  state.reply = id;
  const item = id && openChat().items.find((one) => one.id === id);
  $("replying").replaceChildren(...(item ? [h(".quoted", {}, h("span.grow", {}, h("b", {}, item.author === "customer" ? "You" : openNumber().name), h("span", {}, oneLine(item))), h("button.round", { type: "button", "aria-label": "Do not reply", onclick: () => replyTo(null) }, icon("close")))] : []));
  $("write").focus();
}
