/** Another process on a file of SQLite: adds to a sum by swapping, and takes places. */
import process from "node:process";
import { createSqliteStore } from "../../lib/store/sqlite_store.ts";

const [path = "", name, count] = process.argv.slice(2);
const store = await createSqliteStore(path, { patience: 60_000 });
let taken = 0;
for (let i = 0; i < Number(count); i++) {
  for (;;) {
    const before = await store.get("a sum");
    if (await store.swap("a sum", before, Number(before ?? 0) + 1)) break;
  }
  const { wait } = await store.take(`${name} ${i}`, [{ key: "rate a", limit: 70, ms: 3_600_000 }]);
  if (wait === 0) taken++;
}
await store.close();
console.log(JSON.stringify({ taken }));
