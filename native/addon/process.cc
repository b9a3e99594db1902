#include "process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>

#include <cerrno>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "descriptor.h"
#include "errors.h"
#include "platform.h"

namespace devsock {

namespace {

void set_flag(Napi::Env env, int fd, int read, int write, int flag, bool on) {
  const int flags = ::fcntl(fd, read);
  if (flags < 0) throw_system_error(env, errno, "fcntl");
  const int wanted = on ? flags | flag : flags & ~flag;
  if (wanted != flags && ::fcntl(fd, write, wanted) != 0) throw_system_error(env, errno, "fcntl");
}

rlimit file_limit(Napi::Env env) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) throw_system_error(env, errno, "getrlimit");
  return limit;
}

/// RLIM_INFINITY and its like become the largest whole number of JavaScript, which JSON can carry.
double whole_number(rlim_t value) {
  constexpr double largest = 9007199254740991.0;
  return std::fmin(static_cast<double>(value), largest);
}

template <class Number>
std::vector<Number> numbers_of(const Napi::Value& value) {
  const auto array = value.As<Napi::Array>();
  std::vector<Number> numbers;
  for (uint32_t i = 0; i < array.Length(); i++) numbers.push_back(array.Get(i).As<Napi::Number>());
  return numbers;
}

}  // namespace

/// memoryFile(name, content)
Napi::Value memory_file_of(const Napi::CallbackInfo& info) {
  const std::string name = info[0].As<Napi::String>();
  const auto content = info[1].As<Napi::Uint8Array>();
  UniqueFd fd = memory_file(name, content.Data(), content.ByteLength());
  if (!fd) throw_system_error(info.Env(), errno, "memfd_create", name);
  return Descriptor::make(info.Env(), std::move(fd));
}

/// duplicate(number)
Napi::Value duplicate_number(const Napi::CallbackInfo& info) {
  UniqueFd copy = duplicate_fd(info[0].As<Napi::Number>());
  if (!copy) throw_system_error(info.Env(), errno, "fcntl");
  return Descriptor::make(info.Env(), std::move(copy));
}

/// setCloseOnExec(number, on)
void set_close_on_exec(const Napi::CallbackInfo& info) {
  set_flag(info.Env(), info[0].As<Napi::Number>(), F_GETFD, F_SETFD, FD_CLOEXEC, info[1].As<Napi::Boolean>());
}

/// setNonblocking(descriptor, on)
void set_nonblocking(const Napi::CallbackInfo& info) {
  const int fd = Descriptor::number(info[0], "fcntl");
  set_flag(info.Env(), fd, F_GETFL, F_SETFL, O_NONBLOCK, info[1].As<Napi::Boolean>());
}

/// pidfdOpen(pid)
Napi::Value pidfd_open_of(const Napi::CallbackInfo& info) {
  const int pid = info[0].As<Napi::Number>();
  UniqueFd fd = pidfd_open(pid);
  if (!fd) throw_system_error(info.Env(), errno, "pidfd_open", "pid " + std::to_string(pid));
  return Descriptor::make(info.Env(), std::move(fd));
}

/// pidfdSignal(descriptor, number)
void pidfd_signal_to(const Napi::CallbackInfo& info) {
  const int fd = Descriptor::number(info[0], "pidfd_send_signal");
  if (!pidfd_signal(fd, info[1].As<Napi::Number>())) throw_system_error(info.Env(), errno, "pidfd_send_signal");
}

/// pidfdExited(descriptor) → boolean. Readable means ended, reaped or not (pidfd_open(2)).
Napi::Value pidfd_exited(const Napi::CallbackInfo& info) {
  pollfd wait{Descriptor::number(info[0], "poll"), POLLIN, 0};
  int ready;
  do {
    ready = ::poll(&wait, 1, 0);
  } while (ready < 0 && errno == EINTR);
  if (ready < 0) throw_system_error(info.Env(), errno, "poll");
  return Napi::Boolean::New(info.Env(), ready > 0);
}

/// socketOwners(inodes, groups) → { inode, pid, group }[]
Napi::Value socket_owners_of(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  std::vector<SocketOwner> owners;
  if (const int error = socket_owners(numbers_of<uint32_t>(info[0]), numbers_of<pid_t>(info[1]), owners)) {
    throw_system_error(env, error, "open", "/proc");
  }
  Napi::Array array = Napi::Array::New(env, owners.size());
  for (uint32_t i = 0; i < owners.size(); i++) {
    Napi::Object object = Napi::Object::New(env);
    object.Set("inode", owners[i].inode);
    object.Set("pid", owners[i].pid);
    object.Set("group", owners[i].group);
    array.Set(i, object);
  }
  return array;
}

/// tripwire(paths) → descriptor. Files that are not there, or may not be read, are left out.
Napi::Value tripwire_over(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  UniqueFd fd = file_events_open();
  if (!fd) throw_system_error(env, errno, "inotify_init1");
  const Napi::Array paths = info[0].As<Napi::Array>();
  for (uint32_t i = 0; i < paths.Length(); i++) {
    const std::string path = paths.Get(i).As<Napi::String>();
    if (tripwire_add(fd.get(), path) >= 0 || errno == ENOENT || errno == EACCES) continue;
    throw_system_error(env, errno, "inotify_add_watch", path);
  }
  return Descriptor::make(env, std::move(fd));
}

/// punchHole(number, offset, length)
void punch_hole_in(const Napi::CallbackInfo& info) {
  const int fd = info[0].As<Napi::Number>();
  const int64_t offset = info[1].As<Napi::Number>();
  const int64_t length = info[2].As<Napi::Number>();
  if (!punch_hole(fd, offset, length)) throw_system_error(info.Env(), errno, "fallocate");
}

/// limits() → { nofile: [soft, hard] }
Napi::Value limits(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const rlimit limit = file_limit(env);
  Napi::Array nofile = Napi::Array::New(env, 2);
  nofile.Set(0u, whole_number(limit.rlim_cur));
  nofile.Set(1u, whole_number(limit.rlim_max));
  Napi::Object object = Napi::Object::New(env);
  object.Set("nofile", nofile);
  return object;
}

/// raiseFileLimit(): soft = hard
void raise_file_limit(const Napi::CallbackInfo& info) {
  rlimit limit = file_limit(info.Env());
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) throw_system_error(info.Env(), errno, "setrlimit");
}

}  // namespace devsock
