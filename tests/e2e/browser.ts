/** A real browser for a page, and an upstream that does only what a test tells it to. */
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { type ChatDelta, type ChatRequest, serve } from "../../mod.ts";
import { type Cleaner, ROOT } from "./support.ts";

/** The browser that `.ci/run` installs, or what is there already. */
const BROWSERS = ["/usr/bin/chromium", "/usr/bin/google-chrome"];
const browserPath = BROWSERS.find(existsSync);

/** Why tests of pages are left out; where everything must run they fail instead. */
export const NO_BROWSER = browserPath || process.env.CI === "true" ? false : `needs ${BROWSERS.join(" or ")}`;

/** A name by which the browser finds this machine, and takes it for another one. */
export const TEAM_HOST = "proxy.team.example";

const require = createRequire(join(ROOT, "tests/e2e/package.json"));

/** What is used of Playwright's page; its types are not there where only the proxy is built. */
export interface Page {
  goto(url: string): Promise<unknown>;
  evaluate<T>(script: string): Promise<T>;
  routeWebSocket(url: RegExp, handler: (socket: { close(): void }) => void): Promise<void>;
  setViewportSize(size: { width: number; height: number }): Promise<void>;
  emulateMedia(media: { colorScheme: "light" | "dark" }): Promise<void>;
  content(): Promise<string>;
  fill(selector: string, text: string): Promise<void>;
  press(selector: string, key: string): Promise<void>;
  /** Its clock; once installed it goes on by itself, and can be put forward. */
  clock: { install(): Promise<void>; fastForward(ms: number): Promise<void> };
  keyboard: { press(key: string): Promise<void> };
  on(event: "console", listener: (message: { type(): string; text(): string }) => void): void;
  on(event: "pageerror", listener: (error: Error) => void): void;
  on(event: "request", listener: (request: { url(): string }) => void): void;
  on(event: "websocket", listener: (socket: FollowedSocket) => void): void;
}
interface FollowedSocket {
  url(): string;
  on(event: "framereceived", listener: (frame: { payload: string | Uint8Array }) => void): void;
}
interface Browser {
  newPage(options: { viewport: { width: number; height: number } }): Promise<Page>;
  close(): Promise<void>;
}

/** A page, and what it has done: complaints in its console, addresses it has asked, frames it has been sent. */
export interface OpenPage {
  page: Page;
  complaints: string[];
  addresses: string[];
  frames: string[];
  /** Waits until an element's text matches. */
  see(selector: string, text: RegExp): Promise<void>;
  /** What axe finds to be a barrier. */
  findBarriers(): Promise<string[]>;
}

/** Opens a browser with an empty page, for as long as a test lasts. */
export async function openPage(t: Cleaner, width = 1280): Promise<OpenPage> {
  const { chromium } = require("playwright-core");
  const browser: Browser = await chromium.launch({
    executablePath: browserPath ?? BROWSERS[0],
    args: ["--no-sandbox", `--host-resolver-rules=MAP ${TEAM_HOST} 127.0.0.1`],
  });
  t.after(() => browser.close());
  const page = await browser.newPage({ viewport: { width, height: 900 } });
  const [complaints, addresses, frames]: [string[], string[], string[]] = [[], [], []];
  page.on("console", (message) => {
    if (message.type() !== "log") complaints.push(message.text());
  });
  page.on("pageerror", ({ message }) => void complaints.push(message));
  page.on("request", (request) => void addresses.push(request.url()));
  page.on("websocket", (socket) => {
    addresses.push(socket.url());
    socket.on("framereceived", ({ payload }) => void frames.push(String(payload)));
  });
  const see = async (selector: string, text: RegExp) => {
    const began = Date.now();
    // Playwright's own way to wait needs what the page forbids: to make a script of a string.
    for (let seen = "";; await sleep(20)) {
      seen = await page.evaluate<string>(`document.querySelector(${JSON.stringify(selector)})?.innerText ?? ""`);
      if (text.test(seen)) return;
      if (Date.now() - began > 15_000) throw new Error(`No ${text} in ${selector}, but: ${seen}`);
    }
  };
  const findBarriers = async () => {
    await page.evaluate(readFileSync(require.resolve("axe-core/axe.min.js"), "utf8"));
    const script = "axe.run().then(({ violations }) => violations.flatMap(({ id, nodes }) => " +
      "nodes.map(({ html, failureSummary }) => [id, html, failureSummary].join(' '))))";
    return await page.evaluate<string[]>(script);
  };
  return { page, complaints, addresses, frames, see, findBarriers };
}

/** A call of the upstream, which waits for what the test makes of it. */
export interface DirectedCall {
  request: ChatRequest;
  refuse(status: number, detail: string): void;
  say(delta: ChatDelta): void;
  /** Ends the answer, which must have said something. */
  finish(): void;
}

/** Starts an upstream that does nothing by itself; `next` gives its next call. */
export async function startDirected(t: Cleaner): Promise<{ url: string; next(): Promise<DirectedCall> }> {
  const calls: DirectedCall[] = [];
  const waiting: ((call: DirectedCall) => void)[] = [];
  const server = await serve(async (request) => {
    const body: ChatRequest = await request.json();
    return await new Promise((resolve) => {
      const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
      const writer = writable.getWriter();
      const write = (data: unknown) => {
        const text = typeof data === "string" ? data : JSON.stringify(data);
        writer.write(new TextEncoder().encode(`data: ${text}\n\n`)).catch(() => {});
      };
      const answer = new Response(readable, { headers: { "content-type": "text/event-stream" } });
      const call: DirectedCall = {
        request: body,
        refuse: (status, detail) => resolve(Response.json({ status, detail }, { status })),
        say(delta) {
          resolve(answer);
          write({ choices: [{ index: 0, delta }] });
        },
        finish() {
          resolve(answer);
          write({ choices: [{ index: 0, delta: {}, finish_reason: "stop" }] });
          write({ choices: [], usage: { prompt_tokens: 1234, completion_tokens: 56 } });
          write("[DONE]");
          writer.close().catch(() => {});
        },
      };
      const taker = waiting.shift();
      if (taker) taker(call);
      else calls.push(call);
    });
  });
  t.after(() => server.close());
  return {
    url: `${server.url}/v1`,
    next: () => new Promise((resolve) => calls.length > 0 ? resolve(calls.shift()!) : waiting.push(resolve)),
  };
}
