// State, the way to the simulator, and what comes live from it.
const state = { world: null, customer: new URLSearchParams(location.search).get("customer"), chats: new Map(), open: null, reply: null, seen: {}, stories: [], wire: [], tab: null, picked: null, stuck: true, source: null };
const chatOf = (id) => { if (!state.chats.has(id)) state.chats.set(id, { items: [], typing_until: null, version: 0 }); return state.chats.get(id); };

async function api(method, path, body, type) {
  const answer = await fetch("simulator/" + path, { method, body: body instanceof Blob ? body : body && JSON.stringify(body), headers: { "content-type": type || "application/json" } });
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(said.error || "The simulator answered " + answer.status);
  return said;
}

const chatPath = () => `numbers/${state.open}/customers/${encodeURIComponent(state.customer)}`;
async function send(action, replyTo) {
  state.stuck = true;
  try { await api("POST", chatPath() + "/messages", replyTo ? { ...action, reply_to: replyTo } : action); } catch (error) { toast(error.message); }
  if ($("write") && $("layer").hidden && matchMedia("(pointer: fine)").matches) $("write").focus();
}

async function upload(kind, chosen) {
  const query = new URLSearchParams({ kind, filename: chosen.name });
  const caption = $("write").value.trim();
  if (caption && kind !== "audio" && kind !== "sticker") { query.set("caption", caption); $("write").value = ""; }
  try { await api("POST", chatPath() + "/media?" + query, chosen, chosen.type || "application/octet-stream"); } catch (error) { toast(error.message); }
}

const on = {
  world(world) {
    state.world = world;
    state.customer = world.customer;
    drawPanel();
    const wanted = state.open || location.hash.slice(1);
    if (world.numbers.some((number) => number.id === wanted)) { if (state.open) drawChat(); else open(wanted); } else { drawList(); }
  },
  chat(change) {
    const chat = chatOf(change.number);
    for (const item of change.items) {
      const place = chat.items.findIndex((one) => one.id === item.id);
      if (place < 0) chat.items.push(item); else chat.items[place] = item;
    }
    Object.assign(chat, { typing_until: change.typing_until, version: change.version });
    if (state.open === change.number) drawChat(); else if (!state.open && state.world) drawList();
  },
  story(story) { if (!state.stories.some((one) => one.id === story.id)) state.stories.push(story); drawFeed(); },
  wire(entry) { if (!state.wire.some((one) => one.id === entry.id)) state.wire.push(entry); if (state.tab === "wire") drawFeed(); },
};

// The browser connects again by itself; the feed then begins anew and what is known is found by its id.
function connect(customer) {
  if (state.source) state.source.close();
  if (customer && customer !== state.customer) { Object.assign(state, { chats: new Map(), seen: {}, customer }); if (state.open) leave(); }
  if (customer) history.replaceState(null, "", "?customer=" + encodeURIComponent(customer) + location.hash);
  state.source = new EventSource("simulator/phone/feed" + (state.customer ? "?customer=" + encodeURIComponent(state.customer) : ""));
  for (const [name, act] of Object.entries(on)) state.source.addEventListener(name, (event) => act(JSON.parse(event.data)));
  state.source.onerror = () => toast("The simulator does not answer; trying again");
}

function turnTheme() {
  const dark = document.documentElement.dataset.theme ? document.documentElement.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = dark ? "light" : "dark";
}

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  if (!$("layer").hidden) closeSheet();
  else if ($("panel").classList.contains("open")) closePanel();
  else if (state.reply) replyTo(null);
  else if (state.open) leave();
});
connect(state.customer);
