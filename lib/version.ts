/** The version of this package; written by scripts/amalgamate.ts from package.json. */
export const VERSION = "1.0.0";
