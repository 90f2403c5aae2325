import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

const folder = ".github/workflows";
const workflows = readdirSync(folder).map((name) => readFileSync(`${folder}/${name}`, "utf8"));

test("a release runs actions of others as they were when they were looked at: tags can be moved", () => {
  const uses = workflows.flatMap((text) => [...text.matchAll(/uses: *(\S+)/g)].map(([, action = ""]) => action));
  assert.ok(uses.length > 0);
  for (const action of uses) assert.match(action, /^\.\/|@[0-9a-f]{40}$/);
});

test("only the job that publishes can say who it is, and no workflow may write to the repository", () => {
  for (const text of workflows) assert.match(text, /^permissions:\n {2}contents: read\n(?! )/m);
  assert.deepEqual(workflows.join().match(/\S+: write/g), ["id-token: write"]);
});

test("the package runs nothing when it is installed, and brings no other", () => {
  const { scripts, dependencies } = JSON.parse(readFileSync("package.json", "utf8"));
  assert.deepEqual(Object.keys(scripts).filter((name) => /install$|^prepare$/.test(name)), []);
  assert.equal(dependencies, undefined);
});
