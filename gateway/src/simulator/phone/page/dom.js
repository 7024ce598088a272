// Making elements, icons, times. What people write is only ever set as text, never as HTML.
const $ = (id) => document.getElementById(id);

function h(tag, attributes, ...children) {
  const [name, ...classes] = tag.split(".");
  const element = document.createElement(name || "div");
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "style" && typeof value === "object") for (const [k, v] of Object.entries(value)) element.style.setProperty(k, v);
    else if (key in element && typeof value !== "string") element[key] = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const PATHS = {
  back: "M15 5l-7 7 7 7", send: "M5 12h13M12 5l7 7-7 7", plus: "M12 5v14M5 12h14", close: "M6 6l12 12M18 6L6 18",
  mic: "M12 4a3 3 0 0 0-3 3v5a3 3 0 0 0 6 0V7a3 3 0 0 0-3-3zM6 11v1a6 6 0 0 0 12 0v-1M12 18v3",
  reply: "M9 7l-5 5 5 5M4 12h10a6 6 0 0 1 6 6v1", list: "M4 7h.01M4 12h.01M4 17h.01M9 7h11M9 12h11M9 17h11",
  link: "M14 5h5v5M19 5l-8 8M17 14v4a1 1 0 0 1-1 1H6a1 1 0 0 1-1-1V8a1 1 0 0 1 1-1h4",
  phone: "M7 4H5a1 1 0 0 0-1 1c0 8.300 6.700 15 15 15a1 1 0 0 0 1-1v-3l-4-2-2 2c-2.500-1-4-2.500-5-5l2-2-2-4z",
  copy: "M9 9h10v10H9zM5 15V5h10", form: "M6 4h12v16H6zM9 9h6M9 13h6M9 17h3", image: "M4 6h16v12H4zM4 16l5-5 4 4 2-2 5 5M15.500 9.500h.01",
  file: "M7 3h7l4 4v14H7zM14 3v4h4", pin: "M12 21s-6.500-5.800-6.500-11a6.500 6.500 0 0 1 13 0c0 5.200-6.500 11-6.500 11zM12 12.300a2.300 2.300 0 1 0 0-4.600 2.300 2.300 0 0 0 0 4.600z",
  person: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4.500 20c.8-3.700 3.800-5.500 7.500-5.500s6.700 1.800 7.500 5.500", cart: "M4 5h2l2 10h9l2-7H7M9 19h.01M16 19h.01",
  play: "M8 5.500v13l10.500-6.500z", pause: "M8 5v14M16 5v14", down: "M6 9l6 6 6-6", dots: "M5 12h.01M12 12h.01M19 12h.01",
  pulse: "M3 12h4l3-7 4 14 3-7h4", plugin: "M9 4v4M15 4v4M6 8h12v4a6 6 0 0 1-12 0zM12 18v3", shield: "M12 3l7 3v5c0 5-3 8-7 10-4-2-7-5-7-10V6zM9 12l2 2 4-4",
  inbox: "M4 13l2.500-8h11L20 13v6H4zM4 13h5l1.500 2.500h3L15 13h5", gateway: "M5 20V10a7 7 0 0 1 14 0v10M15 13v.01", check: "M5 12.500l4.500 4.500L19 7.500", sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.400 1.400M17.600 17.600L19 19M5 19l1.400-1.400M17.600 6.400L19 5",
  warn: "M12 4l9 16H3zM12 10v4M12 17h.01", edit: "M4 20l1-4L16 5l3 3L8 19z", trash: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13", offer: "M4 12V5h7l9 9-7 7zM8 8.500h.01", user: "M15 19a6 6 0 0 0-12 0M9 11a3.500 3.500 0 1 0 0-7 3.500 3.500 0 0 0 0 7zM18 8v6M15 11h6",
};

function icon(name, extra) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon" + (extra ? " " + extra : ""));
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(svg.namespaceURI, "path");
  path.setAttribute("d", PATHS[name] || PATHS.dots);
  svg.append(path);
  return svg;
}

const TICK_WORDS = { accepted: "waiting", sent: "sent", delivered: "delivered", read: "read", played: "played", failed: "not delivered" };
function ticks(tick) {
  const two = tick === "delivered" || tick === "read" || tick === "played";
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 16 11");
  svg.setAttribute("class", "ticks " + (tick === "played" ? "read" : tick));
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", TICK_WORDS[tick] || tick);
  const path = document.createElementNS(svg.namespaceURI, "path");
  path.setAttribute("d", tick === "failed" ? "M8 2v4M8 8.500v.1" : two ? "M1 6l3 3 6-7.500M7.500 8.500L8 9l6.500-7.500" : "M3.500 6l3 3 6-7.500");
  svg.append(path);
  return svg;
}

const two = (n) => String(n).padStart(2, "0");
const clock = (ms) => { const d = new Date(ms); return two(d.getHours()) + ":" + two(d.getMinutes()); };
function day(ms) {
  const date = new Date(ms);
  if (date.toDateString() === new Date().toDateString()) return "Today";
  return date.toLocaleDateString(undefined, { weekday: "short", day: "numeric", month: "long" });
}
const pretty = (digits) => (/^\d+$/.test(digits) ? "+" + digits.replace(/^(1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|\d{3})(\d+)$/, (_, cc, rest) => cc + " " + rest.replace(/(\d{4})(?=\d{3})/, "$1 ")) : digits);
function hue(text) { let n = 7; for (const c of text) n = (n * 31 + c.charCodeAt(0)) % 3600; return [158, 205, 262, 24, 338, 186, 42, 290, 128][n % 9]; }
function avatar(name, small) {
  const letters = name.replace(/[^\p{L}\p{N} ]/gu, "").split(" ").filter(Boolean).slice(0, 2).map((w) => [...w][0]).join("").toUpperCase();
  return h("span.avatar" + (small ? ".small" : ""), { style: { "--hue": hue(name) }, "aria-hidden": "true" }, letters || "?");
}
function duration(us) { return us < 1000 ? us + " µs" : us < 1e6 ? (us / 1000).toFixed(us < 1e4 ? 2 : 1) + " ms" : (us / 1e6).toFixed(1) + " s"; }
function toast(text) {
  const box = $("toast");
  box.textContent = text; box.hidden = false;
  clearTimeout(toast.timer); toast.timer = setTimeout(() => { box.hidden = true; }, 3600);
}
