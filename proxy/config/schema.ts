import { writeFileSync } from 'node:fs'
import { z } from 'zod'
import { Written } from './written.ts'

// A program of the build: `node schema.js OUT.json` writes the JSON schema for devsock.config.json and for
// "devsock" in package.json. Draft 7 is what editors understand best.

const [out] = process.argv.slice(2)
const schema = z.toJSONSchema(Written, { target: 'draft-7', io: 'input' })
const document = { ...schema, title: 'devsock configuration' }
const text = `${JSON.stringify(document, null, 2)}\n`
if (out === undefined) process.stdout.write(text)
else writeFileSync(out, text)
