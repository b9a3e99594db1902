#include "runtime_folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>

#include "address.h"

namespace devsock {

namespace {

/// Every program of a large start may come to claim its slot at once.
constexpr int kBacklog = 4096;

/// Nobody else may put anything into the folder, or put another folder in its place.
Failed check_folder(const std::string& path) {
  const UniqueFd folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!folder && (errno == ELOOP || errno == ENOTDIR)) {
    return Error{errno, "open", path + " is not a folder of its own (a symbolic link or a file is there)"};
  }
  if (!folder) return failed("open", path);
  struct stat info;
  if (::fstat(folder.get(), &info) != 0) return failed("fstat", path);
  if (info.st_uid != ::geteuid()) {
    return Error{EPERM, "open", path + " belongs to user " + std::to_string(info.st_uid) + ", not to you"};
  }
  if ((info.st_mode & 07777) != 0700) {
    return Error{EPERM, "open", path + " is open to others; chmod 700 it"};
  }
  return std::nullopt;
}

Result<UniqueFd> take_lock(const std::string& path, int inherited) {
  while (true) {
    UniqueFd lock(inherited >= 0 ? inherited
                                 : ::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!lock || ::fcntl(lock.get(), F_SETFD, FD_CLOEXEC) != 0) return failed("open", path);
    if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) return failed("flock", path);
    struct stat held;
    struct stat named;
    const bool named_still = ::fstat(lock.get(), &held) == 0 && ::lstat(path.c_str(), &named) == 0 &&
                             held.st_dev == named.st_dev && held.st_ino == named.st_ino;
    if (named_still) return lock;
    if (inherited >= 0) return Error{EINVAL, "lock", path + " is not the file that --lock-fd names"};
    // A holder that ended just now has unlinked it: what is locked here would keep nobody out.
  }
}

}  // namespace

Result<RuntimeFolder> RuntimeFolder::claim(const std::string& path, int lock) {
  if (auto error = check_folder(path)) return *error;
  auto taken = take_lock(path + "/lock", lock);
  if (!taken) return taken.error();
  return RuntimeFolder(path, std::move(*taken));
}

Result<UniqueFd> RuntimeFolder::listen() {
  if (::mkdir(notify_folder().c_str(), 0700) != 0 && errno != EEXIST) return failed("mkdir", notify_folder());
  // Renamed into its place when it listens: it is never found refusing.
  const std::string temporary = path_ + "/h~";
  if (socket_path().size() > kMaxUnixPath) {
    return Error{ENAMETOOLONG, "bind",
                 socket_path() + ": a socket's path has at most 107 bytes; set DEVSOCK_RUNTIME_DIR"};
  }
  const auto address = unix_address(temporary);
  ::unlink(temporary.c_str());
  UniqueFd listener(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!listener) return failed("socket", temporary);
  const mode_t before = ::umask(0177);
  const bool bound = ::bind(listener.get(), address->get(), address->size) == 0;
  ::umask(before);
  if (!bound) return failed("bind", temporary);
  if (::listen(listener.get(), kBacklog) != 0) return failed("listen", temporary);
  if (::rename(temporary.c_str(), socket_path().c_str()) != 0) return failed("rename", socket_path());
  return listener;
}

void RuntimeFolder::clean() {
  struct CloseDir {
    void operator()(DIR* dir) const { ::closedir(dir); }
  };
  const std::unique_ptr<DIR, CloseDir> folder(::opendir(notify_folder().c_str()));
  if (!folder) return;
  while (const dirent* entry = ::readdir(folder.get())) {
    if (entry->d_name[0] != '.') ::unlinkat(::dirfd(folder.get()), entry->d_name, 0);
  }
}

void RuntimeFolder::remove() {
  clean();
  ::rmdir(notify_folder().c_str());
  ::unlink(socket_path().c_str());
}

void RuntimeFolder::remove_lock() { ::unlink((path_ + "/lock").c_str()); }

}  // namespace devsock
