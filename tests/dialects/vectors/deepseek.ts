import type { FamilyVectors, Vector } from "./vector.ts";

const fenced = (name: string, json: string) =>
  `<｜tool▁call▁begin｜>function<｜tool▁sep｜>${name}\n\`\`\`json\n${json}\n\`\`\`<｜tool▁call▁end｜>`;
const bare = (name: string, json: string) => `<｜tool▁call▁begin｜>${name}<｜tool▁sep｜>${json}<｜tool▁call▁end｜>`;
const calls = (...each: string[]) => `<｜tool▁calls▁begin｜>${each.join("")}<｜tool▁calls▁end｜>`;
const EOS = "<｜end▁of▁sentence｜>";

const VECTORS: Vector[] = [
  {
    name: "a call in a fence after thinking and text",
    text: `<think>Hm.</think>Ok.${calls(fenced("ls", '{"path":"."}'))}${EOS}`,
    expected: ["thinking:Hm.", "text:Ok.", 'ls{"path":"."}'],
  },
  {
    name: "two calls in fences, on lines of their own",
    text: calls(fenced("ls", '{"path":"."}'), "\n", fenced("Read", '{"path":"a"}'), "\n"),
    expected: ['ls{"path":"."}', 'Read{"path":"a"}'],
    reasoning: true,
  },
  {
    name: "two bare calls and text after them",
    text: `${calls(bare("ls", '{"path":"."}'), bare("Read", '{"path":"a"}'))}bye <`,
    expected: ['ls{"path":"."}', 'Read{"path":"a"}', "text:bye <"],
    reasoning: true,
  },
  {
    name: "a call without the marker of several",
    text: bare("mcp__wiki__find-all", '{"q":"x"}'),
    expected: ['mcp__wiki__find-all{"q":"x"}'],
  },
  {
    name: "calls whose ends are missing",
    text:
      `<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>ls<｜tool▁sep｜>{"path":"."}<｜tool▁call▁begin｜>Read<｜tool▁sep｜>{"path":"a"}`,
    expected: ['ls{"path":"."}', 'Read{"path":"a"}'],
  },
  {
    name: "arguments that quote the markers and a fence",
    text: calls(
      fenced("Write", '{"path":"a","content":"<｜tool▁call▁end｜>\\n```\\n"}'),
      bare("Write", '{"path":"b","content":"<｜tool▁calls▁end｜>"}'),
    ),
    expected: [
      'Write{"path":"a","content":"<｜tool▁call▁end｜>\\n```\\n"}',
      'Write{"path":"b","content":"<｜tool▁calls▁end｜>"}',
    ],
  },
  {
    name: "a fence without an end",
    text: calls(fenced("ls", '{"path":"."}').replace("\n```<", "<")),
    expected: ['ls{"path":"."}'],
  },
  {
    name: "a string without an end, with which nothing must run",
    text: '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>ls<｜tool▁sep｜>{"path":"a',
    expected: ['text:<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>ls<｜tool▁sep｜>{"path":"a'],
  },
  {
    name: "a call that was cut, which must not run",
    text: '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>ls<｜tool▁sep｜>{"path":"a',
    expected: ['text:<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>ls<｜tool▁sep｜>{"path":"a'],
    cut: true,
  },
  {
    name: "a tool that was not declared, and one that was",
    text: calls(bare("rm", '{"path":"/"}'), bare("ls", "{}")),
    expected: [`text:<｜tool▁calls▁begin｜>${bare("rm", '{"path":"/"}')}`, "ls{}"],
  },
  {
    name: "prose about the markers",
    text: "After <｜tool▁calls▁begin｜> comes `<｜tool▁call▁begin｜>`.",
    expected: ["text:After <｜tool▁calls▁begin｜> comes `<｜tool▁call▁begin｜>`."],
  },
  {
    name: "tokens without a partner, and what follows the end of the turn",
    text: `a<｜tool▁calls▁end｜>b<｜Assistant｜>c<｜tool▁outputs▁begin｜>d${EOS}noise`,
    expected: ["text:abcd"],
    reasoning: true,
  },
];

const parameter = (name: string, type: boolean, value: string) =>
  `<｜DSML｜parameter name="${name}" string="${type}">${value}</｜DSML｜parameter>\n`;
const invoke = (name: string, body: string) => `<｜DSML｜invoke name="${name}">\n${body}</｜DSML｜invoke>\n`;
const dsml = (word: string, ...each: string[]) => `<｜DSML｜${word}>\n${each.join("")}</｜DSML｜${word}>`;

const LS = invoke("ls", parameter("path", true, ".") + parameter("depth", false, "2"));
const LS_JSON = 'ls{"path":".","depth":2}';

export const DEEPSEEK: FamilyVectors = {
  family: "DeepSeek",
  models: ["deepseek-ai/deepseek-v3.1-terminus", "deepseek-ai/deepseek-r1-0528", "deepseek-ai/deepseek-v3"],
  vectors: VECTORS,
};

export const DEEPSEEK_DSML: FamilyVectors = {
  family: "DeepSeek V3.2, V4",
  models: ["deepseek-ai/deepseek-v4-pro", "deepseek-ai/deepseek-v3.2", "deepseek-ai/deepseek-v4-flash"],
  vectors: [
    {
      name: "V3.2: a call after text",
      text: `Ok.\n\n${dsml("function_calls", LS)}${EOS}`,
      expected: ["text:Ok.\n\n", LS_JSON],
      reasoning: true,
    },
    {
      name: "V4: two calls and text after them",
      text: `${dsml("tool_calls", LS, invoke("Read", parameter("path", true, "a")))}\nbye <`,
      expected: [LS_JSON, 'Read{"path":"a"}', "text:\nbye <"],
      reasoning: true,
    },
    {
      name: "the markup of others in a value",
      text: dsml(
        "tool_calls",
        invoke("Write", parameter("path", true, "a") + parameter("content", true, "x</parameter>\n</invoke> y")),
      ),
      expected: ['Write{"path":"a","content":"x</parameter>\\n</invoke> y"}'],
    },
    {
      name: "a value without an end, with which nothing must run",
      text: dsml("tool_calls", LS).replace(/(?<=string="true">.)[^]*/, ""),
      expected: [`text:${dsml("tool_calls", LS).replace(/(?<=string="true">.)[^]*/, "")}`],
    },
    { name: "doubled bars", text: dsml("tool_calls", LS).replaceAll("｜DSML｜", "｜｜DSML｜｜"), expected: [LS_JSON] },
    { name: "bars in one", text: dsml("tool_calls", LS).replaceAll("｜DSML｜", "‖DSML‖"), expected: [LS_JSON] },
    { name: "calls without a wrapper", text: `Ok.${LS}${LS}bye`, expected: ["text:Ok.", LS_JSON, LS_JSON, "text:bye"] },
    { name: "bars of ASCII", text: dsml("function_calls", LS).replaceAll("｜DSML｜", "|DSML|"), expected: [LS_JSON] },
    { name: "no mark at all", text: dsml("function_calls", LS).replaceAll("｜DSML｜", ""), expected: [LS_JSON] },
    {
      name: "closing tags without the mark",
      text: `${dsml("function_calls", LS).replaceAll("</｜DSML｜", "</")}ok`,
      expected: [LS_JSON, "text:ok"],
    },
    {
      name: "another word in the closing tag",
      text: `${dsml("function_calls", LS).replace("</｜DSML｜function_calls>", "</｜DSML｜tool_calls>")}ok`,
      expected: [LS_JSON, "text:ok"],
    },
    {
      name: "blanks in the tags",
      text: dsml("tool_calls", LS).replaceAll('" string="', '"  string = "').replaceAll('">', '" >'),
      expected: [LS_JSON],
    },
    {
      name: "an object of JSON in the call",
      text: dsml("tool_calls", invoke("ls", '{"path": ".", "depth": 2}\n')),
      expected: [LS_JSON],
    },
    {
      name: "values of every type",
      text: dsml(
        "tool_calls",
        invoke(
          "search",
          parameter("q", true, "<b>\n null") + parameter("tags", false, '["a"]') +
            parameter("opts", false, '{"a":null}'),
        ),
        invoke("send_text", parameter("body", true, "5") + parameter("to", false, "null")),
        invoke("ls", parameter("all", false, "true") + parameter("depth", true, "3")),
      ),
      expected: [
        'search{"q":"<b>\\n null","tags":["a"],"opts":{"a":null}}',
        'send_text{"body":"5","to":null}',
        'ls{"all":true,"depth":3}',
      ],
    },
    {
      name: "a call without arguments",
      text: dsml("tool_calls", invoke("list_all", "")),
      expected: ["list_all{}"],
    },
    {
      name: "calls whose ends are missing",
      text: `<｜DSML｜tool_calls>\n${LS.replace("</｜DSML｜invoke>\n", "")}`,
      expected: [LS_JSON],
    },
    {
      name: "a call that was cut, which must not run",
      text: `<｜DSML｜tool_calls>\n<｜DSML｜invoke name="Write">\n<｜DSML｜parameter name="content" string="true">half`,
      expected: [
        `text:<｜DSML｜tool_calls>\n<｜DSML｜invoke name="Write">\n<｜DSML｜parameter name="content" string="true">half`,
      ],
      cut: true,
    },
    {
      name: "a wrapper with nothing in it, and a closing tag without a partner",
      text: "a<｜DSML｜tool_calls>\n</｜DSML｜tool_calls>b</｜DSML｜function_calls>c",
      expected: ["text:abc"],
    },
    {
      name: "a tool that was not declared, and one that was",
      text: dsml("tool_calls", invoke("rm", parameter("path", true, "/")), LS),
      expected: [`text:<｜DSML｜tool_calls>\n${invoke("rm", parameter("path", true, "/"))}`, LS_JSON],
    },
    {
      name: "prose about the tags",
      text: "A <function_calls> block, a <｜DSML｜tool_calls> block and `<｜DSML｜tool_calls>`.",
      expected: ["text:A <function_calls> block, a <｜DSML｜tool_calls> block and `<｜DSML｜tool_calls>`."],
    },
    {
      name: "thinking that a call ends",
      text: `<think>Hm.${dsml("tool_calls", LS)}Done.`,
      expected: ["thinking:Hm.", LS_JSON, "text:Done."],
    },
    ...VECTORS.map((vector) => ({ ...vector, name: `in the tokens of V3: ${vector.name}` })),
  ],
};
