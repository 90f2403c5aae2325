import type { FamilyVectors } from "./vector.ts";

const call = (id: string, json: string) =>
  `<|tool_call_begin|>${id}<|tool_call_argument_begin|>${json}<|tool_call_end|>`;
const section = (...calls: string[]) => `<|tool_calls_section_begin|>${calls.join("")}<|tool_calls_section_end|>`;
const singular = (...calls: string[]) => `<|tool_call_section_begin|>${calls.join("")}<|tool_call_section_end|>`;

const READ = call("functions.Read:0", '{"path": "a"}');
const LS = call("functions.ls:1", '{"path": "."}');
const FIND = call("functions.mcp__wiki__find-all:2", '{"q": "a<b"}');

/** Twenty thousand characters that quote what would end the call. */
const LONG = 'The end is <|tool_call_end|>, a call <|tool_call_begin|>functions.ls:0, "quoted" {[\\\n'.repeat(240);

export const KIMI_K2: FamilyVectors = {
  family: "Kimi K2",
  models: ["moonshotai/kimi-k2-instruct-0905", "moonshotai/kimi-k2-thinking", "moonshotai/kimi-k2.6"],
  vectors: [
    // Sections.
    {
      name: "a section with one call after text",
      text: `Let me look.${section(READ)}`,
      expected: ["text:Let me look.", 'Read{"path":"a"}'],
      reasoning: true,
    },
    {
      name: "a section with two calls, the second to an MCP tool with a dash",
      text: section(READ, FIND),
      expected: ['Read{"path":"a"}', 'mcp__wiki__find-all{"q":"a<b"}'],
      reasoning: true,
    },
    {
      name: "a section with three calls and blanks wherever they are allowed",
      text: "<|tool_calls_section_begin|>\n <|tool_call_begin|> functions.Read:0 \n<|tool_call_argument_begin|>\n" +
        `{"path": "a"}\n<|tool_call_end|>\n${LS}\n${FIND}\n<|tool_calls_section_end|>`,
      expected: ['Read{"path":"a"}', 'ls{"path":"."}', 'mcp__wiki__find-all{"q":"a<b"}'],
    },
    {
      name: "a section in the singular",
      text: `Ok.${singular(READ)}`,
      expected: ["text:Ok.", 'Read{"path":"a"}'],
      reasoning: true,
    },
    {
      name: "a section in the singular with two calls",
      text: singular(READ, LS),
      expected: ['Read{"path":"a"}', 'ls{"path":"."}'],
    },
    { name: "a call without a section", text: READ, expected: ['Read{"path":"a"}'], reasoning: true },
    {
      name: "three calls without a section, between text",
      text: `One${READ}two${LS}three${FIND}four`,
      expected: [
        "text:One",
        'Read{"path":"a"}',
        "text:two",
        'ls{"path":"."}',
        "text:three",
        'mcp__wiki__find-all{"q":"a<b"}',
        "text:four",
      ],
    },
    {
      name: "two sections",
      text: section(READ) + section(LS),
      expected: ['Read{"path":"a"}', 'ls{"path":"."}'],
    },
    {
      name: "text after the section, up to a lone bracket",
      text: `${section(READ)} bye <`,
      expected: ['Read{"path":"a"}', "text: bye <"],
      reasoning: true,
    },
    { name: "text that ends in half a marker", text: "a <|tool_calls_sec", expected: ["text:a <|tool_calls_sec"] },
    { name: "comparisons that look like markers", text: "a<b <| c |> d", expected: ["text:a<b <| c |> d"] },
    // Names and ids.
    { name: "a dotted name", text: call("functions.wiki.read:7", '{"page":3}'), expected: ['wiki.read{"page":3}'] },
    { name: "an id without a prefix", text: call("search:2", '{"q":"x"}'), expected: ['search{"q":"x"}'] },
    { name: "an id that is only a name", text: call("search", '{"q":"x"}'), expected: ['search{"q":"x"}'] },
    {
      name: "a name in the wrong case",
      text: call("functions.read:0", '{"path":"a"}'),
      expected: ['Read{"path":"a"}'],
    },
    {
      name: "a namespace that was never declared",
      text: call("tools.Read:0", '{"path":"a"}') + call("functions.default.ls:1", "{}"),
      expected: ['Read{"path":"a"}', "ls{}"],
    },
    {
      name: "a high index at the beginning",
      text: call("functions.ls:12345", '{"path":"."}'),
      expected: ['ls{"path":"."}'],
    },
    {
      name: "an opaque id of the history, told by its arguments",
      text: call("call_59adf01c", '{"path":"a","content":"b"}'),
      expected: ['Write{"path":"a","content":"b"}'],
      reasoning: true,
    },
    {
      name: "opaque ids of other makers",
      text: call("toolu_01AbC", '{"page":1}') + call("chatcmpl-tool-9f3e", '{"body":"hi"}'),
      expected: ['wiki.read{"page":1}', 'send_text{"body":"hi"}'],
    },
    {
      name: "an opaque id whose arguments fit several tools",
      text: call("call_59adf01c", '{"path":"a"}'),
      expected: [`text:${call("call_59adf01c", '{"path":"a"}')}`],
    },
    // Ends that are missing.
    {
      name: "a call without an end before the end of the section",
      text: `<|tool_calls_section_begin|>${READ.replace("<|tool_call_end|>", "")}<|tool_calls_section_end|>done`,
      expected: ['Read{"path":"a"}', "text:done"],
      reasoning: true,
    },
    {
      name: "a call without an end at the end of the answer",
      text: READ.replace("<|tool_call_end|>", ""),
      expected: ['Read{"path":"a"}'],
      reasoning: true,
    },
    {
      name: "a call without an end before the next call",
      text: READ.replace("<|tool_call_end|>", "") + LS,
      expected: ['Read{"path":"a"}', 'ls{"path":"."}'],
    },
    {
      name: "a section without an end",
      text: `<|tool_calls_section_begin|>${READ}`,
      expected: ['Read{"path":"a"}'],
    },
    ...["", '{"path": "a', '{"path": "a", "limit": 1', '{"path":'].map((args) => ({
      name: `arguments that end in ${args || "nothing"}, with which nothing must run`,
      text: READ.replace(/\{.*/, args),
      expected: [`text:${READ.replace(/\{.*/, args)}`],
      reasoning: true as const,
    })),
    {
      name: "arguments that lack the last brace and the end",
      text: READ.replace(/\}.*/, ""),
      expected: ['Read{"path":"a"}'],
    },
    {
      name: "prose behind a call without an end",
      text: READ.replace("<|tool_call_end|>", "") + "\n\nAnd this is prose.",
      expected: ['Read{"path":"a"}', "text:\n\nAnd this is prose."],
      reasoning: true,
    },
    {
      name: "prose between calls without ends",
      text: READ.replace("<|tool_call_end|>", "") + "\nThen this. " + LS,
      expected: ['Read{"path":"a"}', "text:\nThen this. ", 'ls{"path":"."}'],
    },
    {
      name: "arguments that lack the last brace",
      text: call("functions.Read:0", '{"path": "a"'),
      expected: ['Read{"path":"a"}'],
    },
    {
      name: "arguments with a brace too many",
      text: call("functions.Read:0", '{"path": "a"}}'),
      expected: ['Read{"path":"a"}'],
    },
    {
      name: "a call whose arguments were cut, which must not run",
      text: '<|tool_call_begin|>functions.Write:0<|tool_call_argument_begin|>{"path":"a","content":"half of',
      expected: [
        'text:<|tool_call_begin|>functions.Write:0<|tool_call_argument_begin|>{"path":"a","content":"half of',
      ],
      cut: true,
    },
    {
      name: "a whole call in an answer that was cut behind it",
      text: `${READ}And th`,
      expected: ['Read{"path":"a"}', "text:And th"],
      cut: true,
    },
    {
      name: "an answer that was cut in a marker",
      text: `${READ}<|tool_call_be`,
      expected: ['Read{"path":"a"}', "text:<|tool_call_be"],
      cut: true,
    },
    // Arguments.
    {
      name: "the header of the second call in the arguments of the first",
      text: '<|tool_calls_section_begin|><|tool_call_begin|>functions.Read:0<|tool_call_argument_begin|>{"path": "a"}' +
        ' ¤.functions.ls:1 <|tool_call_argument_begin|> {"path": "."}<|tool_call_end|><|tool_calls_section_end|>',
      expected: ['Read{"path":"a"}', 'ls{"path":"."}'],
      reasoning: true,
    },
    {
      name: "long arguments that quote the markers",
      text: section(call("functions.Write:0", JSON.stringify({ path: "a", content: LONG }))) + "after",
      expected: [`Write${JSON.stringify({ path: "a", content: LONG })}`, "text:after"],
    },
    {
      name: "arguments with raw line breaks, a trailing comma and single quotes",
      text: call("functions.Write:0", "{'path': 'a',\n 'content': 'b\nc',}"),
      expected: ['Write{"path":"a","content":"b\\nc"}'],
    },
    {
      name: "empty arguments",
      text: call("functions.list_all:0", "{}") + call("functions.list_all:1", ""),
      expected: ["list_all{}", "list_all{}"],
    },
    {
      name: "arguments that are a string of JSON, with a number and a list as strings",
      text: call("functions.search:0", '"{\\"q\\":\\"x\\",\\"tags\\":\\"[\\\\\\"a\\\\\\"]\\"}"') +
        call("functions.wiki.read:1", '{"page":"3"}'),
      expected: ['search{"q":"x","tags":["a"]}', 'wiki.read{"page":3}'],
    },
    // What is no call.
    {
      name: "a tool that was not declared, as it was written",
      text: `a ${call("functions.rm:0", '{"path": "/"}')} b`,
      expected: [`text:a ${call("functions.rm:0", '{"path": "/"}')} b`],
      reasoning: true,
    },
    {
      name: "arguments that cannot be read, as they were written",
      text: call("functions.Read:0", "what now"),
      expected: [`text:${call("functions.Read:0", "what now")}`],
    },
    {
      name: "markers that stand in backticks",
      text: "It writes `<|tool_call_begin|>functions.Read:0<|tool_call_argument_begin|>{}<|tool_call_end|>` first.",
      expected: [
        "text:It writes `<|tool_call_begin|>functions.Read:0<|tool_call_argument_begin|>{}<|tool_call_end|>` first.",
      ],
      reasoning: true,
    },
    {
      name: "markers that stand in a fence, and a call after it",
      text: `See\n\`\`\`text\n${section(READ)}\n\`\`\`\n${LS}`,
      expected: [`text:See\n\`\`\`text\n${section(READ)}\n\`\`\`\n`, 'ls{"path":"."}'],
      reasoning: true,
    },
    {
      name: "a marker of which prose only speaks",
      text: "After <|tool_call_begin|> comes the id.",
      expected: ["text:After <|tool_call_begin|> comes the id."],
      reasoning: true,
    },
    // Tokens without a partner.
    {
      name: "tokens without a partner",
      text: "[BOS]a<|im_assistant|>b<|im_middle|>c<|tool_call_end|>d<|tool_calls_section_end|>e<|media_pad|>f",
      expected: ["text:abcdef"],
      reasoning: true,
    },
    {
      name: "what follows the end of the turn",
      text: "a<|im_end|><|im_user|>b",
      expected: ["text:a"],
      reasoning: true,
    },
    {
      name: "the end of the turn behind a call",
      text: `${section(READ)}<|im_end|>noise`,
      expected: ['Read{"path":"a"}'],
      reasoning: true,
    },
    {
      name: "the end of the turn in place of a call's end",
      text: `${READ.replace("<|tool_call_end|>", "")}<|im_end|>noise`,
      expected: ['Read{"path":"a"}'],
    },
    // Thinking.
    {
      name: "thinking in tags, a call in it that nothing closes, and text after it",
      text: `<think>I need a.${section(READ)}Done.`,
      expected: ["thinking:I need a.", 'Read{"path":"a"}', "text:Done."],
    },
    {
      name: "ids without a dot, and without a colon",
      text: section(LS.replace("functions.ls:1", "functionsls5"), LS.replace("functions.ls:1", "functions.ls6")),
      expected: ['ls{"path":"."}', 'ls{"path":"."}'],
    },
    {
      name: "a call of a tool that nobody declared, with a number for its name's end",
      text: LS.replace("functions.ls:1", "functions.ls2:0"),
      expected: [`text:${LS.replace("functions.ls:1", "functions.ls2:0")}`],
    },
    {
      name: "a call after a fence in a fence",
      text: `\`\`\`\`md\n\`\`\`js\n\`\`\`\`\nNow.\n${section(READ)}`,
      expected: ["text:````md\n```js\n````\nNow.\n", 'Read{"path":"a"}'],
    },
    {
      name: "a call after a fence with backticks in its code",
      text: `\`\`\`js\nx = "\`\`\`json {"\n\`\`\`\n${section(READ)}`,
      expected: ['text:```js\nx = "```json {"\n```\n', 'Read{"path":"a"}'],
      reasoning: true,
    },
    {
      name: "a call in a fence behind the mark of a list, and one after it",
      text: `- \`\`\`js\n  ${READ}\n  \`\`\`\n${section(READ)}`,
      expected: [`text:- \`\`\`js\n  ${READ}\n  \`\`\`\n`, 'Read{"path":"a"}'],
    },
    {
      name: "a call after a line in three backticks, and after a fence that ends behind its code",
      text: `\`\`\`ls -l\`\`\` lists.\n${READ}\n\`\`\`sh\nls\`\`\`\n${section(READ)}`,
      expected: ["text:```ls -l``` lists.\n", 'Read{"path":"a"}', "text:\n```sh\nls```\n", 'Read{"path":"a"}'],
    },
    {
      name: "a call after a stray backtick",
      text: `Use the \` key. ${section(READ)}`,
      expected: ["text:Use the ` key. ", 'Read{"path":"a"}'],
      reasoning: true,
    },
    {
      name: "a call after stray backticks on an earlier line",
      text: `A fence begins with \`\`\` in Markdown.\n${section(READ)}`,
      expected: ["text:A fence begins with ``` in Markdown.\n", 'Read{"path":"a"}'],
      reasoning: true,
    },
    {
      name: "an end of thinking right behind a fence that is taken for the beginning of another",
      text: "<think>- ```js a\n  x\n```</think>Yes.",
      expected: ["thinking:- ```js a\n  x\n```", "text:Yes."],
    },
    {
      name: "a fence that thinking leaves open",
      text: `<think>\n\`\`\`js\nlet x\n</think>\n\nYes.\n${section(READ)}`,
      expected: ["thinking:```js\nlet x\n", "text:Yes.\n", 'Read{"path":"a"}'],
    },
    {
      name: "a backtick and a quoted tag in thinking",
      text: "<think>is `</think>` a tag\nor ` a tick?</think>Yes.",
      expected: ["thinking:is `</think>` a tag\nor ` a tick?", "text:Yes."],
    },
    { name: "a closing tag without an opening one", text: "so\n</think>\nYes.", expected: ["text:so\nYes."] },
    { name: "such a tag where a line begins", text: "so\n</think>Yes.", expected: ["text:so\nYes."] },
    {
      name: "thinking that the template has opened, and a call that ends it",
      text: `\nI need a.${READ}Done.`,
      expected: ["thinking:I need a.", 'Read{"path":"a"}', "text:Done."],
      opened: true,
    },
    {
      name: "thinking that the template has opened, and its end",
      text: "\nso</think>\n\nYes.",
      expected: ["thinking:so", "text:Yes."],
      opened: true,
    },
    {
      name: "a closing tag without an opening one at the end of a line",
      text: "so `x`</think>\n\nYes.",
      expected: ["text:so `x`\n\nYes."],
    },
    { name: "prose about the tag of thinking", text: "a </think> b", expected: ["text:a </think> b"] },
    { name: "thinking that is empty", text: "<think></think>Yes.", expected: ["text:Yes."] },
    // Content as Python prints it.
    {
      name: "Python: text with an apostrophe in double quotes",
      text: `[{'type': 'text', 'text': "it's"}]`,
      expected: ["text:it's"],
    },
    {
      name: "Python: every escape",
      text: String.raw`[{'type': 'text', 'text': 'a\\b \'c\' \"d\" \n\r\t|\x41|\xe9|\u200b|\U0001F600|é|\103'}]`,
      expected: ["text:a\\b 'c' \"d\" \n\r\t|A|é|\u200b|😀|é|C"],
    },
    {
      name: "Python: a backslash before a line break, and before what needs none",
      text: "[{'type': 'text', 'text': 'a\\\nb \\d'}]",
      expected: ["text:ab \\d"],
    },
    {
      name: "Python: apostrophes that nobody escaped, and raw line breaks",
      text: "[{'type': 'text', 'text': 'I don't.\nYou can't, he's 'in'.'}]",
      expected: ["text:I don't.\nYou can't, he's 'in'."],
    },
    {
      name: "Python: several parts",
      text: "[{'type': 'text', 'text': 'A'}, {'type': 'text', 'text': 'B'}]",
      expected: ["text:AB"],
    },
    {
      name: "Python: several lists",
      text: "[{'type': 'text', 'text': 'A'}][{'type': 'text', 'text': 'B'}]\n[{'type': 'text', 'text': 'C'}]",
      expected: ["text:ABC"],
    },
    {
      name: "Python: thinking, text and a call with None and True",
      text: "[{'type': 'thinking', 'thinking': 'Hm.'}, {'type': 'text', 'text': 'A'}, {'type': 'tool_use', " +
        "'id': 'toolu_x', 'name': 'ls', 'input': {'path': '/a', 'depth': None, 'all': True}}]",
      expected: ["thinking:Hm.", "text:A", 'ls{"path":"/a","depth":null,"all":true}'],
    },
    { name: "JSON with a text", text: '{"text": "a", "n": 1}', expected: ['text:{"text": "a", "n": 1}'] },
    { name: "JSON with texts", text: '[{"text":"a"},{"text":"b"}]', expected: ['text:[{"text":"a"},{"text":"b"}]'] },
    {
      name: "Python: a call with braces and quotes in its text",
      text: `[{'type': 'tool_use', 'id': 'toolu_x', 'name': 'Write', 'input': {'path': 'a', 'content': "it's }]"}}]ok`,
      expected: ['Write{"path":"a","content":"it\'s }]"}', "text:ok"],
    },
    {
      name: "Python: a part alone",
      text: "{'type': 'text', 'text': 'A'}",
      expected: ["text:A"],
    },
    {
      name: "a quoted end in arguments that are broken behind it",
      text: section(call("Write", "{\"path\": \"a<|tool_call_end|>b\", 'content': 'c',}")),
      expected: ['Write{"path":"a<|tool_call_end|>b","content":"c"}'],
    },
    {
      name: "Python: a tool_use that was cut",
      text: "[{'type': 'tool_use', 'name': 'Write', 'input': {'path': 'a', 'content': 'half",
      expected: ["text:[{'type': 'tool_use', 'name': 'Write', 'input': {'path': 'a', 'content': 'half"],
    },
    {
      name: "Python: a tool_use alone",
      text: "{'type': 'tool_use', 'id': 'toolu_x', 'name': 'Read', 'input': {'path': '/a', 'limit': None}}",
      expected: ['Read{"path":"/a","limit":null}'],
    },
    {
      name: "Python: the type behind the text, or none at all",
      text: "[{'text': 'A', 'type': 'text'}, {'text': 'B'}]",
      expected: ["text:AB"],
    },
    {
      name: "Python: further fields, tuples, trailing commas and blanks",
      text: "[ { 'type' : 'text' , 'text' : 'A' , 'citations' : None , 'cache_control': {'type': 'x'}, } , ] ",
      expected: ["text:A"],
    },
    {
      name: "Python: strings that stand side by side",
      text: "[{'type': 'text', 'text': 'A' 'B' \"C\"}]",
      expected: ["text:ABC"],
    },
    {
      name: "Python: the spelling of JSON",
      text:
        '[{"type": "text", "text": "A \\"b\\" \\u00e9\\n"}, {"type":"tool_use","name":"Read","input":{"path":"a"}}]',
      expected: ['text:A "b" é\n', 'Read{"path":"a"}'],
    },
    {
      name: "Python: text that was cut",
      text: "[{'type': 'text', 'text': 'A and then",
      expected: ["text:A and then"],
      cut: true,
    },
    {
      name: "Python: a part of an unknown type, as it stands",
      text: "[{'type': 'text', 'text': 'A'}, {'type': 'image', 'source': None}]",
      expected: ["text:A{'type': 'image', 'source': None}"],
    },
    {
      name: "Python: a call of a tool that was not declared, as it stands",
      text: "[{'type': 'tool_use', 'name': 'rm', 'input': {'path': '/'}}]",
      expected: ["text:[{'type': 'tool_use', 'name': 'rm', 'input': {'path': '/'}}]"],
    },
    {
      name: "Python: a list of other things, as it stands",
      text: "[{'a': 1}, {'type': 'x'}]",
      expected: ["text:[{'a': 1}, {'type': 'x'}]"],
    },
    {
      name: "Python: a list of results, as it stands",
      text: "[{'type': 'tool_result', 'content': 'x'}]",
      expected: ["text:[{'type': 'tool_result', 'content': 'x'}]"],
    },
    {
      name: "Python: prose that begins with a bracket",
      text: "[1] says [{'type': 'text', 'text': 'A'}].",
      expected: ["text:[1] says [{'type': 'text', 'text': 'A'}]."],
    },
    { name: "Python: a list of tasks", text: "[ ] one\n[x] two", expected: ["text:[ ] one\n[x] two"] },
    {
      name: "Python: prose that quotes a list",
      text: "It printed [{'type': 'text', 'text': 'A'}] to me.",
      expected: ["text:It printed [{'type': 'text', 'text': 'A'}] to me."],
    },
  ],
};
