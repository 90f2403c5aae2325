/** The version of this package; written by scripts/amalgamate.ts from package.json. */
export const VERSION = "1.0.0";

/** What hosts are told is calling, unless an option says otherwise. */
export const USER_AGENT: string = `arbiter-proxy/${VERSION}`;
