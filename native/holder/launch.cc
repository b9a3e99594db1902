#include "launch.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>

#include "process_table.h"

namespace devsock {

namespace {

/// What the child writes into the pipe when it cannot go on.
struct Complaint {
  int number;
  enum class Step : int { descriptors, limits, cwd, exec } step;
};

constexpr std::string_view kListenPid = "LISTEN_PID=";

/// Everything that the child needs, made before fork(): after it, no memory is allocated.
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

[[noreturn]] void complain(int pipe, Complaint::Step step, int number) {
  const Complaint complaint{number, step};
  // Less than PIPE_BUF: written at once, or not at all.
  if (::write(pipe, &complaint, sizeof complaint) < 0) ::_exit(126);
  ::_exit(127);
}

/// Puts `sources` at 0, 1, 2 …; what is in the way of another has been moved above all of them.
bool place_descriptors(int* sources, int count, int* pipe) {
  for (int i = 0; i <= count; i++) {
    int* source = i == count ? pipe : &sources[i];
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

[[noreturn]] void become(const Launch& plan, Prepared& prepared, int* sources, int count, int pipe) {
  ::setsid();
  for (int number = 1; number <= SIGRTMAX; number++) ::signal(number, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  if (!place_descriptors(sources, count, &pipe)) complain(pipe, Complaint::Step::descriptors, errno);
  ::umask(plan.umask);
  if (::setrlimit(RLIMIT_NOFILE, &plan.nofile) != 0) complain(pipe, Complaint::Step::limits, errno);
  if (::chdir(plan.cwd.c_str()) != 0) complain(pipe, Complaint::Step::cwd, errno);
  if (plan.listen_pid) write_digits(prepared.listen_pid.data() + kListenPid.size(), ::getpid());
  int error = ENOENT;
  for (const std::string& program : prepared.programs) {
    ::execve(program.c_str(), prepared.args.data(), prepared.env.data());
    // As execvp(3): what may not be executed is remembered, what is not there is passed over.
    if (errno == EACCES) error = EACCES;
    else if (errno != ENOENT && errno != ENOTDIR) complain(pipe, Complaint::Step::exec, errno);
  }
  complain(pipe, Complaint::Step::exec, error);
}

Error explain(const Launch& plan, const Complaint& complaint) {
  switch (complaint.step) {
    case Complaint::Step::descriptors:
      return failed("dup2", plan.args.front(), complaint.number);
    case Complaint::Step::limits:
      return failed("setrlimit", "RLIMIT_NOFILE", complaint.number);
    case Complaint::Step::cwd:
      return failed("chdir", plan.cwd, complaint.number);
    case Complaint::Step::exec:
      break;
  }
  return failed("execve", plan.args.front(), complaint.number);
}

}  // namespace

Result<Child> launch(const Launch& plan) {
  Prepared prepared;
  prepare(plan, prepared);
  const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!null) return failed("open", "/dev/null");
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return failed("pipe2", plan.args.front());
  const UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  std::vector<int> sources = {null.get(), plan.log, plan.log};
  sources.insert(sources.end(), plan.fds.begin(), plan.fds.end());

  Child child{::fork(), 0};
  if (child.pid < 0) return failed("fork", plan.args.front());
  if (child.pid == 0) become(plan, prepared, sources.data(), static_cast<int>(sources.size()), writer.get());
  writer.reset();

  Complaint complaint;
  ssize_t size;
  do {
    size = ::read(reader.get(), &complaint, sizeof complaint);
  } while (size < 0 && errno == EINTR);
  if (size == sizeof complaint) {
    ::waitpid(child.pid, nullptr, 0);
    return explain(plan, complaint);
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
