import { z } from 'zod'
import { fail, ok, type Result } from '../protocol.ts'

/** What clients may send. Everything else is refused before anything looks at it. */
export const UpBody = z.object({
  dir: z.string(),
  config: z.string().nullable(),
  env: z.record(z.string(), z.string()),
  services: z.array(z.string()),
  watch: z.boolean(),
  autoPorts: z.boolean(),
  limits: z.object({ nofile: z.tuple([z.number(), z.number()]).nullable(), umask: z.number() }),
  detached: z.boolean(),
  conflicts: z.enum(['wait', 'use', 'auto']).nullable().default(null),
})

export const CheckBody = UpBody.pick({ dir: true, config: true, env: true })

export const ProposeBody = UpBody.pick({ dir: true })

/** Longest wait: what a timer of Node can hold. */
const MAX_WAIT_MS = 2_147_483_647

export const WaitBody = z.object({
  for: z.enum(['ready', 'held']),
  timeoutMs: z.number().min(0).max(MAX_WAIT_MS),
  sweep: z.boolean().default(true),
})

export const FreeBody = z.object({
  force: z.boolean().default(false),
  graceMs: z.number().min(0).max(600_000).default(5_000),
})

export const SubscriptionBody = z.object({
  projects: z.array(z.string()).default([]),
  logs: z.union([z.boolean(), z.literal('screen')]).default(false),
  lease: z.string().nullable().default(null),
})

export const LogQuery = z.object({
  since: z.iso.datetime({ offset: true }).optional(),
  last: z.coerce.number().int().min(0).optional(),
  generation: z.coerce.number().int().min(1).optional(),
  previous: z.string().optional(),
  grep: z.string().optional(),
  follow: z.string().optional(),
})

export function parse<T extends z.ZodType>(schema: T, value: unknown): Result<z.output<T>> {
  const parsed = schema.safeParse(value)
  if (parsed.success) return ok(parsed.data)
  const [issue] = parsed.error.issues
  return fail('usage', `the request is not understood: ${issue?.path.join('.')}: ${issue?.message}`)
}
