import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { COMMAND_ROWS, type FlagName, type FlagRow, FLAGS, OWN_FLAGS } from "../../lib/cli/commands.ts";
import { parseCommandLine } from "../../lib/cli/flags.ts";

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
    ["--version", "code", { version: true }, []],
    ["models", "models", {}, []],
    ["models show kimi --demo", "models", { demo: true }, [], ["show", "kimi"]],
    ["models refresh", "models", {}, [], ["refresh"]],
    ["reset", "reset", {}, []],
    ["completions zsh", "completions", {}, [], ["zsh"]],
    ["help", "help", {}, []],
    ["help r2", "help", {}, [], ["r2"]],
    ["-h", "help", {}, []],
    ["code -h", "help", {}, [], ["code"]],
    ["--help env --shell x", "help", { shell: "x" }, [], ["env"]],
    ["help env --help", "help", {}, [], ["env"]],
    ["serve junk --help", "help", {}, [], ["serve"]],
  ];
  for (const [args, command, flags, rest, own = []] of rows) {
    test(`'${args}'`, async () => {
      const line = await parseCommandLine(args.split(" ").filter(Boolean));
      assert.deepEqual(line, { command, flags, args: own, rest });
    });
  }
});

describe("every flag is read, by its name and its letter:", () => {
  for (const [name, { type, short }] of Object.entries(FLAGS) as [FlagName, FlagRow][]) {
    if (name === "help") continue;
    const [taker] = COMMAND_ROWS.find(([, { flags = [] }]) => flags.includes(name)) ?? ["code"];
    for (const typed of [`--${name}`, ...(short ? [`-${short}`] : [])]) {
      test(typed, async () => {
        const value = name === "port" ? "80" : "a b";
        const { flags } = await parseCommandLine([taker, typed, ...(type === "string" ? [value] : [])]);
        assert.deepEqual(flags, { [name]: type === "string" ? value : true });
      });
    }
  }
});

describe("every command is read with its flags and its words:", () => {
  for (const [name, { aliases = [], count = [0, 0], words = [""], flags = [] }] of COMMAND_ROWS) {
    for (const alias of [name, ...aliases]) {
      test(alias, async () => {
        const typed = flags.flatMap((flag) => FLAGS[flag].type === "string" ? [`--${flag}`, "x"] : [`--${flag}`]);
        for (const word of words) {
          const own = count[0] > 0 || word ? [word] : [];
          const { command, args } = await parseCommandLine([alias, ...own, ...typed]);
          assert.deepEqual([command, args], [name, own]);
        }
      });
    }
  }
});

describe("parseCommandLine() refuses", () => {
  const rows: [args: string[], message: RegExp][] = [
    [["--fly"], /^Unknown option '--fly': claude's own follow after --$/],
    [["serve", "--fly"], /^Unknown option '--fly'$/],
    [["code", "--continue"], /^Unknown option '--continue': claude's own follow after --$/],
    [["--continue"], /^Unknown option '--continue': claude's own follow after --$/],
    [["--prot", "5"], /^Unknown option '--prot': did you mean '--port'\?$/],
    [["serve", "--maxtokens=5"], /^Unknown option '--maxtokens': did you mean '--max-tokens'\?$/],
    [["-z"], /-z/],
    [["--port"], /--port/],
    [["--demo=yes"], /--demo/],
    [["--port", "--demo"], /^Option '--port' needs a value$/],
    [["fly"], /^Unknown command 'fly'$/],
    [["valueOf"], /^Unknown command 'valueOf'$/],
    [["srve"], /^Unknown command 'srve': did you mean 'serve'\?$/],
    [["sotp"], /^Unknown command 'sotp': did you mean 'stop'\?$/],
    [["Doctor"], /^Unknown command 'Doctor': did you mean 'doctor'\?$/],
    [["fly", "--help"], /^Unknown command 'fly'$/],
    [["help", "modles"], /^Unknown command 'modles': did you mean 'models'\?$/],
    [["help", "env", "code"], /^Unexpected argument 'code'$/],
    [["code", "-p", "5", "explain"], /^Unexpected argument 'explain': claude's own follow after --$/],
    [["-p", "explain it"], /^'explain it' is no port: claude's own -p follows after --$/],
    [["serve", "--", "--port", "5"], /^'serve' takes nothing after --$/],
    [["status", "--config="], /^Option '--config' is empty$/],
    [["code", "--model", ""], /^Option '--model' is empty$/],
    [["serve", "now"], /^Unexpected argument 'now'$/],
    [["models", "lst"], /^Unexpected argument 'lst': did you mean 'list'\?$/],
    [["models", "xyz"], /^Unexpected argument 'xyz': expected list, show, refresh$/],
    [["models", "show", "a", "b", "c"], /^Unexpected argument 'c'$/],
    [["completions"], /^'completions' needs an argument: bash \| zsh \| fish \| powershell$/],
    [["completions", "tcsh"], /^Unexpected argument 'tcsh'/],
    ...OWN_FLAGS.map((flag): [string[], RegExp] => {
      const value = FLAGS[flag].type === "string" ? ["x"] : [];
      return [["serve", `--${flag}`, ...value], new RegExp(`^'serve' has no flag --${flag}$`)];
    }),
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
