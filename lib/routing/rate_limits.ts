/** The limits of an account: so many requests in any window of so many milliseconds, so many at once; 0 is no limit. */
export type RateLimits = { limit: number; window: number; concurrency: number };

/** None. */
export const NO_LIMITS: RateLimits = { limit: 0, window: 60_000, concurrency: 0 };
