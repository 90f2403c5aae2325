import type { FamilyVectors, Vector } from "./vector.ts";

const parameter = (name: string, value: string) => `<parameter name="${name}">${value}</parameter>\n`;
const invoke = (name: string, body: string) => `<invoke name="${name}">\n${body}</invoke>\n`;
const m2 = (...each: string[]) => `<minimax:tool_call>\n${each.join("")}</minimax:tool_call>`;
const LS = invoke("ls", parameter("path", "."));

const M2_VECTORS: Vector[] = [
  {
    name: "ends of values missing",
    text: m2(
      '<invoke name="ls">\n<parameter name="path">.\n</invoke>\n<invoke name="Read"><parameter name="path">a</invoke>',
    ),
    expected: ['ls{"path":".\\n"}', 'Read{"path":"a"}'],
  },
  {
    name: "a call after thinking and text",
    text: `<think>\nHm.\n</think>\n\nOk.\n${m2(LS)}`,
    expected: ["thinking:Hm.\n", "text:Ok.\n", 'ls{"path":"."}'],
  },
  {
    name: "several calls in one block, and text after it",
    text: `${m2(LS, invoke("Read", parameter("path", "a") + parameter("limit", "3")))}\nbye <`,
    expected: ['ls{"path":"."}', 'Read{"path":"a","limit":3}', "text:\nbye <"],
    reasoning: true,
  },
  {
    name: "calls without a wrapper, and with its end only",
    text: `Ok.${LS}${LS}</minimax:tool_call>bye`,
    expected: ["text:Ok.", 'ls{"path":"."}', 'ls{"path":"."}', "text:bye"],
    reasoning: true,
  },
  {
    name: "names in single quotes, or bare",
    text: m2(LS.replaceAll('"', "'"), LS.replaceAll('"', "")),
    expected: ['ls{"path":"."}', 'ls{"path":"."}'],
  },
  {
    name: "values of every type",
    text: m2(
      invoke("ls", parameter("path", "5") + parameter("depth", "none") + parameter("all", "TRUE")),
      invoke("search", parameter("q", "null") + parameter("tags", '["a"]') + parameter("opts", '{"b":1}')),
      invoke("send_text", parameter("body", "a") + parameter("to", "nil")),
    ),
    expected: [
      'ls{"path":"5","depth":null,"all":true}',
      'search{"q":"null","tags":["a"],"opts":{"b":1}}',
      'send_text{"body":"a","to":null}',
    ],
  },
  {
    name: "a value with markup in it",
    text: m2(invoke("Write", parameter("path", "a") + parameter("content", "<p>\n</parameter> is an end </invoke>\n"))),
    expected: ['Write{"path":"a","content":"<p>\\n</parameter> is an end </invoke>\\n"}'],
  },
  {
    name: "the name and the arguments as children",
    text: m2(
      '<invoke>\n<name>ls</name>\n<arguments>{"path": "."}</arguments>\n</invoke>\n',
      '<invoke><tool_name>Read</tool_name><parameters>{"path": "a"}</parameters></invoke>',
    ),
    expected: ['ls{"path":"."}', 'Read{"path":"a"}'],
  },
  { name: "a call without arguments", text: m2(invoke("list_all", "")), expected: ["list_all{}"] },
  {
    name: "calls whose ends are missing",
    text: '<minimax:tool_call>\n<invoke name="ls">\n<parameter name="path">.</parameter>',
    expected: ['ls{"path":"."}'],
  },
  {
    name: "a value whose end is missing, which may have been cut",
    text: '<minimax:tool_call>\n<invoke name="ls">\n<parameter name="path">.',
    expected: ['text:<minimax:tool_call>\n<invoke name="ls">\n<parameter name="path">.'],
  },
  {
    name: "a whole call in a value",
    text: m2(invoke("Write", parameter("path", "a") + parameter("content", m2(LS) + "\nDone."))) + "ok",
    expected: [`Write${JSON.stringify({ path: "a", content: m2(LS) + "\nDone." })}`, "text:ok"],
  },
  {
    name: "a call that was cut, which must not run",
    text:
      '<minimax:tool_call>\n<invoke name="Write">\n<parameter name="path">a</parameter>\n<parameter name="content">h',
    expected: [
      'text:<minimax:tool_call>\n<invoke name="Write">\n<parameter name="path">a</parameter>\n<parameter name="content">h',
    ],
    cut: true,
  },
  {
    name: "a tool that was not declared, and one that was",
    text: m2(invoke("rm", parameter("path", "/")), LS),
    expected: [`text:<minimax:tool_call>\n${invoke("rm", parameter("path", "/"))}`, 'ls{"path":"."}'],
  },
  {
    name: "prose about the tag, and a closing one without a partner",
    text: "A <minimax:tool_call> block, `<minimax:tool_call>`</minimax:tool_call>.",
    expected: ["text:A <minimax:tool_call> block, `<minimax:tool_call>`."],
  },
  { name: "an answer without thinking", text: "The answer is 4.", expected: ["text:The answer is 4."] },
  {
    name: "the end of thinking that the template has opened",
    text: "Hm.\n</think>\n\nYes.",
    expected: ["text:Hm.\nYes."],
  },
  {
    name: "thinking that the template has opened, then a call",
    text: `\nHm.</think>\n\n${m2(LS)}`,
    expected: ["thinking:Hm.", 'ls{"path":"."}'],
    opened: true,
  },
];

/** Puts the mark of M3 before each tag. */
const m3 = (markup: string) =>
  markup.replace(/<(?=\/?(?:tool_call|invoke|path|limit|content|q|tags|opts|item|a|b)\b)/g, "]<]minimax[>[<");
const M3_LS = m3('<tool_call><invoke name="ls"><path>.</path></invoke></tool_call>');

export const MINIMAX: FamilyVectors = {
  family: "MiniMax M2",
  models: ["minimaxai/minimax-m2.7", "minimaxai/minimax-m2"],
  vectors: M2_VECTORS,
};

export const MINIMAX_M3: FamilyVectors = {
  family: "MiniMax M3",
  models: ["minimaxai/minimax-m3"],
  vectors: [
    { name: "M3: one call after text", text: `Ok.${M3_LS}`, expected: ["text:Ok.", 'ls{"path":"."}'], reasoning: true },
    {
      name: "M3: two calls with white space after the marks, and text after them",
      text: m3(
        '<tool_call>\n<invoke name="ls">\n<path>.</path>\n</invoke>\n<invoke name="Read"><path>a</path><limit>3</limit>' +
          "</invoke>\n</tool_call>",
      ).replaceAll("[>[", "[>[\n ") + "bye ]",
      expected: ['ls{"path":"."}', 'Read{"path":"a","limit":3}', "text:bye ]"],
      reasoning: true,
    },
    {
      name: "M3: nested objects and lists",
      text: m3(
        '<tool_call><invoke name="search"><q>x</q><tags><item>a</item><item>b</item></tags>' +
          "<opts><a>1</a><b><a>y</a></b></opts></invoke></tool_call>",
      ),
      expected: ['search{"q":"x","tags":["a","b"],"opts":{"a":"1","b":{"a":"y"}}}'],
    },
    {
      name: "M3: a value with markup of its own",
      text: M3_LS.replace("ls", "Write").replace(".", "a.html]<]minimax[>[</path>]<]minimax[>[<content>\n<p>hi</p>\n")
        .replace(/<\/path>(?=]<]minimax\[>\[<\/invoke)/, "</content>"),
      expected: ['Write{"path":"a.html","content":"\\n<p>hi</p>\\n"}'],
    },
    {
      name: "M3: a call without arguments",
      text: m3('<tool_call><invoke name="list_all"></invoke></tool_call>'),
      expected: ["list_all{}"],
    },
    {
      name: "M3: arguments as JSON",
      text: m3('<tool_call><invoke name="ls">') + '{"path":"."}' + m3("</invoke></tool_call>"),
      expected: ['ls{"path":"."}'],
    },
    {
      name: "M3: calls whose end is missing",
      text: m3('<tool_call><invoke name="ls"><path>.</path></invoke>'),
      expected: ['ls{"path":"."}'],
    },
    {
      name: "M3: a value whose end is missing, which may have been cut",
      text: m3('<tool_call><invoke name="Read"><path>src'),
      expected: [`text:${m3('<tool_call><invoke name="Read"><path>src')}`],
    },
    {
      name: "M3: HTML in a value",
      text: m3('<tool_call><invoke name="Write"><path>a.html</path><content>') +
        "<html><item>1</item></html>" + m3("</content></invoke></tool_call>"),
      expected: ['Write{"path":"a.html","content":"<html><item>1</item></html>"}'],
    },
    {
      name: "M3: lists in a list",
      text: m3('<tool_call><invoke name="search"><q>x</q><tags><item><item>a</item><item>b</item></item></tags>') +
        m3("</invoke></tool_call>"),
      expected: ['search{"q":"x","tags":["[\\"a\\",\\"b\\"]"]}'],
    },
    {
      name: "M3: a call that was cut, which must not run",
      text: m3('<tool_call><invoke name="Write"><path>a</path><content>half'),
      expected: [`text:${m3('<tool_call><invoke name="Write"><path>a</path><content>half')}`],
      cut: true,
    },
    {
      name: "M3: a tool that was not declared, as it was written",
      text: m3('a<tool_call><invoke name="rm"><path>/</path></invoke></tool_call>b'),
      expected: [`text:${m3('a<tool_call><invoke name="rm"><path>/</path></invoke></tool_call>b')}`],
    },
    {
      name: "M3: the end of thinking that leaks",
      text: "Hm.\n</thinking>\nYes.",
      expected: ["text:Hm.\nYes."],
    },
    {
      name: "M3: prose about the mark",
      text: "The mark is ]<]minimax[>[ or `]<]minimax[>[<tool_call>`.",
      expected: ["text:The mark is ]<]minimax[>[ or `]<]minimax[>[<tool_call>`."],
    },
    ...M2_VECTORS,
  ],
};
