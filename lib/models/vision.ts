/** Families of models that see images; the names are NVIDIA's, observed in its catalogue until 2026-09. */
const VISION =
  /kimi-k(?:2\.\d|3)|qwen3\.5|gemma-4|minimax-m3|mistral-small-4|step-3\.7|-vl\b|vision|omni|cosmos|maverick|scout/;

/** Whether an upstream model sees images; one that nobody has described is taken not to. */
export function seesImages(model: string): boolean {
  return VISION.test(model.toLowerCase());
}
