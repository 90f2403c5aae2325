import { DASHBOARD_PAGE } from "./dashboard_page.ts";

/** Where a browser finds the dashboard. */
export const DASHBOARD_PATH = "/dashboard";

/** What one element of the page holds, as the policy of its contents wants it named. */
async function toElementSource(name: "script" | "style"): Promise<string> {
  const [, text = ""] = new RegExp(`<${name}>([^]*?)</${name}>`).exec(DASHBOARD_PAGE) ?? [];
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return `${name}-src 'sha256-${btoa(String.fromCharCode(...new Uint8Array(hash)))}'`;
}

/** Answers with the dashboard: a page that is the same for everybody, holds nothing, and loads nothing from elsewhere. */
export async function answerDashboard(): Promise<Response> {
  const sources = await Promise.all([toElementSource("script"), toElementSource("style")]);
  const fixed = ["img-src data:", "connect-src 'self'", "base-uri 'none'", "form-action 'none'"];
  const headers = {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": ["default-src 'none'", ...sources, ...fixed, "frame-ancestors 'none'"].join("; "),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
  };
  return new Response(DASHBOARD_PAGE, { headers });
}
