/** What is called like the runtime's `fetch`; the type of that has more on Bun, which no other function has. */
export type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;
