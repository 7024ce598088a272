// Beside the phone: what the gateway did for each message, and every call and webhook on the wire.
const STAGES = { event: "inbox", gateway: "gateway", plugin: "plugin", log: "list", policy: "shield", graph: "send", receipts: "check", turn: "pulse" };

function drawPanel() {
  const panel = $("panel");
  const stories = state.world.has_gateway;
  if (!state.tab) state.tab = stories ? "stories" : "wire";
  const tab = (name, text) => h("button", { role: "tab", "aria-selected": String(state.tab === name), onclick: () => { state.tab = name; drawPanel(); } }, text);
  const feed = h(".feed", { id: "feed", role: "tabpanel", tabindex: "0" });
  panel.replaceChildren(...[
    h(".brand", {}, h("span.mark", {}, icon("gateway")), h(".grow", {}, h("h1", {}, "Vestibule"), h("small", {}, stories ? "What the gateway does for each message" : "What the simulated WhatsApp sees")), h("button.round.only-narrow", { "aria-label": "Back to the phone", onclick: closePanel }, icon("close"))),
    stories ? h(".tabs", { role: "tablist" }, tab("stories", "Gateway"), tab("wire", "On the wire")) : null, feed].filter(Boolean));
  if (!panel.querySelector(".tabs")) state.tab = "wire";
  drawFeed();
}

function drawFeed() {
  const feed = $("feed");
  if (!feed) return;
  const nodes = state.tab === "stories" ? state.stories.filter((story) => story.customer === state.customer).slice(-60).reverse().map(storyNode) : state.wire.slice(-120).reverse().map(wireNode);
  reconcile(feed, nodes.length ? nodes : [h(".empty", {}, state.tab === "stories" ? "Write something. What the gateway does for it appears here, step by step." : "Nothing yet. Calls to Graph and webhooks appear here.")]);
}

function storyNode(story) {
  const known = $("s-" + story.id);
  if (known) { known.classList.toggle("picked", known.dataset.wamid === state.picked); return known; }
  const number = state.world.numbers.find((one) => one.id === story.number);
  return h("article.story" + (story.wamid === state.picked ? ".picked" : ""), { id: "s-" + story.id, "data-wamid": story.wamid },
    h("button", { onclick: () => pick(story.wamid), "aria-label": "Show the message in the chat" }, h("span.said", {}, clip(story.said)), h("time", {}, clock(story.at))),
    h(".sub", {}, "to " + (number ? number.name + "  " + pretty(number.display_number) : story.number)),
    h("ol.steps", {}, story.steps.map((step) => h("li.step." + step.stage + (step.bad ? ".bad" : ""), {}, h("span.dot", {}, icon(step.bad ? "warn" : STAGES[step.stage] || "dots")), h("b", {}, step.title), h("span.cost", {}, step.cost_us === null || step.cost_us === undefined ? "" : duration(step.cost_us)), step.detail ? h("p", {}, step.detail) : null))));
}

function wireNode(entry) {
  const known = $("w-" + entry.id);
  if (known) return known;
  const body = (text) => { try { return JSON.stringify(JSON.parse(text), null, 2); } catch { return text; } };
  const details = h("details.wire", { id: "w-" + entry.id, ontoggle: () => {
    if (!details.open || details.querySelector("pre")) return;
    details.append(...[entry.request, entry.answer].filter(Boolean).map((text) => h("pre", {}, body(text))));
  } }, h("summary", {}, h("span.way." + entry.way, {}, entry.way === "webhook" ? "webhook" : "graph"), h("span.grow", {}, h("b", {}, entry.summary), h("small", {}, entry.method + " " + entry.path)), h("span.code" + (entry.ok ? "" : ".bad"), {}, entry.status === null ? "cut" : entry.status, h("small", {}, duration(entry.took_us)))));
  return details;
}

// Ties a message and its story together.
function pick(wamid, inPanel) {
  const story = state.stories.find((one) => one.wamid === wamid || one.sends.includes(wamid));
  state.picked = story ? story.wamid : wamid;
  if (inPanel) { state.tab = "stories"; drawPanel(); openPanel(); } else { closePanel(); if (story && story.number !== state.open) open(story.number); }
  document.querySelectorAll(".msg.picked").forEach((one) => one.classList.remove("picked"));
  const bubble = $("m-" + state.picked);
  if (bubble) { bubble.classList.add("picked"); if (!inPanel) bubble.scrollIntoView({ block: "center", behavior: "smooth" }); }
  drawFeed();
  const node = document.querySelector(".story.picked");
  if (node) node.scrollIntoView({ block: "nearest", behavior: "smooth" });
}
function openPanel() { $("panel").classList.add("open"); }
function closePanel() { $("panel").classList.remove("open"); }
