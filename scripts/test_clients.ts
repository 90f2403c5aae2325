/** Lets other clients ask Arbiter, on a newer Node than 20, which some of them need: `npm run test:clients`. */
import { spawnSync } from "node:child_process";
import process from "node:process";
import { findNewerNode } from "../tests/support/newer_node.ts";

const node = findNewerNode("tests/clients/node_modules");
const { status } = spawnSync(node, ["tests/clients/run.ts", ...process.argv.slice(2)], { stdio: "inherit" });
process.exit(status ?? 1);
