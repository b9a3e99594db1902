/**
 * Packages that may be loaded before the program that uses them, without being named in the configuration: while they
 * load they define what they export and do nothing else. They read no file but their own, change nothing of Node's, and
 * look at no variable that `READ` leaves out (test/integration/servers/known-packages.test.ts looks at each of them).
 */
export const KNOWN = [
  '@fastify/cors',
  '@fastify/static',
  '@hapi/hapi',
  '@koa/router',
  'ajv',
  'axios',
  'body-parser',
  'compression',
  'cookie-parser',
  'cors',
  'ejs',
  'express',
  'express-rate-limit',
  'fastify',
  'helmet',
  'ioredis',
  'joi',
  'jsonwebtoken',
  'knex',
  'koa',
  'koa-bodyparser',
  'lodash',
  'luxon',
  'mongodb',
  'mongoose',
  'morgan',
  'multer',
  'mysql2',
  'pg',
  'redis',
  'socket.io',
  'uuid',
  'ws',
  'zod',
] as const

/** Names of variables that they look at while they load. */
export const READ =
  /^(?:DEBUG|NODE_(?!ENV$)|TRACE_DEPRECATION$|WATCH_REPORT_|WS_NO_|PG_|READABLE_STREAM$|NO_COLOR$|FORCE_COLOR$|TERM$|CI$|TZ$|USER$|__MINIMATCH_)/i
