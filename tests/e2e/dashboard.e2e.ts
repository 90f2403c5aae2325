/** The dashboard in a real browser. */
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { NO_BROWSER, openPage, startDirected, TEAM_HOST } from "./browser.ts";
import {
  makePlace,
  type Place,
  type Running,
  type Runtime,
  startArbiter,
  startSession,
  startUpstream,
  toResult,
} from "./support.ts";

const RUNTIMES = ["node", "deno", "bun"] as const;
const WORD = /swordfish/;
/** The page's own colours. */
const GROUNDS = { light: "rgb(246, 247, 249)", dark: "rgb(16, 20, 26)" };

/** A proxy before an upstream that the test directs. */
async function startProxy(
  t: TestContext,
  options: { runtime?: Runtime; env?: Record<string, string>; port?: string; place?: Place; upstream?: string } = {},
): Promise<Running & { url: string; port: string; place: Place }> {
  const {
    runtime = "node",
    env = {},
    port: wanted = "0",
    place = await makePlace(t),
    upstream = "http://127.0.0.1:9/v1",
  } = options;
  const models = "test/first,test/second";
  const given = { NVIDIA_BASE_URL: upstream, NVIDIA_API_KEY: "test-key", ARBITER_MODEL: models, ...env };
  const running = startArbiter(t, ["serve", "--port", wanted], { place, runtime, env: given, limit: 120_000 });
  const [, url = "", port = ""] = await running.wrote(/To watch it: (http:\S+:(\d+))\/dashboard/);
  return { ...running, url, port, place };
}

/** Asks for a streamed answer, whose request and answer hold a word that must not be seen. */
async function ask(
  url: string,
  headers: Record<string, string> = {},
  model = "claude-sonnet-5",
  signal?: AbortSignal,
): Promise<string> {
  const messages = [{ role: "user", content: "Say swordfish" }];
  const tools = [{ name: "Bash", input_schema: { type: "object", properties: { command: { type: "string" } } } }];
  const body = JSON.stringify({ model, max_tokens: 999, stream: true, messages, tools });
  const session = { "x-claude-code-session-id": "5f0c2f4e-session" };
  const response = await fetch(`${url}/v1/messages`, {
    method: "POST",
    body,
    headers: { ...session, ...headers },
    ...(signal ? { signal } : {}),
  });
  return await response.text();
}

const CALL = {
  index: 0,
  id: "call_1",
  type: "function",
  function: { name: "Bash", arguments: '{"command":"swordfish"}' },
};

describe("the dashboard", { skip: NO_BROWSER, concurrency: 2, timeout: 120_000 }, () => {
  for (const runtime of RUNTIMES) {
    it(`shows a request in its lanes, and never what it says, on ${runtime}`, async (t) => {
      const upstream = await startDirected(t);
      const { url } = await startProxy(t, { runtime, upstream: upstream.url });
      const { page, see, complaints, addresses, frames } = await openPage(t);
      await page.goto(`${url}/dashboard`);
      await see("#connection", /^Live, by WebSocket$/);
      await see("#idle", /Nothing is on its way/);
      const asked = ask(url);
      const first = await upstream.next();
      await see("#flight", /^test\/first[^]*for claude-sonnet-5 · main[^]*5f0c2f4e\s*hold/);
      first.refuse(503, "swordfish is out");
      const second = await upstream.next();
      assert.equal(second.request.model, "test/second");
      await see("#flight", /^test\/second[^]*fallback, test\/first failed \(gateway\)/);
      second.say({ content: "swordfish" });
      await see("#flight", /stream, 9 characters/);
      second.say({ tool_calls: [CALL] });
      await see("#flight", /tools, /);
      second.finish();
      assert.match(await asked, WORD);
      await see("#idle", /Nothing/);
      await see("#recent", /^test\/second[^]*1234 in, 56 out/);
      await see("#tiles", /Requests\s*1\s*Fallbacks\s*1\s*Errors\s*0\s*Tokens in \/ out\s*1234 \/ 56/);
      await see("#models", /test\/first\s*asked; gateway .* ago\s*0\s*1[^]*test\/second\s*answers\s*1\s*0/);
      await see("#sessions", /5f0c2f4e-sess/);
      await see("#events", /over after [^]*calls a tool[^]*answers[^]*test\/first failed \(gateway\)[^]*is asked for/);
      assert.deepEqual(complaints, []);
      const own = [`${url}/`, `${url.replace("http", "ws")}/`, "data:,"];
      assert.deepEqual(addresses.filter((one) => !own.some((start) => one.startsWith(start))), []);
      assert.ok(frames.length > 3);
      assert.doesNotMatch(frames.join() + await page.content(), WORD);
    });
  }

  it("comes back when the proxy was away, and begins anew", async (t) => {
    const upstream = await startDirected(t);
    const first = await startProxy(t, { upstream: upstream.url });
    const { page, see } = await openPage(t);
    await page.goto(`${first.url}/dashboard/stream`);
    const asked = ask(first.url);
    const call = await upstream.next();
    call.say({ content: "Hi" });
    call.finish();
    await asked;
    await see("#tiles", /Requests\s*1\s/);
    first.signal("SIGTERM");
    await first.ended;
    await see("#connection", /The connection is lost/);
    await startProxy(t, { port: first.port, place: first.place, upstream: upstream.url });
    await see("#connection", /^Live, by WebSocket$/);
    await see("#tiles", /Requests\s*0\s/);
    await see("#none", /No request yet/);
  });

  it("says that the connection is lost where the proxy only says nothing any more", async (t) => {
    const { url, signal } = await startProxy(t);
    const { page, see } = await openPage(t);
    await page.clock.install();
    await page.goto(`${url}/dashboard`);
    await see("#connection", /^Live, by WebSocket$/);
    signal("SIGSTOP");
    await page.clock.fastForward(15_000);
    await see("#connection", /The connection is lost/);
    signal("SIGCONT");
    await page.clock.fastForward(15_000);
    await see("#connection", /^Live, by WebSocket$/);
  });

  it("is told by server-sent events where no WebSocket is let through", async (t) => {
    const upstream = await startDirected(t);
    const { url } = await startProxy(t, { upstream: upstream.url });
    const { page, see } = await openPage(t);
    await page.routeWebSocket(/stream-visualization/, (socket) => socket.close());
    await page.goto(`${url}/dashboard`);
    await see("#connection", /^Live, by server-sent events$/);
    const asked = ask(url);
    const call = await upstream.next();
    await see("#flight", /test\/first/);
    call.say({ content: "Hi" });
    call.finish();
    await asked;
    await see("#recent", /test\/first/);
  });

  it("lists the newest event first, also of those that come at once", async (t) => {
    const upstream = await startDirected(t);
    const { url } = await startProxy(t, { upstream: upstream.url });
    const { page, see } = await openPage(t);
    await page.goto(`${url}/dashboard`);
    const asked = ask(url);
    const call = await upstream.next();
    call.say({ content: "Hi", tool_calls: [CALL] });
    call.finish();
    await asked;
    await see("#events", /over after [^]*calls a tool[^]*answers[^]*is asked for/);
  });

  it("wants the key where there is one, keeps it in its tab, and sends it in no address", async (t) => {
    const key = "Secret-Number-1";
    const { url } = await startProxy(t, { env: { ARBITER_API_KEY: `me=${key}` } });
    const { page, see, addresses, findBarriers } = await openPage(t);
    await page.goto(`${url}/dashboard`);
    await see("#connection", /Locked/);
    assert.deepEqual(await findBarriers(), []);
    await page.fill("#key", "Secret-Number-2");
    await page.press("#key", "Enter");
    await see("#connection", /That is not its key/);
    await page.fill("#key", `${key} `); // As it is copied.
    await page.press("#key", "Enter");
    await see("#connection", /^Live, by WebSocket$/);
    await page.goto(`${url}/dashboard`);
    await see("#connection", /^Live, by WebSocket$/);
    assert.doesNotMatch(addresses.join() + await page.content(), /Secret/);
    assert.equal(await page.evaluate("JSON.stringify(localStorage) + document.cookie"), "{}");
  });

  it("is there for another machine, too, and the browser complains of nothing", async (t) => {
    const { port } = await startProxy(t, { env: { ARBITER_ALLOW_OPEN: "1" } });
    const { page, see, complaints } = await openPage(t);
    await page.goto(`http://${TEAM_HOST}:${port}/dashboard`);
    await see("#connection", /^Live, by WebSocket$/);
    assert.deepEqual(complaints, []);
  });

  it("shows what answers say only where the proxy was started so, and says that", async (t) => {
    const upstream = await startDirected(t);
    const { url } = await startProxy(t, { upstream: upstream.url, env: { ARBITER_SHOW_CONTENT: "1" } });
    const { page, see } = await openPage(t);
    await page.goto(`${url}/dashboard`);
    await see("#notice", /Content is shown/);
    const asked = ask(url);
    const call = await upstream.next();
    call.say({ content: "<b id=injected>swordfish</b>" });
    await see("#flight pre", /^<b id=injected>swordfish<\/b>$/);
    assert.equal(await page.evaluate("document.getElementById('injected')"), null);
    call.finish();
    await asked;
  });

  it("shows names as others wrote them, but no markup, and nothing that turns what is written after it", async (t) => {
    const upstream = await startDirected(t);
    const { url } = await startProxy(t, { upstream: upstream.url });
    const { page, see } = await openPage(t);
    await page.goto(`${url}/dashboard`);
    const asked = ask(url, {}, "<b id=injected>\u202Eevil");
    const call = await upstream.next();
    await see("#flight", /for <b id=injected> evil · main/);
    await see("#events", /<b id=injected> evil is asked for, main/);
    assert.equal(await page.evaluate("document.getElementById('injected')"), null);
    call.say({ content: "Hi" });
    call.finish();
    await asked;
  });

  it("says how many are on their way where it shows only some", async (t) => {
    const upstream = await startDirected(t);
    const { url } = await startProxy(t, { upstream: upstream.url, env: { ARBITER_MAX_CONCURRENCY: "1" } });
    const { page, see } = await openPage(t);
    await page.goto(`${url}/dashboard`);
    const gone = new AbortController();
    const asked = Array.from({ length: 17 }, (_, i) => ask(url, {}, `model-${i}`, gone.signal).catch(() => {}));
    await see("#h-flight", /^In flight: 16 of 17$/);
    gone.abort();
    await Promise.all(asked);
    await see("#h-flight", /^In flight$/);
  });

  for (const width of [360, 1280]) {
    it(`has no barriers, light and dark, ${width} pixels wide`, async (t) => {
      const upstream = await startDirected(t);
      const { url } = await startProxy(t, { upstream: upstream.url });
      const { page, see, findBarriers } = await openPage(t, width);
      await page.goto(`${url}/dashboard`);
      await see("#connection", /^Live/);
      assert.deepEqual(await findBarriers(), []);
      const asked = [ask(url), ask(url), ask(url)];
      const calls = [await upstream.next(), await upstream.next(), await upstream.next()];
      calls[0]!.say({ content: "Hi" });
      calls[0]!.finish();
      calls[1]!.refuse(400, "DEGRADED function cannot be invoked");
      const next = await upstream.next();
      calls[2]!.say({ content: "Hi" });
      await see("#recent", /test\/first/);
      await see("#flight", /fallback/);
      for (const colorScheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme });
        assert.equal(await page.evaluate("getComputedStyle(document.body).backgroundColor"), GROUNDS[colorScheme]);
        assert.deepEqual(await findBarriers(), []);
        assert.ok(await page.evaluate<number>("document.documentElement.scrollWidth") <= width);
      }
      next.say({ content: "Hi" });
      for (const call of [next, calls[2]!]) call.finish();
      await Promise.all(asked);
    });
  }

  it("can be used with the keyboard alone", async (t) => {
    const { url } = await startProxy(t);
    const { page, see } = await openPage(t);
    await page.goto(`${url}/dashboard`);
    await see("#connection", /^Live/);
    const reached: string[] = [];
    const focused = "document.activeElement.id || document.activeElement.getAttribute('aria-labelledby')";
    for (let i = 0; i < 4; i++) {
      await page.keyboard.press("Tab");
      reached.push(await page.evaluate<string>(focused));
    }
    assert.deepEqual(reached, ["theme", "h-models", "h-sessions", "h-events"]);
    assert.equal(await page.evaluate("getComputedStyle(document.activeElement).outlineStyle"), "solid");
    for (let i = 0; i < 3; i++) await page.keyboard.press("Shift+Tab");
    await page.keyboard.press("Enter");
    await see("#theme", /^Theme: dark$/);
    assert.equal(await page.evaluate("getComputedStyle(document.body).backgroundColor"), GROUNDS.dark);
  });
});

describe("the command dashboard", { concurrency: 3, timeout: 60_000 }, () => {
  for (const runtime of RUNTIMES) {
    it(`tells where the page is, or that no proxy runs, on ${runtime}`, async (t) => {
      const { url, port, place, signal, ended } = await startProxy(t, { runtime });
      const run = () => startArbiter(t, ["dashboard", "--port", port], { place, runtime }).ended;
      assert.equal((await run()).stdout, `${url}/dashboard\n`);
      signal("SIGTERM");
      await ended;
      const nobody = await run();
      assert.deepEqual([nobody.code, nobody.stderr], [1, `Nothing runs on port ${port}.\n`]);
    });
  }
});

it("Claude Code passes over events that tell of lanes", { timeout: 60_000 }, async (t) => {
  const upstream = await startUpstream(t, () => ({ steps: [{ text: "Hi there." }] }));
  const env = { ...upstream.env, R2_STREAM_VISUALIZATION: "1" };
  const { url, place } = await startProxy(t, { env });
  assert.match(await ask(url), /^event: ncp_visualization\ndata: .*"lane":"stream"/m);
  const ended = await startSession(t, "Hi", { place, env }).ended;
  assert.equal(toResult(ended), "Hi there.", ended.stderr);
});
