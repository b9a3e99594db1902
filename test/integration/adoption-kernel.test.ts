/** Programs that the preload library is in none of, as the daemon sees them: their bind() is answered by the holder. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Rig } from '../rig/rig.ts'

/** Waits for a word at the FIFO `go`, then serves one connection after the other, each to its end. */
const LATE = `#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
int main(void) {
  static const char answer[] = "HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\nConnection: close\\r\\n\\r\\nv1";
  struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons(atoi(getenv("PORT")))};
  char request[4096];
  setvbuf(stdout, NULL, _IOLBF, 0);
  puts("waiting");
  if (read(open("go", O_RDONLY), request, 1) != 1) return 1;
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(listener, (void *)&own, sizeof own) != 0 || listen(listener, 5) != 0) return perror("bind"), 1;
  for (;;) {
    int connection = accept(listener, NULL, NULL);
    if (connection < 0) return perror("accept"), 1;
    puts("took one");
    if (read(connection, request, sizeof request) > 0 && write(connection, answer, strlen(answer)) < 0) return 1;
    close(connection);
  }
}
`

const folder = mkdtempSync(join(tmpdir(), 'devsock-static-'))
const late = join(folder, 'late')

beforeAll(() => {
  writeFileSync(`${late}.c`, LATE)
  execFileSync('cc', ['-static', '-o', late, `${late}.c`])
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function withLateServer(): Promise<{ rig: Rig; port: number; go(): void }> {
  const rig = await Rig.create()
  const port = await rig.port()
  await rig.configure({ web: { command: late, listen: port, start: 'eager' } })
  execFileSync('mkfifo', [join(rig.dir, 'go')])
  const go = (): void => void execFileSync('sh', ['-c', 'echo . > go'], { cwd: rig.dir })
  return { rig, port, go }
}

const logged = async (rig: Rig, text: string): Promise<boolean> =>
  (await rig.succeed('logs', 'web')).stdout.includes(text)

test('a server that serves one connection at a time is not kept busy by the look whether it is ready', async () => {
  const { rig, port, go } = await withLateServer()
  await using _ = rig
  await rig.up()
  await rig.eventually(async () => (await rig.service('web')).sockets[0]?.queued === 1, { what: 'the look' })
  const daemon = await rig.daemonPid()
  process.kill(daemon, 'SIGSTOP')
  try {
    go()
    expect((await rig.request(port)).body).toBe('v1')
  } finally {
    process.kill(daemon, 'SIGCONT')
  }
  await rig.until('web', 'ready')
})

test('a server that binds after the holder was killed has its slot from the next one', async () => {
  const { rig, port, go } = await withLateServer()
  await using _ = rig
  await rig.up()
  await rig.eventually(() => logged(rig, 'waiting'))
  const killed = await rig.holderPid()
  process.kill(killed, 'SIGKILL')
  go()
  expect((await rig.request(port)).body).toBe('v1')
  expect(await rig.until('web', 'ready')).toMatchObject({ generation: 1, handover: 'kernel' })
  expect(await rig.holderPid()).not.toBe(killed)
})
