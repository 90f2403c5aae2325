import { ConfigError } from "../config/settings.ts";
import { LearnedFacts, type ModelFacts } from "../upstream/learned.ts";
import { systemClock } from "../wire/clock.ts";
import type { Context } from "./io.ts";
import { createLessonStore } from "./proxy.ts";

async function readLessons({ io }: Context): Promise<LearnedFacts> {
  const learned = new LearnedFacts(createLessonStore(io, io.tell), systemClock);
  await learned.load();
  return learned;
}

/** What a model has taught, in words. */
function toWords({ refused, context, maxOutput, scale, noTools, goneSince }: ModelFacts): string {
  return [
    goneSince === 0 && "is gone",
    goneSince > 0 && goneSince < Infinity && `is gone since ${new Date(goneSince).toISOString().slice(0, 10)}`,
    noTools && "is served without tools",
    refused.length > 0 && `refuses ${refused.join(", ")}`,
    context < Infinity && `has a window of ${context} tokens`,
    maxOutput < Infinity && `gives at most ${maxOutput} tokens`,
    scale > 1 && `counts ${scale.toFixed(2)} times the tokens that are estimated`,
  ].filter(Boolean).join("; ");
}

/** Shows what models have taught, those whose id contains a text or all. */
export async function runModels(context: Context): Promise<number> {
  const [action = "show", id = "", extra] = context.args;
  if (action !== "show" || extra !== undefined) throw new ConfigError(`Unexpected argument '${extra ?? action}'`);
  const lessons = (await readLessons(context)).all().filter(([key]) => key.includes(id));
  for (const [key, facts] of lessons) {
    const [host, model] = key.split(" ");
    context.io.print(`${model} ${toWords(facts)} (${host})`);
  }
  if (lessons.length === 0) context.io.print("No model has taught anything yet.");
  return 0;
}

/** Forgets what models have taught. */
export async function runReset(context: Context): Promise<number> {
  const [extra] = context.args;
  if (extra !== undefined) throw new ConfigError(`Unexpected argument '${extra}'`);
  const learned = await readLessons(context);
  const count = learned.all().length;
  await learned.forget();
  context.io.print(
    `Forgot what ${count} ${count === 1 ? "model" : "models"} had taught; a proxy that runs does so at its next start.`,
  );
  return 0;
}
