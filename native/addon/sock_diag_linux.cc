#include "sock_diag.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "platform.h"

namespace devsock {

namespace {

/// Sends one request of that type and hands every answer's payload to `each` until the end of the dump (or, of a
/// request for one socket, the one answer). 0 or an errno.
template <typename Request, typename Each>
int sock_diag(uint16_t type, const Request& request, uint16_t flags, Each each) {
  UniqueFd netlink(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  if (!netlink) return errno;

  struct {
    nlmsghdr header;
    Request request;
  } message{};
  message.header.nlmsg_len = sizeof message;
  message.header.nlmsg_type = type;
  message.header.nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | flags);
  message.request = request;
  if (::send(netlink.get(), &message, sizeof message, 0) < 0) return errno;

  // 32 KiB is what the kernel fills in one go where the reader offers it (netlink_dump()).
  alignas(nlmsghdr) char buffer[32 * 1024];
  for (;;) {
    const ssize_t size = ::recv(netlink.get(), buffer, sizeof buffer, 0);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return errno;
    auto left = static_cast<uint32_t>(size);
    for (auto* header = reinterpret_cast<nlmsghdr*>(buffer); NLMSG_OK(header, left);
         header = NLMSG_NEXT(header, left)) {
      if (header->nlmsg_type == NLMSG_DONE) return 0;
      if (header->nlmsg_type == NLMSG_ERROR) return -static_cast<nlmsgerr*>(NLMSG_DATA(header))->error;
      each(NLMSG_DATA(header), NLMSG_PAYLOAD(header, 0));
      if (!(flags & NLM_F_DUMP)) return 0;
    }
  }
}

/// Calls `each(type, data, size)` for the attributes behind a `Message`.
template <typename Message, typename Each>
void attributes(const void* payload, size_t size, Each each) {
  if (size < NLMSG_ALIGN(sizeof(Message))) return;
  auto left = static_cast<unsigned>(size - NLMSG_ALIGN(sizeof(Message)));
  const char* start = static_cast<const char*>(payload) + NLMSG_ALIGN(sizeof(Message));
  for (auto* attribute = reinterpret_cast<const rtattr*>(start); RTA_OK(attribute, left);
       attribute = RTA_NEXT(attribute, left)) {
    each(attribute->rta_type, RTA_DATA(attribute), RTA_PAYLOAD(attribute));
  }
}

SocketAddress address_of(uint8_t family, const __be32 (&words)[4], __be16 port) {
  SocketAddress address;
  if (family == AF_INET) {
    auto& in = reinterpret_cast<sockaddr_in&>(address.storage);
    in.sin_family = AF_INET;
    in.sin_port = port;
    std::memcpy(&in.sin_addr, words, sizeof in.sin_addr);
    address.size = sizeof in;
  } else {
    auto& in6 = reinterpret_cast<sockaddr_in6&>(address.storage);
    in6.sin6_family = AF_INET6;
    in6.sin6_port = port;
    std::memcpy(&in6.sin6_addr, words, sizeof in6.sin6_addr);
    address.size = sizeof in6;
  }
  return address;
}

}  // namespace

int unix_queue_depth(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return -1;

  unix_diag_req request{};
  request.sdiag_family = AF_UNIX;
  request.udiag_states = ~0u;
  request.udiag_ino = static_cast<uint32_t>(status.st_ino);
  request.udiag_cookie[0] = request.udiag_cookie[1] = ~0u;  // any
  request.udiag_show = UDIAG_SHOW_RQLEN;

  int depth = -1;
  const int error = sock_diag(SOCK_DIAG_BY_FAMILY, request, 0, [&](const void* payload, size_t size) {
    if (static_cast<const unix_diag_msg*>(payload)->udiag_state != TCP_LISTEN) return;
    attributes<unix_diag_msg>(payload, size, [&](int type, const void* data, size_t length) {
      if (type != UNIX_DIAG_RQLEN || length < sizeof(unix_diag_rqlen)) return;
      depth = static_cast<int>(static_cast<const unix_diag_rqlen*>(data)->udiag_rqueue);
    });
  });
  if (error || depth < 0) errno = error ? error : EINVAL;
  return error ? -1 : depth;
}

// Of struct tcp_info what glibc's header stops short of (include/uapi/linux/tcp.h, since Linux 4.6); that header
// and netinet/tcp.h cannot both be included.
struct DataSegments {
  uint32_t in;
  uint32_t out;
};
struct LaterInfo {
  tcp_info known;
  uint64_t pacing_rate, max_pacing_rate, bytes_acked, bytes_received;
  uint32_t segments_out, segments_in, not_sent_bytes, least_rtt;
  DataSegments segments;
};
static_assert(offsetof(LaterInfo, segments) == 152, "struct tcp_info is another");

/// Both families by one walk over the kernel's table, which is most of what this takes (262,144 buckets: 0.9 ms a
/// walk): only the older request can ask for that (inet_diag_dump_compat()).
int list_connections(uint32_t states, uint16_t local_port, std::vector<ConnectionRow>& rows) {
  inet_diag_req request{};
  request.idiag_ext = 1 << (INET_DIAG_INFO - 1);
  request.idiag_states = states;
  request.id.idiag_sport = htons(local_port);

  return sock_diag(TCPDIAG_GETSOCK, request, NLM_F_DUMP, [&](const void* payload, size_t size) {
    if (size < sizeof(inet_diag_msg)) return;
    const auto& message = *static_cast<const inet_diag_msg*>(payload);
    ConnectionRow row{};
    row.local = address_of(message.idiag_family, message.id.idiag_src, message.id.idiag_sport);
    row.remote = address_of(message.idiag_family, message.id.idiag_dst, message.id.idiag_dport);
    row.inode = message.idiag_inode;
    row.uid = message.idiag_uid;
    row.state = message.idiag_state;
    row.receive_queue = message.idiag_rqueue;
    row.send_queue = message.idiag_wqueue;
    attributes<inet_diag_msg>(payload, size, [&](int type, const void* data, size_t length) {
      // A listener has no last data.
      if (type != INET_DIAG_INFO || row.state == TCP_LISTEN) return;
      tcp_info info{};  // older kernels send a shorter one, newer ones a longer one
      std::memcpy(&info, data, std::min(length, sizeof info));
      row.has_info = true;
      row.last_sent_ms = info.tcpi_last_data_sent;
      row.last_received_ms = info.tcpi_last_data_recv;
      DataSegments segments{};
      if (length < offsetof(LaterInfo, segments) + sizeof segments) return;
      std::memcpy(&segments, static_cast<const char*>(data) + offsetof(LaterInfo, segments), sizeof segments);
      row.segments_received = segments.in;
      row.segments_sent = segments.out;
    });
    rows.push_back(row);
  });
}

}  // namespace devsock
