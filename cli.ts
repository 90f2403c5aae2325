#!/usr/bin/env node
/**
 * The `arbiter-proxy` command.
 *
 * @module
 */
import process from "node:process";
import { main } from "./mod.ts";

process.exitCode = await main(process.argv.slice(2));
