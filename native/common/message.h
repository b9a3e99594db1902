#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "unique_fd.h"

namespace devsock {

/** Longest message of the holder's protocol, in bytes. */
inline constexpr size_t maxMessage = 64 * 1024;
/** Most descriptors that go with one message (the kernel's own limit, SCM_MAX_FD, is 253). */
inline constexpr size_t maxDescriptors = 64;

/**
 * Sends one message of a SOCK_SEQPACKET or SOCK_DGRAM socket with its descriptors (unix(7)), whole or not
 * at all; never waits. Returns 0 or an errno: EAGAIN when it does not fit now, ETOOMANYREFS when too many
 * descriptors of this user are in flight.
 */
inline int sendMessage(int socket, std::string_view bytes, std::span<const int> descriptors) noexcept {
  if (descriptors.size() > maxDescriptors) return EINVAL;
  iovec part{const_cast<char*>(bytes.data()), bytes.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * maxDescriptors)] = {};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  if (!descriptors.empty()) {
    header.msg_control = control;
    header.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
    cmsghdr* rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(descriptors.size_bytes());
    std::memcpy(CMSG_DATA(rights), descriptors.data(), descriptors.size_bytes());
  }
  while (::sendmsg(socket, &header, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
    if (errno != EINTR) return errno == EWOULDBLOCK ? EAGAIN : errno;
  }
  return 0;
}

/** One received message. The descriptors are owned and close-on-exec. */
struct Received {
  /** 0, or an errno: EAGAIN when nothing waits. */
  int error = 0;
  /** Bytes in the caller's buffer. 0 without an error: the other end has closed (or sent nothing at all). */
  size_t size = 0;
  /** The message was longer than the buffer; its tail is lost. */
  bool truncated = false;
  /** Some descriptors did not arrive: more than maxDescriptors, or no number free (EMFILE). */
  bool descriptorsLost = false;
  std::vector<UniqueFd> descriptors;
  /** SCM_CREDENTIALS, where SO_PASSCRED is set. */
  std::optional<ucred> sender;
};

/** Receives one message of a SOCK_SEQPACKET or SOCK_DGRAM socket; never waits. */
inline Received receiveMessage(int socket, std::span<char> buffer) {
  Received received;
  iovec part{buffer.data(), buffer.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * maxDescriptors) + CMSG_SPACE(sizeof(ucred))];
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof control;
  ssize_t size;
  do {
    size = ::recvmsg(socket, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  } while (size < 0 && errno == EINTR);
  if (size < 0) {
    received.error = errno == EWOULDBLOCK ? EAGAIN : errno;
    return received;
  }
  received.size = static_cast<size_t>(size);
  received.truncated = (header.msg_flags & MSG_TRUNC) != 0;
  received.descriptorsLost = (header.msg_flags & MSG_CTRUNC) != 0;
  for (cmsghdr* item = CMSG_FIRSTHDR(&header); item != nullptr; item = CMSG_NXTHDR(&header, item)) {
    if (item->cmsg_level != SOL_SOCKET) continue;
    if (item->cmsg_type == SCM_RIGHTS) {
      const size_t count = (item->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      for (size_t i = 0; i < count; i++) {
        int fd;
        std::memcpy(&fd, CMSG_DATA(item) + i * sizeof fd, sizeof fd);
        received.descriptors.emplace_back(fd);
      }
    } else if (item->cmsg_type == SCM_CREDENTIALS) {
      ucred sender;
      std::memcpy(&sender, CMSG_DATA(item), sizeof sender);
      received.sender = sender;
    }
  }
  return received;
}

}  // namespace devsock
