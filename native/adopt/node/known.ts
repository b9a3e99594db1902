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

/** Names of variables that they look at while they load; the second and third line are for colours. */
export const READ = new RegExp(
  [
    '^(DEBUG|NODE_(?!ENV$)|TRACE_DEPRECATION$|WATCH_REPORT_|WS_NO_|PG_|READABLE_STREAM$|TZ$|USER$|__MINIMATCH_',
    '|NO_COLOR$|FORCE_COLOR$|COLORTERM$|TERM$|TERM_PROGRAM|TEAMCITY_VERSION$|CI$|CI_NAME$|GITHUB_ACTIONS$',
    '|GITEA_ACTIONS$|GITLAB_CI$|CIRCLECI$|TRAVIS$|APPVEYOR$|BUILDKITE$|DRONE$)',
  ].join(''),
  'i',
)
