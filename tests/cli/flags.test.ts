import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseCommandLine, usage } from "../../lib/cli/flags.ts";

describe("parseCommandLine() reads", () => {
  const rows: [args: string, command: string, flags: object, rest: string[], own?: string[]][] = [
    ["", "code", {}, []],
    ["code", "code", {}, []],
    ["serve", "serve", {}, []],
    ["proxy", "serve", {}, []],
    ["run", "serve", {}, []],
    ["r2", "serve", {}, []],
    ["--demo --yes", "code", { demo: true, yes: true }, []],
    ["code --port 5 -m a/b -- -p x --port 6", "code", { port: "5", model: "a/b" }, ["-p", "x", "--port", "6"]],
    ["--max-tokens=9 serve", "serve", { "max-tokens": "9" }, []],
    ["-- -- --help", "code", {}, ["--", "--help"]],
    ["-h", "code", { help: true }, []],
    ["--version", "code", { version: true }, []],
    ["models", "models", {}, []],
    ["models show kimi --demo", "models", { demo: true }, [], ["show", "kimi"]],
    ["reset", "reset", {}, []],
  ];
  for (const [args, command, flags, rest, own = []] of rows) {
    test(`'${args}'`, async () => {
      const line = await parseCommandLine(args.split(" ").filter(Boolean));
      assert.deepEqual(line, { command, flags, args: own, rest });
    });
  }
});

describe("parseCommandLine() refuses", () => {
  const rows: [args: string[], message: RegExp][] = [
    [["--fly"], /--fly/],
    [["-z"], /-z/],
    [["--port"], /--port/],
    [["--demo=yes"], /--demo/],
    [["fly"], /^Unknown command 'fly'$/],
    [["constructor"], /^Unknown command 'constructor'$/],
    [["code", "-p", "5", "explain"], /^Unexpected argument 'explain': claude's own follow after --$/],
  ];
  for (const [args, message] of rows) {
    test(args.join(" "), async () => {
      await assert.rejects(parseCommandLine(args), (error: Error) => {
        assert.equal(error.name, "ConfigError");
        assert.match(error.message, message);
        assert.ok(!error.message.includes("\n"), "one line");
        return true;
      });
    });
  }
});

test("the help text names every flag and fits into 100 columns", () => {
  const lines = usage().split("\n");
  for (const flag of ["--port", "--model", "--max-tokens", "--demo", "--yes", "--help", "--version"]) {
    assert.ok(lines.some((line) => line.includes(flag)), flag);
  }
  assert.ok(lines.every((line) => line.length <= 100));
});
