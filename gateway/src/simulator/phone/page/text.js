// WhatsApp's own marks in a text: *bold*, _italic_, ~struck~, `code`, quotes, links. `clip` is the text without them.
const MARKS = [[/```([\s\S]+?)```/, "code"], [/`([^`\n]+)`/, "code"], [/(?<![\p{L}\p{N}*])\*(?=\S)([^*\n]*\S)\*(?![\p{L}\p{N}*])/u, "strong"], [/(?<![\p{L}\p{N}_])_(?=\S)([^_\n]*\S)_(?![\p{L}\p{N}_])/u, "em"], [/(?<![\p{L}\p{N}~])~(?=\S)([^~\n]*\S)~(?![\p{L}\p{N}~])/u, "s"]];
const LINK = /https?:\/\/[^\s<>"]*[^\s<>".,;:!?)\]]/;

function inline(text) {
  let best = null;
  const link = LINK.exec(text);
  if (link) best = { at: link.index, length: link[0].length, node: () => h("a", { href: link[0], target: "_blank", rel: "noopener noreferrer" }, link[0]) };
  for (const [mark, tag] of MARKS) {
    const found = mark.exec(text);
    if (found && (!best || found.index < best.at)) best = { at: found.index, length: found[0].length, node: () => h(tag, {}, tag === "code" ? found[1] : inline(found[1])) };
  }
  if (!best) return text ? [text] : [];
  return [text.slice(0, best.at), best.node(), ...inline(text.slice(best.at + best.length))].filter((part) => part !== "");
}

function written(text) {
  const out = [];
  text.split("\n").forEach((line, n) => {
    if (line.startsWith("> ")) return out.push(h("blockquote", {}, inline(line.slice(2))));
    if (n && !(out.at(-1) instanceof HTMLElement && out.at(-1).tagName === "BLOCKQUOTE")) out.push("\n");
    const item = /^[-*] (.+)/.exec(line);
    out.push(...(item ? ["•  ", ...inline(item[1])] : inline(line)));
  });
  return out;
}
const clip = (text) => (text || "").replace(/\s+/g, " ").replace(/([*_~])(\S[^*_~]*)\1/g, "$2").trim();

// What a message is in one line: for the list of chats, for quotes.
function oneLine(item) {
  if (item.revoked) return "This message was deleted";
  const c = item.content || {};
  const names = { image: "📷 Photo", video: "🎥 Video", audio: "🎤 Voice message", document: "📄 " + (c.filename || "Document"), sticker: "Sticker", location: "📍 " + (c.name || "Location"), order: "🛒 Order", unsupported: "Unsupported message" };
  if (item.kind === "contacts") return "👤 " + ((c[0] && c[0].name && c[0].name.formatted_name) || "Contact");
  if (item.kind === "system") return c.body || "";
  if (["image", "video", "document"].includes(item.kind) && c.caption) return names[item.kind].slice(0, 3) + clip(c.caption);
  return names[item.kind] || clip(item.text) || item.kind;
}
