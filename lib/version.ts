/** The version of this package; written by scripts/amalgamate.ts from package.json. */
export const VERSION = "0.1.0";
