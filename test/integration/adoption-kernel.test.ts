/** Programs that the preload library is in none of, as the daemon sees them: their bind() is answered by the holder. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { chmod } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { CHECKOUT, Rig } from '../rig/rig.ts'

/** Waits for a word at the FIFO `go` if there is one, then serves one connection after the other, each to its end. */
const SERVER = `#include <arpa/inet.h>
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
  int go = open("go", O_RDONLY);
  if (go >= 0 && read(go, request, 1) != 1) return 1;
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

/** Answers a system call of all below it that nobody makes, as a sandbox might; then it is what it is told to be. */
const SUPERVISOR = `#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(int count, char **words) {
  struct sock_filter program[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_acct, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog code = {4, program};
  if (count < 2 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return 1;
  int fd = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &code);
  if (fd < 0 || dup(fd) < 0) return 1;
  execvp(words[1], words + 1);
  return 1;
}
`

const CLI = join(CHECKOUT, 'dist/cli/main.cjs')
const folder = mkdtempSync(join(tmpdir(), 'devsock-static-'))
const server = join(folder, 'server')
const supervisor = join(folder, 'supervisor')

beforeAll(() => {
  writeFileSync(`${server}.c`, SERVER)
  writeFileSync(`${supervisor}.c`, SUPERVISOR)
  execFileSync('cc', ['-static', '-o', server, `${server}.c`])
  execFileSync('cc', ['-o', supervisor, `${supervisor}.c`])
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function withLateServer(): Promise<{ rig: Rig; port: number; go(): void }> {
  const rig = await Rig.create()
  const port = await rig.port()
  await rig.configure({ web: { command: server, listen: port, start: 'eager' } })
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

test('a static program below a shell, which no file tells of, is started once more, and then known', async () => {
  await using rig = await Rig.create()
  const port = await rig.port()
  await rig.configure({ web: { command: `true; ${server}`, listen: port, watch: [] } })
  await rig.up()
  expect((await rig.request(port)).body).toBe('v1')
  expect(await rig.until('web', 'ready')).toMatchObject({ generation: 2, handover: 'kernel', crashes: 0 })
  const killed = await rig.daemonPid()
  process.kill(killed, 'SIGKILL')
  await rig.eventually(async () => (await rig.status()).daemon?.pid !== killed && (await rig.service('web')))
  await rig.succeed('restart', 'web')
  await rig.succeed('wait', 'web')
  expect(await rig.service('web')).toMatchObject({ generation: 3, handover: 'kernel', state: 'ready' })
})

test('what was learnt of a program is forgotten when its file is another kind of program', async () => {
  await using rig = await Rig.create({ files: { server: `#!/bin/sh\n${server}\n` } })
  await chmod(join(rig.dir, 'server'), 0o755)
  const port = await rig.port()
  await rig.configure({ web: { command: './server', listen: port } })
  await rig.up()
  await rig.request(port)
  expect(await rig.until('web', 'ready')).toMatchObject({ generation: 2, handover: 'kernel' })
  await rig.succeed('sleep', 'web')
  await rig.until('web', 'held')
  await rig.write({
    server: `#!${process.execPath}\nrequire('http').createServer((_, r) => r.end('v2')).listen(process.env.PORT)\n`,
  })
  expect((await rig.request(port)).body).toBe('v2')
  await rig.succeed('restart', 'web')
  await rig.succeed('wait', 'web')
  expect(await rig.service('web')).toMatchObject({ handover: 'preload', state: 'ready' })
})

test('below a reloader that waits for a change when its program has failed', async () => {
  await using rig = await Rig.create()
  const port = await rig.port()
  await rig.configure({ web: { command: `while :; do ${server}; read forever < fifo; done`, listen: port } })
  execFileSync('mkfifo', [join(rig.dir, 'fifo')])
  await rig.up()
  expect((await rig.request(port)).body).toBe('v1')
  expect(await rig.until('web', 'ready')).toMatchObject({ generation: 2, handover: 'kernel' })
})

test('a program that fails for its own reasons fails by its second try', async () => {
  await using rig = await Rig.create()
  const port = await rig.port()
  await rig.configure({ web: { command: 'echo the cause; exit 9', listen: port, watch: ['*.c'] } })
  await rig.up()
  expect((await rig.request(port)).body).toContain('exit 9 before it was ready')
  expect(await rig.service('web')).toMatchObject({ state: 'failed', generation: 2, crashes: 1 })
})

test.each([
  ['preload', `node -e "require('http').createServer().listen(ELSEWHERE)"`],
  ['kernel', `env PORT=ELSEWHERE ${server}`],
])(
  'a program (%s) that does no more than listen elsewhere is told so without waiting for its time-out',
  async (adopt, command) => {
    await using rig = await Rig.create()
    const [port, elsewhere] = [await rig.port(), await rig.port()]
    const web = { command: command.replace('ELSEWHERE', String(elsewhere)), listen: port, adopt, watch: [] }
    await rig.configure({ web: { ...web, ready: { timeout: '1h' } } })
    await rig.up()
    const { body } = await rig.request(port, '/', { deadline: 45_000 })
    expect(body).toContain(`it listens on port ${elsewhere}, not on its socket (port ${port})`)
  },
)

test('where another supervisor answers system calls, the failure and doctor say so', async () => {
  await using rig = await Rig.create({ cli: [supervisor, process.execPath, CLI] })
  const port = await rig.port()
  await rig.configure({ web: { command: server, listen: port, watch: ['*.c'] } })
  // Attached: it answers for as long as this first one lives, which starts the daemon.
  rig.start('up')
  await rig.eventually(async () => (await rig.service('web')).state === 'held')
  expect((await rig.request(port)).body).toMatch(/another supervisor already .*\n.*fd 3/)
  const doctor = await rig.devsock('doctor')
  expect(doctor.code).toBe(1)
  expect(doctor.stdout).toMatch(/✗ +kernel adoption .*another supervisor/)
  expect(doctor.stdout).toMatch(/✗ +web .*another supervisor/)
})

test('a program that wanted other privileges below the kernel’s way is told why it got none', async () => {
  await using rig = await Rig.create()
  const port = await rig.port()
  const says = 'sudo: The "no new privileges" flag is set, which prevents sudo from running as root.'
  await rig.configure({
    web: { command: `echo '${says}'; exit 1`, listen: port, adopt: 'kernel', watch: ['*.c'] },
  })
  await rig.up()
  expect((await rig.request(port)).body).toContain('sets no_new_privs')
  expect((await rig.devsock('doctor')).stdout).toContain('sets no_new_privs')
})
