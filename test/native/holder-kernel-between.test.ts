/** What happens between the moment when the holder has received a bind() and its answer: it is stopped there. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { eventually } from '../rig/eventually.ts'
import { signal } from '../rig/processes.ts'
import { fetchFrom, TestHolder } from './holder-rig.ts'

/**
 * `signalled PORT`: has a handler without SA_RESTART, and says when it is called, and with what bind() ended.
 * `first PORT`: while its main thread waits for the answer to bind(), another thread executes the program anew. That
 * kills the main thread, and has its pid (execve(2)).
 * `another PORT`: has a socket of other flags under the same number and the same address in the same place, and never
 * binds it. Says what its slot is like, then binds one that is as it was made, and serves.
 */
const PROGRAM = `#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SLOT = 3, NUMBER = 20 };
static struct sockaddr_in own = {.sin_family = AF_INET};
static char **words;

static void await(const char *fifo) {
  char byte;
  const int fd = open(fifo, O_RDONLY);
  if (read(fd, &byte, 1) != 1) exit(1);
  close(fd);
}

static void *become_another(void *unused) {
  await("another");
  words[1] = "another";
  execv(words[0], words);
  return unused;
}

static void on_signal(int number) {
  if (write(1, "signal\\n", 7) != 7) _exit(number);
}

int main(int count, char **given) {
  pthread_t thread;
  int on = 1, alive = -1;
  socklen_t size = sizeof alive;
  words = given;
  setvbuf(stdout, NULL, _IOLBF, 0);
  own.sin_port = htons(atoi(words[count - 1]));
  if (strcmp(words[1], "signalled") == 0) {
    const struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGUSR1, &action, NULL);
    await("bind");
    const int error = bind(socket(AF_INET, SOCK_STREAM, 0), (void *)&own, sizeof own) == 0 ? 0 : errno;
    return printf("%d\\n", error) < 0;
  }
  if (strcmp(words[1], "first") == 0) {
    dup2(socket(AF_INET, SOCK_STREAM, 0), NUMBER);
    pthread_create(&thread, NULL, become_another, NULL);
    await("bind");
    bind(NUMBER, (void *)&own, sizeof own);
    puts("bound");
    return 1;
  }
  dup2(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), NUMBER);
  setsockopt(NUMBER, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  puts("another");
  await("look");
  getsockopt(SLOT, SOL_SOCKET, SO_KEEPALIVE, &alive, &size);
  printf("%d %d\\n", (fcntl(SLOT, F_GETFL) & O_NONBLOCK) != 0, alive);
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(fd, (void *)&own, sizeof own) != 0 || listen(fd, 5) != 0) return 1;
  const int connection = accept(fd, NULL, NULL);
  return write(connection, "hello", 5) != 5;
}
`

/** Stops a process with SIGSTOP at its first return from a system call of that kind: strace(1). */
class Stopper implements AsyncDisposable {
  readonly #pid: number
  readonly #child: ChildProcess
  readonly #trace: string
  #said = ''

  constructor(pid: number, call: string, trace: string) {
    this.#pid = pid
    this.#trace = trace
    const inject = `inject=${call}:signal=SIGSTOP:when=1`
    this.#child = spawn('strace', ['-p', `${pid}`, '-o', trace, '-e', `trace=${call}`, '-e', inject])
    this.#child.stderr?.on('data', (data: Buffer) => {
      this.#said += data.toString()
    })
  }

  async attached(): Promise<void> {
    await eventually(() => this.#said.includes('attached'), { dump: async () => this.#said })
  }

  /** The calls that it made until it stopped. */
  async stopped(): Promise<string> {
    return await eventually(() => {
      const text = existsSync(this.#trace) ? readFileSync(this.#trace, 'utf8') : ''
      return text.includes('--- stopped by SIGSTOP ---') ? text : null
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#child, 'close')
    this.#child.kill()
    await ended
    // Where a test ends before it has.
    signal(this.#pid, 'SIGCONT')
  }
}

/** A holder, and the program, which waits for a word at the FIFO `bind`. */
async function start(how: string) {
  const { holder, daemon } = await TestHolder.start()
  const program = join(holder.dir, 'program')
  writeFileSync(`${program}.c`, PROGRAM)
  // Its variables are at the same addresses after execve().
  execFileSync('cc', ['-static', '-no-pie', '-pthread', '-o', program, `${program}.c`])
  const { fields } = await daemon.do('bind', ['a', 'loopback:0', 128, '600'])
  const port = Number(fields[0])
  execFileSync('mkfifo', ['bind', 'another', 'look'], { cwd: holder.dir })
  const args = [program, how, String(port)]
  const spawned = await daemon.do('spawn', [], [holder.spec('one#1', { args, slots: [`0:${port} http a`] })])
  const tell = (fifo: string): void =>
    void execFileSync('sh', ['-c', `echo . > ${fifo}`], { cwd: holder.dir })
  return { holder, daemon, port, pid: Number(spawned.fields[0]), tell }
}

/** What of the program's bind() the holder has done when it stops: received it, and read nothing of the program yet. */
const RECEIVED = /^ioctl\(\d+, SECCOMP_IOCTL_NOTIF_RECV, .*\n--- SIGSTOP .*\n--- stopped/

async function bindIsReceived(stopper: Stopper, tell: (fifo: string) => void): Promise<void> {
  await stopper.attached()
  tell('bind')
  expect(await stopper.stopped()).toMatch(RECEIVED)
}

test('what has taken the place of a thread whose bind() was received is not taken for it', async () => {
  const { holder, daemon, port, tell } = await start('first')
  await using _ = holder
  {
    await using stopper = new Stopper(holder.pid, 'ioctl', join(holder.dir, 'trace'))
    await bindIsReceived(stopper, tell)
    tell('another')
    await eventually(() => holder.said() === 'another\n')
    signal(holder.pid, 'SIGCONT')
    // It has come by the call when it answers this.
    await daemon.list('generation')
  }
  tell('look')
  expect(await fetchFrom({ port })).toBe('hello')
  expect(holder.said()).toBe('another\n0 0\n')
})

test('a signal does not interrupt a bind() that was received, as those of Go’s scheduler would', async () => {
  const { holder, daemon, pid, tell } = await start('signalled')
  await using _ = holder
  {
    await using stopper = new Stopper(holder.pid, 'ioctl', join(holder.dir, 'trace'))
    await bindIsReceived(stopper, tell)
    signal(pid, 'SIGUSR1')
    // The signal has woken it, and it sleeps as none but one that kills can wake it: proc_pid_stat(5).
    await eventually(() => readFileSync(`/proc/${pid}/stat`, 'utf8').startsWith(`${pid} (program) D`))
    signal(holder.pid, 'SIGCONT')
    await daemon.event('gone', 'one#1')
  }
  expect(holder.said()).toBe('signal\n0\n')
})
