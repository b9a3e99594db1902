import { execFileSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Answers with what VERSION had when it started. */
const SOURCE = `package main

import (
	"net/http"
	"os"
)

func main() {
	version, _ := os.ReadFile("VERSION")
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { w.Write(version) })
	panic(http.ListenAndServe(":"+os.Getenv("PORT"), nil))
}
`

/** Builds `./server` there, a static program that nothing can be loaded into: it answers with the content of `file`. */
export async function buildStaticGo(dir: string, file: string): Promise<void> {
  await writeFile(join(dir, 'server.go'), SOURCE.replace('VERSION', file))
  const env = { ...process.env, CGO_ENABLED: '0' }
  execFileSync('go', ['build', '-o', 'server', 'server.go'], { cwd: dir, env })
}
