import type { FamilyVectors } from "./vector.ts";

const invoke = (name: string, path: string) =>
  `<atem:invoke name="${name}"><atem:parameter name="path">${path}</atem:parameter></atem:invoke>`;
const calls = (...each: string[]) => `<atem:function_calls>${each.join("")}</atem:function_calls>`;
const to = (whom: string, text: string, end = "<|eom|>") => `<|start|>assistant to=${whom}<|message|>${text}${end}`;

export const MUSE: FamilyVectors = {
  family: "Muse",
  models: ["meta/muse-glimmer-30b"],
  vectors: [
    {
      name: "thinking, a call, an answer",
      text: to("self", "Hm.") + to("ns.ls", calls(invoke("ns.ls", "."))) + to("user", "Yes, a < b.", "<|eot|>"),
      expected: ["thinking:Hm.", 'ls{"path":"."}', "text:Yes, a < b."],
    },
    {
      name: "calls without a channel, after text",
      text: `Ok.${calls(invoke("ns.ls", "."), invoke("Read", "a"))}<|eom|>`,
      expected: ["text:Ok.", 'ls{"path":"."}', 'Read{"path":"a"}'],
      reasoning: true,
    },
    {
      name: "a call in thinking, which is only thought of",
      text: to("self", `I could ${calls(invoke("ns.ls", "."))}.`) + to("user", "No.", "<|eot|>"),
      expected: [`thinking:I could ${calls(invoke("ns.ls", "."))}.`, "text:No."],
    },
    {
      name: "a call in an answer, which is only an example",
      text: to("user", `Write ${calls(invoke("ns.ls", "."))}.`, "<|eot|>"),
      expected: [`text:Write ${calls(invoke("ns.ls", "."))}.`],
    },
    {
      name: "channels whose ends are missing",
      text: to("self", "Hm.", "") + to("ns.ls", calls(invoke("ns.ls", ".")), ""),
      expected: ["thinking:Hm.", 'ls{"path":"."}'],
    },
    {
      name: "a channel that was cut in the middle of the call, which must not run",
      text:
        '<|start|>assistant to=ns.ls<|message|><atem:function_calls><atem:invoke name="ns.ls"><atem:parameter name="pa',
      expected: [
        'text:<|start|>assistant to=ns.ls<|message|><atem:function_calls><atem:invoke name="ns.ls"><atem:parameter name="pa',
      ],
      cut: true,
    },
    {
      name: "a tool that was not declared, as it was written",
      text: `a${calls(invoke("ns.rm", "/"))}b`,
      expected: [`text:a${calls(invoke("ns.rm", "/"))}b`],
    },
    {
      name: "prose about the markup",
      text: "A <atem:function_calls> block after `<|start|>assistant to=user<|message|>` or <|start|> there.",
      expected: [
        "text:A <atem:function_calls> block after `<|start|>assistant to=user<|message|>` or <|start|> there.",
      ],
    },
  ],
};
