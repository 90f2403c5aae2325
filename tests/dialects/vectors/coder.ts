import type { FamilyVectors, Vector } from "./vector.ts";

const parameter = (key: string, value: string) => `<parameter=${key}>\n${value}\n</parameter>\n`;
const fn = (name: string, ...parameters: string[]) => `<function=${name}>\n${parameters.join("")}</function>`;
const call = (name: string, ...parameters: string[]) => `<tool_call>\n${fn(name, ...parameters)}\n</tool_call>`;

const READ = call("Read", parameter("path", "src/x.ts"), parameter("limit", "3"));
const READ_JSON = 'Read{"path":"src/x.ts","limit":3}';
const QUOTED = "Say </parameter> or </function> or </tool_call> or <parameter=x> and <function=y>";

const VECTORS: Vector[] = [
  {
    name: "a call as JSON, and one as XML",
    text: `<tool_call>\n{"name": "ls", "arguments": {"path": "."}}\n</tool_call>${READ}`,
    expected: ['ls{"path":"."}', READ_JSON],
    reasoning: true,
  },
  { name: "one call after text", text: `Ok.${READ}`, expected: ["text:Ok.", READ_JSON], reasoning: true },
  {
    name: "JSON in the wrapper",
    text: 'Ok.<tool_call>\n{"name": "Read", "arguments": {"path": "src/x.ts", "limit": 3}}\n</tool_call>\nbye',
    expected: ["text:Ok.", READ_JSON, "text:\nbye"],
    reasoning: true,
  },
  {
    name: "JSON in the wrapper that is no call",
    text: '<tool_call>{"a": 1} is no call.',
    expected: ['text:<tool_call>{"a": 1} is no call.'],
  },
  {
    name: "two calls and text after them",
    text: `${READ}\n${call("ls", parameter("path", "."))}\nbye <`,
    expected: [READ_JSON, 'ls{"path":"."}', "text:\nbye <"],
  },
  {
    name: "two functions in one block",
    text: `<tool_call>\n${fn("ls", parameter("path", "."))}\n${fn("list_all")}\n</tool_call>`,
    expected: ['ls{"path":"."}', "list_all{}"],
  },
  {
    name: "exactly one line break at each end of a value",
    text: call("Write", parameter("path", "a"), parameter("content", "\n  if (a) {\n    b;\n  }\n")),
    expected: ['Write{"path":"a","content":"\\n  if (a) {\\n    b;\\n  }\\n"}'],
  },
  {
    name: "values on the line of their tags",
    text:
      "<tool_call><function=Read><parameter=path> a b </parameter><parameter=limit>3</parameter></function></tool_call>",
    expected: ['Read{"path":" a b ","limit":3}'],
  },
  {
    name: "a function without a block, with a closing tag behind it",
    text: `${fn("ls", parameter("path", "."))}\n</tool_call>ok`,
    expected: ['ls{"path":"."}', "text:ok"],
    reasoning: true,
  },
  {
    name: "the markup in a value",
    text: call("Write", parameter("path", "a"), parameter("content", QUOTED)),
    expected: [`Write${JSON.stringify({ path: "a", content: QUOTED })}`],
  },
  {
    name: "a whole call in a value",
    text:
      call("Write", parameter("path", "a"), parameter("content", `So:\n${call("ls", parameter("path", "."))}\nDone.`)) +
      "ok",
    expected: [
      `Write${JSON.stringify({ path: "a", content: `So:\n${call("ls", parameter("path", "."))}\nDone.` })}`,
      "text:ok",
    ],
  },
  {
    name: "the beginning and the end of a function in a value",
    text: call(
      "Write",
      parameter("path", "a"),
      parameter("content", "<function=x>..</function> here\n<parameter=x>\ny"),
    ),
    expected: ['Write{"path":"a","content":"<function=x>..</function> here\\n<parameter=x>\\ny"}'],
  },
  {
    name: "a value without an end before the next parameter",
    text:
      "<tool_call>\n<function=Read>\n<parameter=path>\na\n<parameter=limit>\n3\n</parameter>\n</function>\n</tool_call>",
    expected: ['Read{"path":"a","limit":3}'],
  },
  {
    name: "a value without an end before the end of the function",
    text: "<tool_call>\n<function=Read>\n<parameter=path>\na\n</function>\n</tool_call>ok",
    expected: ['Read{"path":"a"}', "text:ok"],
  },
  {
    name: "a value without an end before the end of the block",
    text: "<tool_call>\n<function=Read>\n<parameter=path>\na\n</tool_call>",
    expected: ['Read{"path":"a"}'],
  },
  {
    name: "a value without an end at the end of the answer, which may have been cut",
    text: "<tool_call>\n<function=Read>\n<parameter=path>\na",
    expected: ["text:<tool_call>\n<function=Read>\n<parameter=path>\na"],
  },
  {
    name: "a function without an end",
    text: `<tool_call>\n<function=Read>\n${parameter("path", "a")}</tool_call>ok`,
    expected: ['Read{"path":"a"}', "text:ok"],
  },
  {
    name: "a value that was cut, with which nothing must run",
    text: "<tool_call>\n<function=Write>\n<parameter=path>\na\n</parameter>\n<parameter=content>\nhalf",
    expected: ["text:<tool_call>\n<function=Write>\n<parameter=path>\na\n</parameter>\n<parameter=content>\nhalf"],
    cut: true,
  },
  {
    name: "parameters that were cut between, with which nothing must run",
    text: "<tool_call>\n<function=Write>\n<parameter=path>\na\n</parameter>\n",
    expected: ["text:<tool_call>\n<function=Write>\n<parameter=path>\na\n</parameter>\n"],
    cut: true,
  },
  {
    name: "brackets and signs that are missing or doubled",
    text: "<tool_call>\n<function Read>\n<parameter=parameter=path>\na\n</parameter>\n</function>\n</tool_call>" +
      "<tool_call>\n<functionRead>\n<parameter=path\na\n</parameter>\n</function>\n</tool_call>" +
      "<tool_call>\n<function=Read\n<parameter=path>\na\n</parameter>\n</function>\n</tool_call>",
    expected: ['Read{"path":"a"}', 'Read{"path":"a"}', 'Read{"path":"a"}'],
  },
  {
    name: "words that begin like a function",
    text: "<tool_call><functionality><parameter=path>a</parameter></function></tool_call>",
    expected: ["text:<tool_call><functionality><parameter=path>a</parameter></function>"],
  },
  {
    name: "values of every type",
    text: call("search", parameter("q", "5"), parameter("tags", "['x', 'y']"), parameter("opts", '{"a": [1, null]}')) +
      call("ls", parameter("depth", "2"), parameter("all", "True"), parameter("other", "7")) +
      call("send_text", parameter("body", "null"), parameter("to", "NULL")),
    expected: [
      'search{"q":"5","tags":["x","y"],"opts":{"a":[1,null]}}',
      'ls{"depth":2,"all":true,"other":"7"}',
      'send_text{"body":"null","to":null}',
    ],
  },
  {
    name: "values that are not of their type, as they are",
    text: call("ls", parameter("depth", "deep"), parameter("all", "maybe")),
    expected: ['ls{"depth":"deep","all":"maybe"}'],
  },
  {
    name: "a tool that was not declared, as it was written, and one that was",
    text: `${call("rm", parameter("path", "/"))}${READ}`,
    expected: [`text:${call("rm", parameter("path", "/"))}`, READ_JSON],
  },
  {
    name: "prose about the tags",
    text: "Use <function=ls> for that, or <tool_call>; `<tool_call>` too.",
    expected: ["text:Use <function=ls> for that, or <tool_call>; `<tool_call>` too."],
    reasoning: true,
  },
  {
    name: "a call in a fence, and one after it",
    text: `\`\`\`\n${READ}\n\`\`\`\n${READ}`,
    expected: [`text:\`\`\`\n${READ}\n\`\`\`\n`, READ_JSON],
  },
  {
    name: "thinking that a call ends",
    text: `<think>I need x.\n${READ}`,
    expected: ["thinking:I need x.\n", READ_JSON],
  },
  {
    name: "a point of a list before a function",
    text: "● <function=Read><parameter=path>a</parameter></function>",
    expected: ["text:● ", 'Read{"path":"a"}'],
  },
];

export const QWEN_CODER: FamilyVectors = {
  family: "Qwen3-Coder",
  models: ["qwen/qwen3-coder-480b-a35b-instruct", "qwen/qwen3.5-397b-a17b", "stepfun-ai/step-3.5-flash"],
  vectors: VECTORS,
};

export const NEMOTRON_3: FamilyVectors = {
  family: "Nemotron 3",
  models: ["nvidia/nemotron-3-nano-30b-a3b", "nvidia/nemotron-3.5-lightning-30b", "nvidia/nemotron-3-super-120b-a12b"],
  vectors: VECTORS,
};

export const SEED_OSS: FamilyVectors = {
  family: "Seed-OSS",
  models: ["bytedance/seed-oss-36b-instruct"],
  vectors: [
    ...VECTORS.map(({ name, text, expected, ...rest }) => {
      const toSeed = (markup: string) =>
        markup.replaceAll("tool_call>", "seed:tool_call>").replaceAll("think>", "seed:think>");
      return { name, text: toSeed(text), expected: expected.map((one) => toSeed(one)), ...rest };
    }),
    {
      name: "thinking with a note about its budget",
      text: "<seed:think>a<seed:cot_budget_reflect>I have used 9 tokens.</seed:cot_budget_reflect>b</seed:think>\nc",
      expected: ["thinking:aI have used 9 tokens.b", "text:c"],
    },
  ],
};
