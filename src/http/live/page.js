// Shows what a running application tells of itself, each second.
"use strict";

const format = {
  number: (value) => value >= 1e9 ? (value / 1e9).toFixed(1) + "G" : value >= 1e6 ? (value / 1e6).toFixed(1) + "M"
    : value >= 1e4 ? (value / 1e3).toFixed(0) + "k" : value >= 1e3 ? (value / 1e3).toFixed(1) + "k" : value >= 10 || Number.isInteger(value) ? value.toFixed(0) : value.toFixed(1),
  bytes: (value) => value >= 1 << 30 ? (value / (1 << 30)).toFixed(1) + " GiB" : value >= 1 << 20 ? (value / (1 << 20)).toFixed(1) + " MiB"
    : value >= 1 << 10 ? (value / (1 << 10)).toFixed(0) + " KiB" : value + " B",
  time: (millis) => millis == null ? "–" : millis < 1000 ? `${Math.round(millis)} ms` : millis < 120e3 ? `${(millis / 1000).toFixed(1)} s`
    : millis < 7.2e6 ? `${Math.round(millis / 60e3)} min` : millis < 172.8e6 ? `${Math.round(millis / 3.6e6)} h` : `${Math.round(millis / 86.4e6)} d`,
  date: (millis) => new Date(millis).toISOString().replace("T", " ").replace(/\.000Z$/, "Z"),
};

const one = (selector, within = document) => within.querySelector(selector);
const make = (name, attributes = {}, ...children) => {
  const element = Object.assign(document.createElement(name), attributes);
  element.append(...children);
  return element;
};
const put = (id, text) => { one("#" + id).textContent = text; };
const say = (text) => { one("#problem").hidden = !text; put("problem", text); };

// The page may be mounted anywhere.
const base = location.pathname.replace(/[^/]*$/, "");
const ask = async (path) => {
  const token = sessionStorage.getItem("tidemill-token");
  const answer = await fetch(base + path, { headers: token ? { authorization: `Bearer ${token}` } : {} });
  if (answer.status === 401) throw Object.assign(new Error("it asks for a token"), { isToken: true });
  if (!answer.ok) throw new Error((await answer.text()).trim() || answer.statusText);
  return answer;
};

// Server-sent events by `fetch`, which can show a token where `EventSource` cannot.
const follow = async (path, take) => {
  const reader = (await ask(path)).body.pipeThrough(new TextDecoderStream()).getReader();
  for (let held = ""; ;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (held + value).split("\n\n");
    held = parts.pop();
    for (const part of parts) {
      const data = part.split("\n").filter((line) => line.startsWith("data:")).map((line) => line.slice(5)).join("\n");
      if (data) take(JSON.parse(data));
    }
  }
};

let shape, drawing, before, rates = [], past = [];

// What came per second since the numbers of some seconds ago, or nothing while there are none.
const rate = (now, of) => {
  const then = past[0];
  if (!then || now.at <= then.at) return 0;
  return Math.max(0, (of(now) - of(then)) / ((now.at - then.at) / 1000));
};
const sum = (all, of) => all.reduce((total, each) => total + of(each), 0);
const processed = (numbers) => sum(numbers.tasks, (task) => task.processed);

const show = (now) => {
  say("");
  header(now);
  topology(now);
  tasks(now);
  workers(now);
  restores(now);
  drops(now);
  errors(now);
  past.push(now);
  if (past.length > 4) past.shift();
  before = now;
};

const header = (now) => {
  put("application", now.application);
  document.title = `${now.application} – tidemill`;
  put("instance", `process ${now.instance}`);
  const state = one("#state"), word = now.state.split(":")[0];
  state.textContent = word;
  state.className = "pill " + word;
  const speed = rate(now, processed);
  if (past.length) rates.push(speed);
  if (rates.length > 120) rates.shift();
  put("rate", past.length ? format.number(speed) : "–");
  spark();
  put("lag", format.number(sum(now.tasks, (task) => sum(task.inputs, (input) => input.lag))));
  const latency = now.tasks.map((task) => task.latency.average).filter((millis) => millis != null);
  put("latency", latency.length ? format.time(Math.max(...latency)) : "–");
  const commits = now.workers.map((worker) => worker.commit.average).filter((millis) => millis != null);
  put("commit", commits.length ? format.time(Math.max(...commits)) : "–");
  put("dropped", format.number(sum(now.tasks, (task) => sum(Object.values(task.dropped), (count) => count))));
  const { limit, rows, sending } = now.memory;
  put("memory", `${format.bytes(rows + sending)} of ${format.bytes(limit)}`);
  one("#memory-bar").style.width = `${Math.min(100, 100 * (rows + sending) / Math.max(limit, 1))}%`;
};

const spark = () => {
  const most = Math.max(...rates, 1), step = 120 / Math.max(rates.length - 1, 1);
  const line = rates.map((value, at) => `${(at * step).toFixed(1)},${(26 - 24 * value / most).toFixed(1)}`).join(" L");
  one("#spark path").setAttribute("d", rates.length > 1 ? `M0,28 L${line} L120,28` : "");
};

const topology = (now) => {
  const topics = new Map(), stores = new Map();
  const at = (name) => topics.get(name) ?? topics.set(name, { lag: 0, total: 0 }).get(name);
  for (const name of Object.keys(now.read)) at(name).read = rate(now, (numbers) => numbers.read[name]?.[0] ?? 0);
  for (const name of Object.keys(now.written)) {
    Object.assign(at(name), { written: rate(now, (numbers) => numbers.written[name]?.[0] ?? 0), total: now.written[name][0] });
  }
  for (const task of now.tasks) {
    for (const input of task.inputs) {
      at(input.topic).lag += input.lag;
      at(input.topic).ends = (at(input.topic).ends ?? 0) + input.end;
    }
    for (const store of task.stores) stores.set(store.store, { memory: (stores.get(store.store)?.memory ?? 0) + store.memory });
  }
  for (const topic of topics.values()) topic.total = Math.max(topic.total, topic.ends ?? 0);
  for (const { name, changelog } of shape.stores) {
    if (stores.has(name)) stores.get(name).changes = topics.get(changelog)?.written ?? 0;
  }
  drawing.update({ topics, stores });
};

const rowsOf = (selector, rows) => one(selector + " tbody").replaceChildren(...rows);
const cell = (text, className = "") => make("td", { className }, text);

const tasks = (now) => rowsOf("#tasks", now.tasks.map((task) => {
  const of = (numbers) => numbers.tasks.find((other) => other.id === task.id)?.processed ?? task.processed;
  const says = make("td", {}, make("i", { className: "dot " + task.doing }), task.says);
  return make("tr", {}, cell(task.id, "id"), cell(task.worker ?? "–"), cell(format.number(rate(now, of)), "n"),
    cell(format.number(sum(task.inputs, (input) => input.lag)), "n"), cell(format.time(task.latency.average), "n"), says);
}));

const ACTIVITIES = ["process", "fetch", "punctuate", "answer", "commit", "idle"];
const workers = (now) => {
  one("#workers").replaceChildren(...now.workers.map((worker) => {
    const then = past[0]?.workers.find((other) => other.id === worker.id);
    const spent = ACTIVITIES.map((activity) => worker.spent[activity] - (then?.spent[activity] ?? 0));
    const all = Math.max(sum(spent, (millis) => millis), 1);
    const bar = make("div", { className: "bar" }, ...ACTIVITIES.map((activity, at) => {
      const part = make("i", { title: `${activity} ${Math.round(100 * spent[at] / all)} %` });
      part.style.cssText = `width:${100 * spent[at] / all}%;background:var(--${activity})`;
      return part;
    }));
    const busy = Math.round(100 - 100 * spent[5] / all);
    const word = worker.alive ? `${busy} % busy, longest commit ${format.time(worker.commit.longest)}` : "ended";
    return make("div", { className: worker.alive ? "worker" : "worker ended" }, make("p", {}, make("b", {}, `worker ${worker.id}`), make("span", {}, word)), bar);
  }));
};
one("#legend").append(...ACTIVITIES.flatMap((activity) => {
  const colour = make("i");
  colour.style.background = `var(--${activity})`;
  return [colour, activity];
}));

const nothing = (text) => make("p", { className: "none" }, text);
const restores = (now) => {
  const running = now.restoring.map(({ task, restored, left, eta }) => {
    const bar = make("i");
    bar.style.width = `${100 * restored / Math.max(restored + left, 1)}%`;
    const word = `${format.number(restored)} read, ${format.number(left)} left` + (eta == null ? "" : `, ${format.time(eta)} to go`);
    return make("div", { className: "worker" }, make("p", {}, make("b", {}, `task ${task}`), make("span", {}, word)), make("div", { className: "bar" }, bar));
  });
  const none = nothing(now.restored ? `none now; ${format.number(now.restored)} records were restored` : "none now");
  one("#restores").replaceChildren(...(running.length ? running : [none]));
};

const drops = (now) => {
  const reasons = new Map();
  for (const task of now.tasks) for (const [reason, count] of Object.entries(task.dropped)) reasons.set(reason, (reasons.get(reason) ?? 0) + count);
  const rows = [...reasons].map(([reason, count]) => make("tr", {}, cell(reason), cell(format.number(count), "n")));
  // Outputs that no sink of the topology has are dead letters, or topics chosen for each record.
  const known = new Set([...shape.nodes.flatMap((node) => node.topics), ...shape.stores.map((store) => store.changelog)]);
  const others = Object.entries(now.written).filter(([topic]) => !known.has(topic));
  rows.push(...others.map(([topic, [count]]) => make("tr", {}, cell(`went to ${topic}`), cell(format.number(count), "n"))));
  rowsOf("#drops", rows.length ? rows : [make("tr", {}, cell("none", "none"))]);
};

const errors = (now) => one("#errors").replaceChildren(...(now.errors.length ? [...now.errors].reverse().map(({ at, message }) =>
  make("li", {}, make("time", {}, format.date(at)), message)) : [make("li", { className: "none", style: "border-color:var(--line)" }, "none")]));

// Stores.
const hexOf = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
const bytesOf = (hex) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
const KEYS = {
  text: (text) => hexOf(new TextEncoder().encode(text)),
  i64: (text) => BigInt.asUintN(64, BigInt(text)).toString(16).padStart(16, "0"),
  i32: (text) => (Number(text) >>> 0).toString(16).padStart(8, "0"),
  hex: (text) => text.replace(/\s/g, ""),
};
const isText = (text) => !/[\u0000-\u0008\u000b-\u001f\u007f\ufffd]/.test(text);
// Bytes as whoever looks would write them: text where it is text, else a number of 4 or 8 bytes, else hex.
const readable = (hex, hint) => {
  const bytes = bytesOf(hex), view = new DataView(bytes.buffer);
  if (!bytes.length) return "(empty)";
  if (/^(i64|u64|long|timestamp)/.test(hint) && bytes.length === 8) return view.getBigInt64(0).toString();
  if (/^(f64|double)/.test(hint) && bytes.length === 8) return String(view.getFloat64(0));
  const text = new TextDecoder().decode(bytes);
  if (isText(text)) return text;
  if (bytes.length === 8) return view.getBigInt64(0).toString();
  if (bytes.length === 4) return String(view.getInt32(0));
  if (bytes.length > 12 && isText(new TextDecoder().decode(bytes.slice(0, -12)))) {
    const start = Number(view.getBigInt64(bytes.length - 12));
    if (start >= 0 && start < 8.64e15) return `${new TextDecoder().decode(bytes.slice(0, -12))} @ ${format.date(start)}`;
  }
  return "0x" + hex;
};

const browser = one("#browser form");
let last;
const hints = () => {
  const words = shape.stores.find((store) => store.name === browser.store.value)?.shape ?? "";
  const [left, value = ""] = words.split(" -> ");
  return { words, key: left.split(" ").pop(), value };
};
const rowOf = ({ key, value, time }) => {
  const { key: keyHint, value: valueHint } = hints();
  return make("tr", {}, cell(readable(key, keyHint)), cell(readable(value, valueHint)), cell(time > 0 ? format.date(time) : ""));
};
const browse = async (path, add) => {
  try {
    const { rows, more } = await (await ask(path)).json();
    say("");
    const shown = rows.map(rowOf);
    add ? one("#rows tbody").append(...shown) : rowsOf("#rows", shown.length ? shown : [make("tr", {}, make("td", { colSpan: 3, className: "none" }, "no such row"))]);
    last = rows.length ? rows[rows.length - 1].key : undefined;
    one("#more").hidden = !more;
  } catch (error) {
    say(error.message);
  }
};
let direction = "";
const pages = (extra) => `live/rows/${encodeURIComponent(browser.store.value)}?limit=25${direction}${extra}`;
browser.addEventListener("submit", (event) => {
  event.preventDefault();
  let key;
  try {
    key = browser.key.value && KEYS[browser.type.value](browser.key.value.trim());
  } catch {
    return say(`“${browser.key.value}” is no ${browser.type.value}`);
  }
  const wanted = event.submitter?.value ?? "page";
  direction = wanted === "back" ? "&backward=true" : "";
  browse(wanted === "find" && key ? pages(`&key=${key}`) : pages(key ? `&from=${key}` : ""));
});
one("#more").addEventListener("click", () => browse(pages(`&after=${last}`), true));
const pick = (store) => {
  browser.store.value = store;
  direction = "";
  put("shape", hints().words + " — rows as they are now, committed or not");
  browser.type.value = /^(i64|u64|long)/.test(hints().key) ? "i64" : "text";
  browse(pages(""));
};
browser.store.addEventListener("change", () => pick(browser.store.value));

const begin = async () => {
  shape = await (await ask("live/shape")).json();
  drawing = graph.draw(one("#graph"), shape, (store) => { pick(store); one("#browser").scrollIntoView({ behavior: "smooth" }); });
  one("#token").hidden = true;
  browser.store.replaceChildren(...shape.stores.map(({ name }) => make("option", {}, name)));
  one("#browser").hidden = !shape.stores.length;
  if (shape.stores.length) pick(shape.stores[0].name);
  past = [];
  await follow("live/events", show);
  throw new Error("the application has ended, or is started again");
};

const run = async () => {
  for (; ;) {
    try {
      await begin();
    } catch (error) {
      const state = one("#state");
      state.textContent = error.isToken ? "locked" : "not connected";
      state.className = "pill gone";
      if (error.isToken) {
        one("#token").hidden = false;
        await new Promise((given) => one("#token").addEventListener("submit", (event) => {
          event.preventDefault();
          sessionStorage.setItem("tidemill-token", one("#token input").value);
          given();
        }, { once: true }));
        continue;
      }
      say(error instanceof TypeError ? "the application does not answer; trying again" : error.message);
    }
    await new Promise((next) => setTimeout(next, 2000));
  }
};
run();
