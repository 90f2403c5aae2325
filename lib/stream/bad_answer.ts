import { ApiError } from "../wire/errors.ts";

/** An answer that is none: nothing is in it, it broke off, or it has become nonsense. */
export class BadAnswer extends ApiError {
  readonly kind: "empty" | "cut" | "degenerate";

  constructor(kind: BadAnswer["kind"], how: string) {
    super("overloaded_error", `The model's answer ${how}`);
    this.kind = kind;
  }
}
