/** The dashboard, made by scripts/amalgamate.ts from the files in lib/server/dashboard/. */
export const DASHBOARD_PAGE = ` <!doctype html>
 <html lang="en">
 <head>
 <meta charset="utf-8">
 <meta name="viewport" content="width=device-width, initial-scale=1">
 <title>Arbiter</title>
 <link rel="icon" href="data:,">
<style>
 :root {
 color-scheme: light dark;
 --ground: light-dark(#f6f7f9, #10141a);
 --card: light-dark(#fff, #181e27);
 --ink: light-dark(#1b2430, #e6eaf0);
 --soft: light-dark(#566273, #a3afbf);
 --line: light-dark(#d6dbe3, #303a48);
 --accent: light-dark(#1d5fc4, #7fb1ff);
 --bad: light-dark(#b3261e, #ff8a80);
 --good: light-dark(#1a6b3c, #6fd39a);
 }
 * {
 box-sizing: border-box;
 margin: 0;
 }
 body {
 margin: 0 auto;
 max-width: 1240px;
 padding: 0 16px 32px;
 background: var(--ground);
 color: var(--ink);
 font: 15px/1.45 system-ui, sans-serif;
 font-variant-numeric: tabular-nums;
 overflow-wrap: anywhere;
 }
 header {
 display: flex;
 flex-wrap: wrap;
 align-items: center;
 gap: 4px 16px;
 padding: 14px 0;
 }
 h1 {
 font-size: 20px;
 }
 h1 small,
 dt,
 .legend,
 thead th {
 color: var(--soft);
 font-weight: 400;
 font-size: 13px;
 }
 h2 {
 margin: 0 0 8px;
 font-size: 15px;
 }
 #connection {
 flex: 1;
 color: var(--soft);
 }
 #connection::before,
 .legend li::before {
 content: "";
 display: inline-block;
 width: 10px;
 height: 10px;
 margin-right: 6px;
 border-radius: 50%;
 background: var(--lane);
 }
 #connection.live {
 --lane: var(--good);
 }
 #connection.lost {
 --lane: var(--bad);
 }
 button,
 input {
 font: inherit;
 color: inherit;
 background: var(--card);
 border: 1px solid var(--soft);
 border-radius: 6px;
 padding: 5px 12px;
 min-height: 34px;
 }
 button {
 cursor: pointer;
 }
 :focus-visible {
 outline: 3px solid var(--accent);
 outline-offset: 2px;
 }
 main {
 display: grid;
 grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr));
 gap: 12px;
 }
 section,
 #door,
 #notice,
 #tiles div {
 background: var(--card);
 border: 1px solid var(--line);
 border-radius: 10px;
 padding: 12px 14px;
 min-width: 0;
 }
 .wide {
 grid-column: 1 / -1;
 }
 #notice {
 border-color: var(--bad);
 }
 #tiles {
 display: grid;
 grid-template-columns: repeat(auto-fit, minmax(140px, 1fr));
 gap: 12px;
 }
 #tiles div {
 padding: 8px 12px;
 }
 dd {
 font-size: 20px;
 }
 ul,
 ol {
 padding: 0;
 list-style: none;
 }
 .legend {
 display: flex;
 flex-wrap: wrap;
 gap: 2px 14px;
 margin-bottom: 6px;
 }
 .legend li::before {
 border-radius: 3px;
 }
 .requests > li {
 padding: 6px 0;
 }
 .requests > li + li {
 border-top: 1px solid var(--line);
 }
 .line {
 display: flex;
 flex-wrap: wrap;
 gap: 0 12px;
 }
 .line .time {
 margin-left: auto;
 }
 .soft {
 color: var(--soft);
 }
 .bad {
 color: var(--bad);
 }
 .good {
 color: var(--good);
 }
 svg {
 display: block;
 width: 100%;
 }
 .lanes {
 position: relative;
 margin-top: 4px;
 }
 .lanes svg {
 height: 8px;
 }
 .lanes span {
 display: block;
 height: 14px;
 color: var(--soft);
 font-size: 12px;
 line-height: 10px;
 }
 #flight svg {
 position: absolute;
 top: 0;
 left: 64px;
 width: calc(100% - 64px);
 height: 56px;
 }
 rect {
 fill: var(--lane);
 }
 .rail {
 --lane: var(--line);
 opacity: .45;
 }
 .hold {
 --lane: light-dark(#c8891a, #e0a93f);
 }
 .stream {
 --lane: light-dark(#2b6fd6, #5b9bf5);
 }
 .fallback {
 --lane: light-dark(#c0392b, #f0705f);
 }
 .tools {
 --lane: light-dark(#7c4dd1, #a98af0);
 }
 #latency,
 #tokens {
 height: 80px;
 margin-bottom: 4px;
 border-bottom: 1px solid var(--line);
 }
 pre {
 margin: 4px 0 0;
 max-height: 6em;
 overflow: hidden;
 white-space: pre-wrap;
 color: var(--soft);
 }
 #recent pre {
 white-space: nowrap;
 text-overflow: ellipsis;
 }
 .scroll {
 overflow: auto;
 max-height: 340px;
 }
 table {
 width: 100%;
 border-collapse: collapse;
 }
 th,
 td {
 padding: 4px 12px 4px 0;
 text-align: left;
 vertical-align: top;
 }
 th {
 font-weight: 400;
 }
 thead th {
 white-space: nowrap;
 }
 tbody th {
 min-width: 160px;
 }
 td,
 time {
 overflow-wrap: normal;
 }
 tbody td:nth-child(2) {
 min-width: 100px;
 }
 tbody > tr > * {
 border-top: 1px solid var(--line);
 }
 #quotas li {
 display: flex;
 flex-wrap: wrap;
 gap: 0 8px;
 align-items: center;
 margin-bottom: 6px;
 }
 meter {
 width: 120px;
 }
 #events li {
 display: flex;
 gap: 12px;
 padding: 1px 0;
 }
 .hidden {
 position: absolute;
 width: 1px;
 height: 1px;
 overflow: hidden;
 clip-path: inset(50%);
 }
</style>
 </head>
 <body>
 <header>
 <h1>Arbiter <small id="version"></small></h1>
 <p id="connection" class="hold" role="status">Connecting …</p>
 <button id="theme" type="button">Theme: auto</button>
 </header>
 <p id="news" class="hidden" aria-live="polite"></p>
 <main>
 <form id="door" class="wide" hidden>
 <label for="key">This proxy wants its key (ARBITER_API_KEY). It stays in this tab.</label>
 <p>
 <input id="key" type="password" autocomplete="off" pattern=" *[!-~]+ *" required>
 <button>Open</button>
 </p>
 </form>
 <p id="notice" class="wide" hidden>
 <strong>Content is shown</strong>: this proxy was started with ARBITER_SHOW_CONTENT, so that whoever opens this page
 can read the end of each answer.
 </p>
 <dl id="tiles" class="wide" aria-label="Since the start"></dl>

 <section aria-labelledby="h-flight" class="wide">
 <h2 id="h-flight">In flight</h2>
 <p id="idle" class="soft">Nothing is on its way.</p>
 <ul id="flight" class="requests"></ul>
 </section>

 <section aria-labelledby="h-recent" class="wide">
 <h2 id="h-recent">Recent</h2>
 <ul class="legend" aria-label="Lanes">
 <li class="hold">hold</li>
 <li class="fallback">fallback</li>
 <li class="stream">stream</li>
 <li class="tools">tools</li>
 </ul>
 <p id="none" class="soft">
 No request yet. In another terminal: <code>arbiter-proxy env</code> says how Claude Code gets here.</p>
 <ul id="recent" class="requests"></ul>
 </section>

 <section>
 <h2 id="h-models">Models</h2>
 <ul id="quotas"></ul>
 <div class="scroll" role="region" aria-labelledby="h-models" tabindex="0">
 <table>
 <thead>
 <tr>
 <th scope="col">Model</th>
 <th scope="col">State</th>
 <th scope="col">Answers</th>
 <th scope="col">Faults</th>
 <th scope="col">First token</th>
 </tr>
 </thead>
 <tbody id="models"></tbody>
 </table>
 </div>
 </section>

 <section>
 <h2 id="h-sessions">Sessions</h2>
 <div class="scroll" role="region" aria-labelledby="h-sessions" tabindex="0">
 <table>
 <thead>
 <tr>
 <th scope="col">Session</th>
 <th scope="col">Last</th>
 <th scope="col">Requests</th>
 <th scope="col">Tokens in / out</th>
 <th scope="col">Fallbacks</th>
 <th scope="col">Errors</th>
 </tr>
 </thead>
 <tbody id="sessions"></tbody>
 </table>
 </div>
 </section>

 <section aria-labelledby="h-latency">
 <h2 id="h-latency">Time to the first token</h2>
 <svg id="latency" aria-labelledby="latency-words" viewBox="0 0 300 80" role="img"
 preserveAspectRatio="none"></svg>
 <p id="latency-words" class="soft">No answer yet.</p>
 </section>

 <section aria-labelledby="h-tokens">
 <h2 id="h-tokens">Tokens of an answer</h2>
 <svg id="tokens" aria-labelledby="tokens-words" viewBox="0 0 300 80" role="img"
 preserveAspectRatio="none"></svg>
 <p id="tokens-words" class="soft">No answer yet.</p>
 </section>

 <section class="wide">
 <h2 id="h-events">Events</h2>
 <div class="scroll" role="region" aria-labelledby="h-events" tabindex="0">
 <ol id="events"></ol>
 </div>
 </section>
 </main>
<script>
 "use strict";
 // Whatever comes from clients and models is put into the page as text, never as markup.

 const STATE_PATH = "/v1/stream/visualization";
 const EVENTS_PATH = "/v1/stream/events";
 const SOCKET_PATH = "/ws/stream-visualization";
 const LANES = ["hold", "fallback", "stream", "tools"];
 const MOST_OVER = 100;
 const MOST_SHOWN = 8;
 const MOST_EVENTS = 80;
 const MOST_BARS = 60;
 /** Milliseconds of silence after which a connection counts as lost; the proxy says something every five seconds. */
 const SILENCE = 15_000;
 const RETRY = 1_000;
 const MAX_RETRY = 15_000;
 const NEWS_PAUSE = 10_000;

 const $ = (id) => document.getElementById(id);

 const keep = (store, name, value) => {
 try {
 return value === undefined ? globalThis[store][name] ?? "" : globalThis[store][name] = value;
 } catch {
 return ""; // Some browsers forbid it; then nothing is remembered.
 }
 };

 // ---- What is known

 let state;
 let skew = 0;
 let key = keep("sessionStorage", "arbiter-key");
 const requests = new Map();
 const sessions = new Map();

 const now = () => Date.now() - skew;
 const newest = (list, most) => list.slice(-most).reverse();
 const isOver = ({ over }) => over !== undefined;

 function take(message) {
 const { live } = message;
 state = message;
 skew = Date.now() - live.at;
 if (live.whole) {
 requests.clear();
 sessions.clear();
 }
 for (const request of live.requests) {
 if (request.over) requests.delete(request.id); // So that those that are over stand in the order in which they ended.
 requests.set(request.id, request);
 }
 const over = [...requests.values()].filter(isOver);
 for (const { id } of over.slice(0, -MOST_OVER)) requests.delete(id);
 for (const one of live.sessions) sessions.set(one.id, one);
 drawSoon();
 }

 // ---- Words

 const number = (value) => value < 10_000 ? String(value) : \`\${(value / 1000).toFixed(value < 100_000 ? 1 : 0)}\\u00a0k\`;
 const duration = (ms) => {
 if (ms < 1000) return \`\${Math.max(0, Math.round(ms))} ms\`;
 if (ms < 60_000) return \`\${(ms / 1000).toFixed(1)} s\`;
 const minutes = Math.floor(ms / 60_000);
 const seconds = Math.floor(ms % 60_000 / 1000);
 if (minutes < 120) return seconds > 0 ? \`\${minutes} min \${seconds} s\` : \`\${minutes} min\`;
 return \`\${Math.floor(minutes / 60)} h\`;
 };
 const clock = (time) => new Date(time + skew).toLocaleTimeString("en-GB");
 const words = (name = "") => name.replaceAll("_", " ");
 const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;
 const plural = (count, name) => \`\${count} \${name}\${count === 1 ? "" : "s"}\`;

 function toOutcome({ over, written, pings, steps }) {
 const { lane, left, why } = steps.at(-1);
 if (over) {
 const { status, failed, inputTokens, outputTokens } = over;
 if (status === 499) return "the client went away";
 if (failed && status === 200) return "broke off";
 if (failed) return \`failed, status \${status}\${why ? \`: \${words(why)}\` : ""}\`;
 return outputTokens === undefined ? "answered" : \`\${number(inputTokens)} in, \${number(outputTokens)} out\`;
 }
 const parts = [left ? \`\${left} failed (\${words(why)})\` : "", written ? \`\${number(written)} characters\` : ""];
 return [lane, ...parts, pings ? plural(pings, "ping") : ""].filter(Boolean).join(", ");
 }

 function toEvents(request) {
 const { began, asked, kind, steps, over, id } = request;
 const say = {
 hold: () => \`\${asked} is asked for\${kind ? \`, \${words(kind)}\` : ""}\`,
 fallback: ({ left, why, model }) => \`\${left} failed (\${words(why)})\${model ? \`, \${model} is asked\` : ""}\`,
 stream: () => \`\${request.model} answers\`,
 tools: () => \`\${request.model} calls a tool\`,
 };
 const events = steps.map((step, i) => ({
 id: \`\${id} \${i}\`,
 at: began + step.at,
 bad: step.lane === "fallback",
 text: say[step.lane](step),
 }));
 if (over) {
 const text = \`over after \${duration(over.ms)}: \${toOutcome(request)}\`;
 events.push({ id: \`\${id} over\`, at: began + over.ms, bad: over.failed, text });
 }
 return events;
 }

 // ---- Drawing

 /** Shows a text, without what would turn the direction of writing. */
 const set = (node, text) => {
 const shown = String(text).replace(/\\p{Bidi_Control}/gu, " ");
 if (node.textContent !== shown) node.textContent = shown;
 };

 function make(tag, attributes = {}, ...children) {
 const svg = tag === "rect" || tag === "svg";
 const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
 for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
 node.append(...children);
 return node;
 }

 const rect = (x, y, width, height, name) => make("rect", { x, y, width: Math.max(width, 0), height, class: name });

 /** Brings the children of a list in line with items, keeping those that stay. */
 function align(list, items, create, update) {
 const old = new Map([...list.children].map((node) => [node.dataset.id, node]));
 items.forEach((item, i) => {
 const id = String(item.id);
 const node = old.get(id) ?? create(item);
 node.dataset.id = id;
 old.delete(id);
 if (list.children[i] !== node) list.insertBefore(node, list.children[i] ?? null);
 update(node, item);
 });
 old.forEach((node) => node.remove());
 }

 /** The lanes of a request as bars over its time: one below the other, or in one line when it is over. */
 function drawLanes(svg, { steps, over, began }) {
 const total = Math.max(over ? over.ms : now() - began, 1);
 const bars = steps.map(({ at, lane }, i) => {
 const from = i > 0 ? at : 0;
 const end = steps[i + 1]?.at ?? total;
 const row = over ? 0 : LANES.indexOf(lane);
 return rect(from / total * 1000, row * 14, Math.max((end - from) / total * 1000, 3), over ? 8 : 10, lane);
 });
 const rails = over ? [] : LANES.map((_, row) => rect(0, row * 14, 1000, 10, "rail"));
 svg.replaceChildren(...rails, ...bars);
 }

 function createRequest({ over }) {
 const svg = make("svg", { viewBox: \`0 0 1000 \${over ? 8 : 56}\`, preserveAspectRatio: "none" });
 const names = over ? [] : LANES.map((lane) => make("span", {}, lane));
 const line = [make("b"), make("span", { class: "soft" }), make("span"), make("span", { class: "time" })];
 const lanes = make("div", { class: "lanes", "aria-hidden": "true" }, ...names, svg);
 return make("li", {}, make("div", { class: "line" }, ...line), lanes);
 }

 function updateRequest(item, request) {
 const { id, model, asked, kind, task, session, over, began, changed, text } = request;
 if (over && item.dataset.changed === String(changed)) return;
 item.dataset.changed = changed;
 const [line, lanes] = item.children;
 const [name, about, outcome, time] = line.children;
 set(name, model ?? asked);
 set(about, [model ? \`for \${asked}\` : "", words(kind), words(task), session?.slice(0, 8)].filter(Boolean).join(" · "));
 set(outcome, toOutcome(request));
 outcome.className = over?.failed ? "bad" : "";
 set(time, duration(over ? over.ms : now() - began));
 item.title = \`\${id}, \${clock(began)}\`;
 drawLanes(lanes.lastChild, request);
 if (text) {
 const pre = item.children[2] ?? item.appendChild(make("pre"));
 set(pre, text.slice(over ? -100 : -400));
 }
 }

 /** Fills a table; a cell is a text, or a text and its class. */
 function fill(body, rows) {
 align(
 body,
 rows,
 ({ cells }) => make("tr", {}, ...cells.map((_, i) => make(i ? "td" : "th", i ? {} : { scope: "row" }))),
 (row, { cells }) =>
 cells.forEach((cell, i) => {
 const [text, name = ""] = [cell].flat();
 set(row.children[i], text);
 row.children[i].className = name;
 }),
 );
 }

 function toModelState({ avoidedUntil = 0, answers, faults, why, failedAt }) {
 const left = avoidedUntil - now();
 if (left > 0) return [\`avoided for \${duration(left)}\${why ? \`: \${words(why)}\` : ""}\`, "bad"];
 if (faults) return [\`\${answers ? "answers" : "asked"}; \${words(why)} \${duration(now() - failedAt)} ago\`, ""];
 return answers ? ["answers", "good"] : ["no answer yet", "soft"];
 }

 /** Draws a number of each answer that has it as bars, the newest at the right, and says the same in words. */
 function drawBars(id, logs, field, format, extreme) {
 const shown = logs.filter((log) => log[field] > 0).slice(-MOST_BARS);
 const values = shown.map((log) => log[field]);
 const most = Math.max(...values);
 const step = 300 / Math.max(shown.length, 20);
 const bars = shown.map((log, i) => {
 const height = Math.max(log[field] / most * 76, 1.5);
 const x = 300 - (shown.length - i) * step;
 return rect(x + step * .15, 80 - height, step * .7, height, log.failed ? "fallback" : "stream");
 });
 const numbers = \`median \${format(median(values))}, \${extreme} \${format(most)}\`;
 $(id).replaceChildren(...bars);
 set($(\`\${id}-words\`), shown.length > 0 ? \`The last \${shown.length}: \${numbers}\` : "No answer yet.");
 }

 function drawTiles() {
 const { requests, fallbacks, errors, inputTokens, outputTokens, anthropicCost, firstToken, since } = state;
 const tiles = [
 ["Requests", number(requests)],
 ["Fallbacks", number(fallbacks)],
 ["Errors", number(errors)],
 ["Tokens in / out", \`\${number(inputTokens)} / \${number(outputTokens)}\`],
 ["First token", firstToken.count ? duration(firstToken.ms / firstToken.count) : "–"],
 ["At Anthropic’s prices", \`$\${anthropicCost.toFixed(2)}\`],
 ["Running for", duration(now() - since)],
 ];
 align(
 $("tiles"),
 tiles.map(([id, text]) => ({ id, text })),
 ({ id }) => make("div", {}, make("dt", {}, id), make("dd")),
 (tile, { text }) => set(tile.children[1], text),
 );
 }

 function drawQuotas({ quotas }) {
 align(
 $("quotas"),
 quotas.map((quota) => ({ id: quota.backend, ...quota })),
 ({ id }) => make("li", {}, make("meter", { min: 0, "aria-label": \`Quota of \${id}\` }), make("span")),
 (item, { id, left, limit, window }) => {
 Object.assign(item.children[0], { max: limit, low: limit * .2, optimum: limit, value: left });
 set(item.children[1], \`\${id}: \${left} of \${limit} requests left, window \${duration(window)}\`);
 },
 );
 }

 function draw() {
 const { version, model, live } = state;
 const all = [...requests.values()];
 const over = all.filter(isOver);
 const flight = all.filter((one) => !isOver(one));
 set($("version"), \`\${version} · \${model}\`);
 $("notice").hidden = !live.showsContent;
 set($("h-flight"), flight.length > MOST_SHOWN * 2 ? \`In flight: \${MOST_SHOWN * 2} of \${flight.length}\` : "In flight");
 $("idle").hidden = flight.length > 0;
 $("none").hidden = all.length > 0;
 drawTiles();
 align($("flight"), newest(flight, MOST_SHOWN * 2), createRequest, updateRequest);
 align($("recent"), newest(over, MOST_SHOWN), createRequest, updateRequest);
 drawQuotas(live);
 fill(
 $("models"),
 live.models.map((one) => ({
 id: \`\${one.backend} \${one.model}\`,
 cells: [one.model, toModelState(one), one.answers, one.faults, one.firstMs ? duration(one.firstMs) : "–"],
 })),
 );
 const last = [...sessions.values()].sort((a, b) => b.last - a.last).slice(0, MOST_SHOWN);
 fill(
 $("sessions"),
 last.map(({ id, last, requests, inputTokens, outputTokens, fallbacks, errors }) => ({
 id,
 cells: [
 id.slice(0, 13),
 clock(last),
 requests,
 \`\${number(inputTokens)} / \${number(outputTokens)}\`,
 fallbacks,
 errors,
 ],
 })),
 );
 const logs = over.map(({ over }) => over);
 drawBars("latency", logs, "firstMs", duration, "slowest");
 drawBars("tokens", logs, "outputTokens", number, "most");
 const events = newest(all.flatMap(toEvents).sort((a, b) => a.at - b.at), MOST_EVENTS);
 align(
 $("events"),
 events,
 () => make("li", {}, make("time", { class: "soft" }), make("span")),
 (item, { at, text, bad }) => {
 set(item.children[0], clock(at));
 set(item.children[1], text);
 item.children[1].className = bad ? "bad" : "";
 },
 );
 tellNews(flight.length);
 }

 let drawn = false;
 function drawSoon() {
 if (drawn || !state) return;
 drawn = true;
 requestAnimationFrame(() => {
 drawn = false;
 draw();
 });
 }

 /** Tells screen readers what has changed, not more often than they can read it. */
 let told = 0;
 function tellNews(flight) {
 if (Date.now() - told < NEWS_PAUSE) return;
 told = Date.now();
 const { requests, fallbacks, errors } = state;
 const counts = \`\${plural(requests, "request")}, \${plural(fallbacks, "fallback")}, \${plural(errors, "error")}\`;
 set($("news"), \`\${flight} in flight; \${counts} so far\`);
 }

 // ---- The connection

 let end = () => {};
 let watchdog = 0;
 function heard(how, message) {
 clearTimeout(watchdog);
 watchdog = setTimeout(() => end(), SILENCE);
 say(\`Live, by \${how}\`, "live");
 take(message);
 }

 function say(text, name = "hold") {
 set($("connection"), text);
 $("connection").className = name;
 }

 /** Follows the proxy over a WebSocket until that ends; tells whether it began. */
 function followSocket() {
 return new Promise((resolve) => {
 const offered = btoa(key).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
 const protocols = ["arbiter", ...(key ? [\`arbiter.key.\${offered}\`] : [])];
 const socket = new WebSocket(\`ws\${location.protocol.slice(4)}//\${location.host}\${SOCKET_PATH}\`, protocols);
 let began = false;
 end = () => {
 socket.onmessage = null;
 socket.close();
 resolve(began); // Where nobody answers, closing takes a minute.
 };
 socket.onmessage = ({ data }) => {
 began = true;
 heard("WebSocket", JSON.parse(data));
 };
 socket.onclose = () => resolve(began);
 });
 }

 /** Follows the proxy by server-sent events, read with \`fetch\`, which can send a key, until they end. */
 async function followEvents(headers) {
 const stop = new AbortController();
 end = () => stop.abort();
 const response = await fetch(EVENTS_PATH, { headers, signal: stop.signal });
 if (!response.ok) return;
 const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
 let text = "";
 for (let read = await reader.read(); !read.done; read = await reader.read()) {
 const events = (text + read.value).split("\\n\\n");
 text = events.pop();
 for (const event of events) heard("server-sent events", JSON.parse(event.slice("data: ".length)));
 }
 }

 function openDoor(wrong) {
 say(wrong ? "That is not its key" : "Locked", "lost");
 $("door").hidden = false;
 $("key").focus();
 }

 async function follow() {
 const headers = key ? { "x-api-key": key } : {};
 const response = await fetch(STATE_PATH, { headers, cache: "no-store" });
 if (response.status === 401) return "locked";
 if (!response.ok) return "refused";
 take(await response.json());
 if (!await followSocket()) await followEvents(headers);
 }

 async function run() {
 for (let wait = RETRY;; wait = Math.min(wait * 2, MAX_RETRY)) {
 const began = Date.now();
 const how = await follow().catch(() => {});
 clearTimeout(watchdog);
 if (how === "locked") {
 openDoor(key !== "");
 key = "";
 keep("sessionStorage", "arbiter-key", "");
 return;
 }
 say(how ? "The proxy refuses this page" : "The connection is lost, trying again …", "lost");
 if (Date.now() - began > MAX_RETRY) wait = RETRY;
 await new Promise((resolve) => setTimeout(resolve, wait));
 }
 }

 $("door").addEventListener("submit", (event) => {
 event.preventDefault();
 key = $("key").value.trim();
 keep("sessionStorage", "arbiter-key", key);
 $("key").value = "";
 $("door").hidden = true;
 say("Connecting …");
 run();
 });

 // ---- Light and dark

 const THEMES = ["auto", "dark", "light"];
 let theme = THEMES.find((name) => name === keep("localStorage", "arbiter-theme")) ?? "auto";
 function paint() {
 document.documentElement.style.colorScheme = theme === "auto" ? "" : theme;
 set($("theme"), \`Theme: \${theme}\`);
 }
 $("theme").addEventListener("click", () => {
 theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
 keep("localStorage", "arbiter-theme", theme);
 paint();
 });
 paint();

 setInterval(() => {
 const moving = [...requests.values()].some((one) => !isOver(one)) ||
 state?.live.models.some((one) => one.avoidedUntil);
 if (moving && !document.hidden) drawSoon();
 }, 250);
 run();
</script>
 </body>
 </html>
`;
