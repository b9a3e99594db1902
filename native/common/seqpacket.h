#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "unique_fd.h"

namespace devsock {

/// Longest message of the holder's protocol, in bytes.
inline constexpr size_t kMaxMessage = 64 * 1024;
/// Most descriptors that go with one message (the kernel's own limit, SCM_MAX_FD, is 253).
inline constexpr size_t kMaxDescriptors = 64;

/// Sends one message on a SOCK_SEQPACKET or SOCK_DGRAM socket with its descriptors (unix(7)), whole or not at
/// all; never waits. Returns 0 or an errno: EAGAIN when it does not fit now, ETOOMANYREFS when too many
/// descriptors of this user are in flight.
inline int send_message(int socket, std::span<const uint8_t> bytes, std::span<const int> fds) noexcept {
  if (fds.size() > kMaxDescriptors) return EINVAL;
  iovec part{const_cast<uint8_t*>(bytes.data()), bytes.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMaxDescriptors)] = {};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  if (!fds.empty()) {
    header.msg_control = control;
    header.msg_controllen = CMSG_SPACE(fds.size_bytes());
    cmsghdr* rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(fds.size_bytes());
    std::memcpy(CMSG_DATA(rights), fds.data(), fds.size_bytes());
  }
  while (::sendmsg(socket, &header, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
    if (errno != EINTR) return errno;
  }
  return 0;
}

struct ReceiveResult {
  /// 0, or an errno: EAGAIN when nothing waits.
  int error = 0;
  /// Bytes in the caller's buffer. 0 without an error: the other end has closed (or sent nothing at all).
  size_t size = 0;
  /// The message was longer than the buffer; its tail is lost.
  bool truncated = false;
  /// Some descriptors did not arrive: more than kMaxDescriptors, or no number free (EMFILE).
  bool fds_lost = false;
#ifdef SCM_CREDENTIALS
  /// Where SO_PASSCRED is set; pid 0 otherwise, and for a process that this pid namespace cannot see.
  ucred sender{};
  bool has_sender = false;
#endif
};

/// Receives one message of a SOCK_SEQPACKET or SOCK_DGRAM socket; never waits. Its descriptors, close-on-exec,
/// are appended to `fds`.
inline ReceiveResult receive_message(int socket, std::span<uint8_t> buffer, std::vector<UniqueFd>& fds) {
  ReceiveResult result;
  iovec part{buffer.data(), buffer.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMaxDescriptors) + CMSG_SPACE(32)];
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof control;
#ifdef MSG_CMSG_CLOEXEC
  constexpr int flags = MSG_DONTWAIT | MSG_CMSG_CLOEXEC;
#else
  constexpr int flags = MSG_DONTWAIT;
#endif
  ssize_t size;
  do {
    size = ::recvmsg(socket, &header, flags);
  } while (size < 0 && errno == EINTR);
  if (size < 0) {
    result.error = errno;
    return result;
  }
  result.size = static_cast<size_t>(size);
  result.truncated = (header.msg_flags & MSG_TRUNC) != 0;
  result.fds_lost = (header.msg_flags & MSG_CTRUNC) != 0;
  for (cmsghdr* item = CMSG_FIRSTHDR(&header); item != nullptr; item = CMSG_NXTHDR(&header, item)) {
    if (item->cmsg_level != SOL_SOCKET) continue;
    if (item->cmsg_type == SCM_RIGHTS) {
      const size_t count = (item->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      for (size_t i = 0; i < count; i++) {
        int fd;
        std::memcpy(&fd, CMSG_DATA(item) + i * sizeof fd, sizeof fd);
#ifndef MSG_CMSG_CLOEXEC
        ::fcntl(fd, F_SETFD, FD_CLOEXEC);
#endif
        fds.emplace_back(fd);
      }
    }
#ifdef SCM_CREDENTIALS
    if (item->cmsg_type == SCM_CREDENTIALS) {
      std::memcpy(&result.sender, CMSG_DATA(item), sizeof result.sender);
      result.has_sender = true;
    }
#endif
  }
  return result;
}

}  // namespace devsock
