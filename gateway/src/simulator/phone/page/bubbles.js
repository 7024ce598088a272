// A message as WhatsApp draws it. Each kind is one function from the item to what stands in its bubble.
const mediaUrl = (object) => (object.id ? "simulator/media/" + encodeURIComponent(object.id) : object.link);

function photo(kind, object, alone) {
  const missing = () => h(".missing", {}, icon(kind === "video" ? "play" : "image"), object.link || "no longer stored");
  const url = mediaUrl(object);
  const box = h(".photo" + (alone ? ".alone" : ""));
  const gone = () => box.replaceChildren(missing());
  if (kind === "video") box.append(h("video", { src: url, controls: true, preload: "metadata", onerror: gone }));
  else box.append(h("img", { src: url, alt: object.caption || "Photo", referrerpolicy: "no-referrer", onerror: gone, onload: () => stick() }));
  return box;
}

function file(object) {
  const name = object.filename || (object.link || "Document").split("/").pop();
  const ending = (name.includes(".") ? name.split(".").pop() : (object.mime_type || "file").split("/").pop()).slice(0, 4);
  return h("a.file", { href: mediaUrl(object), target: "_blank", rel: "noopener" }, h(".sheet-icon", {}, ending), h(".grow", {}, h("b", {}, name), h("small", {}, (object.mime_type || ending.toUpperCase() + " document"))));
}

function voice(item, object) {
  let seed = [...item.id].reduce((n, c) => (n * 33 + c.charCodeAt(0)) >>> 0, 5);
  const bars = Array.from({ length: 34 }, () => { seed = (seed * 1103515245 + 12345) >>> 0; return h("i", { style: { height: 16 + ((seed >>> 16) % 80) + "%" } }); });
  const audio = h("audio", { src: mediaUrl(object), preload: "none" });
  const button = h("button.play", { "aria-label": "Play", onclick: () => (audio.paused ? audio.play().catch(() => toast("This recording cannot be played here")) : audio.pause()) }, icon("play"));
  audio.onplay = () => button.replaceChildren(icon("pause"));
  audio.onpause = () => button.replaceChildren(icon("play"));
  audio.ontimeupdate = () => bars.forEach((bar, n) => bar.classList.toggle("done", n / bars.length < audio.currentTime / (audio.duration || 1)));
  return h(".voice", {}, button, h(".wave", {}, bars), audio);
}

function map(object) {
  const place = object.name || object.address;
  const [x, y] = [Math.abs(object.longitude * 9973) % 40, Math.abs(object.latitude * 9973) % 40];
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "streets"); svg.setAttribute("viewBox", "0 0 300 128"); svg.setAttribute("preserveAspectRatio", "xMidYMid slice");
  const line = (d, width, opacity) => { const p = document.createElementNS(svg.namespaceURI, "path"); p.setAttribute("d", d); p.setAttribute("fill", "none"); p.style.stroke = "light-dark(#ffffff, #35504c)"; p.setAttribute("stroke-width", width); p.setAttribute("opacity", opacity); svg.append(p); };
  for (let n = -1; n < 8; n += 1) { line(`M${n * 52 + x} -10L${n * 52 + x - 46} 140`, n % 3 ? 4 : 9, 1); line(`M-10 ${n * 34 + y - 20}L320 ${n * 34 + y + 6}`, n % 2 ? 4 : 7, 1); }
  const href = `https://www.openstreetmap.org/?mlat=${object.latitude}&mlon=${object.longitude}#map=16/${object.latitude}/${object.longitude}`;
  const box = h(".map", {}, svg, icon("pin", "pin"));
  return [h("a.photo", { href, target: "_blank", rel: "noopener noreferrer", "aria-label": "Open the place on a map" }, box), h(".head", {}, place || "Location"), h(".foot", {}, (object.name && object.address) || `${Number(object.latitude).toFixed(4)}, ${Number(object.longitude).toFixed(4)}`)];
}

function people(cards) {
  const first = cards[0] || {};
  const name = (first.name && first.name.formatted_name) || "Contact";
  const phone = first.phones && first.phones[0] && first.phones[0].phone;
  return [h(".card", {}, avatar(name, true), h(".grow", {}, h("b", {}, name), h("small", {}, cards.length > 1 ? `and ${cards.length - 1} more` : phone || (first.org && first.org.company) || "")))];
}

const header = (head) => {
  if (!head) return null;
  const kind = (head.type || head.format || "").toLowerCase();
  if (kind === "text") return h(".head", {}, written(head.text || ""));
  const object = head[kind] || {};
  if (kind === "document") return file(object);
  if (kind === "location") return map(object)[0];
  return photo(kind === "gif" ? "video" : kind, object);
};

function order(item) {
  const items = item.content.product_items || [];
  const count = items.reduce((n, p) => n + Number(p.quantity || 0), 0);
  const total = items.reduce((n, p) => n + Number(p.quantity || 0) * Number(p.item_price || 0), 0);
  return [h(".offer", {}, icon("cart"), h(".grow", {}, h("b", {}, count + (count === 1 ? " item" : " items")), h("small", { style: { color: "var(--ink-2)" } }, total.toFixed(2) + " " + ((items[0] && items[0].currency) || "")))), h(".body", {}, written(item.content.text || ""))];
}

function replyText(item) {
  const c = item.content;
  const nfm = c.nfm_reply;
  if (nfm) return [h(".offer", {}, icon("form"), h(".grow", {}, h("b", {}, nfm.name === "address_message" ? "Address sent" : "Response sent"), h("small", { style: { color: "var(--ink-2)" } }, nfm.body || ""))) , h(".body", {})];
  const permission = c.call_permission_reply;
  if (permission) return [h(".body", {}, permission.response === "accept" ? "Calls allowed" : "Calls not allowed")];
  return [h(".body", {}, item.text)];
}

function inside(item) {
  const c = item.content || {};
  if (item.revoked) return [h(".body.gone", {}, item.author === "customer" ? "You deleted this message" : "This message was deleted")];
  switch (item.kind) {
    case "text": case "button": return [h(".body", {}, written(item.text))];
    case "image": case "video": return [photo(item.kind, c, !c.caption), c.caption ? h(".body", {}, written(c.caption)) : null];
    case "sticker": return [h(".sticker", {}, h("img", { src: mediaUrl(c), alt: "Sticker" }))];
    case "document": return [file(c), h(".body", {}, written(c.caption || ""))];
    case "audio": return [voice(item, c)];
    case "location": return map(c);
    case "contacts": return people(c);
    case "order": return order(item);
    case "interactive": return item.author === "customer" ? replyText(item) : interactive(item);
    case "template": return template(item);
    default: return [h(".body.gone", {}, item.text || "This message (" + item.kind + ") is not shown by WhatsApp")];
  }
}

function bubble(item, first) {
  const mine = item.author === "customer";
  const over = ["image", "video"].includes(item.kind) && !item.revoked && !(item.content || {}).caption;
  const parts = inside(item).filter(Boolean);
  const rows = parts.filter((part) => part.classList.contains("buttons"));
  const cards = parts.filter((part) => part.classList.contains("cards"));
  const rest = parts.filter((part) => !rows.includes(part) && !cards.includes(part));
  const under = item.kind === "contacts" || item.kind === "order" || rest.length === 0;
  const failed = mine && item.tick === "failed";
  const meta = h(".meta" + (over ? ".over" : under || item.kind === "sticker" ? ".under" : ""), {}, item.edited ? h("span", {}, "Edited") : null, h("time", {}, clock(item.at)), mine ? ticks(item.tick) : null);
  const quote = item.reply_to && item.kind !== "template" ? quoted(item.reply_to) : null;
  const box = h(".bubble" + (item.kind === "sticker" ? ".bare" : ""), {}, h(".part", {}, quote, rest, meta), rows);
  const wide = rows.length || ["location", "document"].includes(item.kind) || ["image", "video"].includes(item.kind);
  const classes = ["msg", mine ? "out" : "in", first && "first", wide && "wide", cards.length && "carousel", item.reaction && "reacted", failed && "failed"].filter(Boolean).join(".");
  return h("." + classes, { id: "m-" + item.id, "data-id": item.id, "data-tick": item.tick, oncontextmenu: (event) => { event.preventDefault(); itemMenu(item); } },
    box, cards, item.reaction ? h("span.reaction", { "aria-label": "Reaction" }, item.reaction) : null,
    h(".tools", {}, h("button.round", { "aria-label": "React, reply and more", onclick: () => itemMenu(item) }, icon("down"))));
}

function quoted(id) {
  const item = openChat().items.find((one) => one.id === id);
  if (!item) return null;
  const mine = item.author === "customer";
  return h("button.quoted", { onclick: () => { const at = $("m-" + id); if (at) at.scrollIntoView({ block: "center", behavior: "smooth" }); } }, h("b", {}, mine ? "You" : openNumber().name), h("span", {}, oneLine(item)));
}
