#include "launch.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>

#include "../common/seqpacket.h"
#include "bind_notifications.h"
#include "process_table.h"

namespace devsock {

namespace {

/// What the child sends when it cannot go on.
struct Complaint {
  int number;
  enum class Step : int { descriptors, limits, cwd, filter, exec } step;
};

constexpr std::string_view kListenPid = "LISTEN_PID=";

/// Everything that the child needs, made before vfork(): after it, no memory is allocated.
struct Prepared {
  std::vector<char*> args;
  std::vector<char*> env;
  /// LISTEN_PID=, and room for the digits.
  std::array<char, 32> listen_pid{};
  /// Files to try to execute, in order.
  std::vector<std::string> programs;
};

std::string variable(const std::vector<std::string>& env, std::string_view name) {
  for (const std::string& each : env) {
    if (each.size() > name.size() && each.starts_with(name) && each[name.size()] == '=') {
      return each.substr(name.size() + 1);
    }
  }
  return {};
}

std::vector<std::string> find_programs(const std::string& name, const std::vector<std::string>& env) {
  if (name.find('/') != std::string::npos) return {name};
  std::string path = variable(env, "PATH");
  if (path.empty()) path = "/usr/local/bin:/usr/bin:/bin";
  std::vector<std::string> programs;
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find(':', begin), path.size());
    // An empty element is the working directory (POSIX, "Environment Variables").
    programs.push_back(end == begin ? name : path.substr(begin, end - begin) + '/' + name);
    begin = end + 1;
  }
  return programs;
}

void prepare(const Launch& plan, Prepared& prepared) {
  for (const std::string& arg : plan.args) prepared.args.push_back(const_cast<char*>(arg.c_str()));
  prepared.args.push_back(nullptr);
  for (const std::string& each : plan.env) prepared.env.push_back(const_cast<char*>(each.c_str()));
  if (plan.listen_pid) {
    std::copy(kListenPid.begin(), kListenPid.end(), prepared.listen_pid.begin());
    prepared.env.push_back(prepared.listen_pid.data());
  }
  prepared.env.push_back(nullptr);
  prepared.programs = find_programs(plan.args.front(), plan.env);
}

// From here to launch(): only async-signal-safe calls (signal-safety(7)).

void write_digits(char* to, pid_t number) {
  std::array<char, 12> digits;
  size_t count = 0;
  do {
    digits[count++] = static_cast<char>('0' + number % 10);
    number /= 10;
  } while (number != 0);
  while (count != 0) *to++ = digits[--count];
  *to = '\0';
}

[[noreturn]] void complain(int parent, Complaint::Step step, int number) {
  const Complaint complaint{number, step};
  // One message of a SOCK_SEQPACKET: sent at once, or not at all.
  if (::write(parent, &complaint, sizeof complaint) < 0) ::_exit(126);
  ::_exit(127);
}

/// Puts `sources` at 0, 1, 2 …; what is in the way of another has been moved above all of them.
bool place_descriptors(int* sources, int count, int* parent) {
  for (int i = 0; i <= count; i++) {
    int* source = i == count ? parent : &sources[i];
    if (*source >= count) continue;
    *source = ::fcntl(*source, F_DUPFD_CLOEXEC, count);
    if (*source < 0) return false;
  }
  for (int i = 0; i < count; i++) {
    if (::dup2(sources[i], i) < 0) return false;
  }
  // All that a holder opens is close-on-exec: this is for what a library may have left open. Linux 5.11.
  ::syscall(SYS_close_range, static_cast<unsigned>(count), UINT_MAX, CLOSE_RANGE_CLOEXEC);
  return true;
}

/// The listener goes to the holder before the program can bind anything.
void hand_over_binds(int parent) {
  const int listener = notify_binds();
  if (listener < 0) complain(parent, Complaint::Step::filter, errno);
  const uint8_t byte = 0;
  const int error = send_message(parent, {&byte, 1}, {&listener, 1});
  if (error != 0) complain(parent, Complaint::Step::filter, error);
  ::close(listener);
}

[[noreturn]] void become(const Launch& plan, Prepared& prepared, int* sources, int count, int parent) {
  ::setsid();
  for (int number = 1; number <= SIGRTMAX; number++) ::signal(number, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  if (!place_descriptors(sources, count, &parent)) complain(parent, Complaint::Step::descriptors, errno);
  ::umask(plan.umask);
  if (::setrlimit(RLIMIT_NOFILE, &plan.nofile) != 0) complain(parent, Complaint::Step::limits, errno);
  if (::chdir(plan.cwd.c_str()) != 0) complain(parent, Complaint::Step::cwd, errno);
  if (plan.notify_binds) hand_over_binds(parent);
  if (plan.listen_pid) write_digits(prepared.listen_pid.data() + kListenPid.size(), ::getpid());
  int error = ENOENT;
  for (const std::string& program : prepared.programs) {
    ::execve(program.c_str(), prepared.args.data(), prepared.env.data());
    // As execvp(3): what may not be executed is remembered, what is not there is passed over.
    if (errno == EACCES) error = EACCES;
    else if (errno != ENOENT && errno != ENOTDIR) complain(parent, Complaint::Step::exec, errno);
  }
  complain(parent, Complaint::Step::exec, error);
}

/// Nothing is copied, and the child has the processor at once. Until it executes its program it runs in the memory of
/// this process, which waits meanwhile and has no signal handler that could run there. By itself, because what else
/// its function keeps in registers is not certain after it (vfork(2)).
[[gnu::noinline]] pid_t begin(const Launch& plan, Prepared& prepared, std::vector<int>& sources, int parent) {
  const pid_t pid = ::vfork();
  if (pid == 0) become(plan, prepared, sources.data(), static_cast<int>(sources.size()), parent);
  return pid;
}

Error explain(const Launch& plan, const Complaint& complaint) {
  switch (complaint.step) {
    case Complaint::Step::descriptors:
      return failed("dup2", plan.args.front(), complaint.number);
    case Complaint::Step::limits:
      return failed("setrlimit", "RLIMIT_NOFILE", complaint.number);
    case Complaint::Step::cwd:
      return failed("chdir", plan.cwd, complaint.number);
    case Complaint::Step::filter:
      return failed("seccomp", plan.args.front(), complaint.number);
    case Complaint::Step::exec:
      break;
  }
  return failed("execve", plan.args.front(), complaint.number);
}

/// Waits. The number of bytes; 0 at the end.
size_t await_message(int socket, std::span<uint8_t> buffer, std::vector<UniqueFd>& fds) {
  for (;;) {
    pollfd state{socket, POLLIN, 0};
    ::poll(&state, 1, -1);
    const ReceiveResult message = receive_message(socket, buffer, fds);
    if (message.error == 0) return message.size;
    if (message.error != EAGAIN) return 0;
  }
}

}  // namespace

Result<Child> launch(const Launch& plan) {
  Prepared prepared;
  prepare(plan, prepared);
  const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!null) return failed("open", "/dev/null");
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    return failed("socketpair", plan.args.front());
  }
  const UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  std::vector<int> sources = {null.get(), plan.log, plan.log};
  sources.insert(sources.end(), plan.fds.begin(), plan.fds.end());

  Child child{begin(plan, prepared, sources, writer.get()), 0, {}};
  if (child.pid < 0) return failed("vfork", plan.args.front());
  writer.reset();

  // Until it closes its end, by execve() or by its end.
  for (;;) {
    Complaint complaint;
    std::vector<UniqueFd> fds;
    const size_t size = await_message(reader.get(), {reinterpret_cast<uint8_t*>(&complaint), sizeof complaint}, fds);
    if (size == sizeof complaint) {
      ::waitpid(child.pid, nullptr, 0);
      return explain(plan, complaint);
    }
    if (size == 0) break;
    if (!fds.empty()) child.binds = std::move(fds.front());
  }
  if (plan.notify_binds && !child.binds) {
    ::kill(-child.pid, SIGKILL);
    ::waitpid(child.pid, nullptr, 0);
    return failed("recvmsg", plan.args.front(), EMFILE);
  }
  // The pid is the child's until this process has waited for it.
  const auto process = read_process(child.pid);
  child.start = process ? process->start : 0;
  return child;
}

Result<UniqueFd> open_log(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_NOCTTY | O_NONBLOCK | O_CLOEXEC, 0600));
  if (!fd) return failed("open", path);
  struct stat info;
  if (::fstat(fd.get(), &info) != 0) return failed("fstat", path);
  if (!S_ISREG(info.st_mode) && !S_ISCHR(info.st_mode)) return failed("open", path, EINVAL);
  if (::fcntl(fd.get(), F_SETFL, O_APPEND) != 0) return failed("fcntl", path);
  return fd;
}

}  // namespace devsock
