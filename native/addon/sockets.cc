#include "sockets.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include "address.h"
#include "descriptor.h"
#include "errors.h"
#include "platform.h"

namespace devsock {

namespace {

int socket_option(Napi::Env env, int fd, int option) {
  int value = 0;
  socklen_t size = sizeof value;
  if (::getsockopt(fd, SOL_SOCKET, option, &value, &size) != 0) throw_system_error(env, errno, "getsockopt");
  return value;
}

const char* family_name(int family) {
  switch (family) {
    case AF_INET:
      return "inet";
    case AF_INET6:
      return "inet6";
    case AF_UNIX:
      return "unix";
    default:
      return nullptr;
  }
}

const char* type_name(int type) {
  switch (type) {
    case SOCK_STREAM:
      return "stream";
    case SOCK_DGRAM:
      return "dgram";
    case SOCK_SEQPACKET:
      return "seqpacket";
    default:
      return nullptr;
  }
}

/// Names of linux/tcp_states.h by number, as in `ss`.
const char* state_name(uint8_t state) {
  static constexpr std::array<const char*, 13> names = {
      nullptr,     "established", "syn-sent",   "syn-recv", "fin-wait-1", "fin-wait-2", "time-wait",
      "close",     "close-wait",  "last-ack",   "listen",   "closing",    "syn-recv",  // a request socket
  };
  return state < names.size() && names[state] ? names[state] : "close";
}

/// A non-blocking connect() begun and not waited for.
UniqueFd begin_connect(Napi::Env env, UniqueFd fd, const SocketAddress& address, const std::string& name) {
  const int flags = ::fcntl(fd.get(), F_GETFL);
  if (flags < 0 || ::fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK) != 0) throw_system_error(env, errno, "fcntl");
  if (::connect(fd.get(), address.get(), address.size) != 0 && errno != EINPROGRESS) {
    throw_system_error(env, errno, "connect", name);
  }
  return fd;
}

/// Puts the slot into the DSCP of all that this socket sends, its SYN first: 4·slot+3, which the steering
/// program reads (ARCHITECTURE.md, "Steering"). A mapped address travels as IPv4, so an AF_INET6 socket
/// carries it in both bytes.
bool mark_slot(int fd, int family, int slot) {
  const int byte = (4 * slot + 3) << 2;
  if (::setsockopt(fd, IPPROTO_IP, IP_TOS, &byte, sizeof byte) != 0) return false;
  return family == AF_INET || ::setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &byte, sizeof byte) == 0;
}

Napi::Value or_null(Napi::Env env, bool known, uint32_t value) {
  if (!known) return env.Null();
  return Napi::Number::New(env, value);
}

}  // namespace

/// socketInfo(descriptor | number)
Napi::Value socket_info(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const int fd = Descriptor::number_or_plain(info[0], "getsockname");
  SocketAddress address;
  if (::getsockname(fd, address.get(), &address.size) != 0) throw_system_error(env, errno, "getsockname");
  const char* family = family_name(address.storage.ss_family);
  const char* type = type_name(socket_option(env, fd, SO_TYPE));
  if (!family || !type) throw_system_error(env, EAFNOSUPPORT, "getsockname");

  Napi::Object object = Napi::Object::New(env);
  object.Set("family", family);
  object.Set("type", type);
  object.Set("listening", Napi::Boolean::New(env, socket_option(env, fd, SO_ACCEPTCONN) != 0));
  object.Set("address", host_of(address));
  const int port = port_of(address);
  object.Set("port", port < 0 ? env.Null() : Napi::Value(Napi::Number::New(env, port)));
  return object;
}

/// queueDepth(descriptor)
Napi::Value queue_depth_of(const Napi::CallbackInfo& info) {
  const int depth = queue_depth(Descriptor::number(info[0], "getsockopt"));
  if (depth < 0) throw_system_error(info.Env(), errno, "getsockopt");
  return Napi::Number::New(info.Env(), depth);
}

/// accept(descriptor) → number | null
Napi::Value accept_connection(const Napi::CallbackInfo& info) {
  const int listener = Descriptor::number(info[0], "accept4");
  for (;;) {
    // Slots are blocking, as a program that inherits one expects, and the flag for that is of the description
    // they share: accept4() itself cannot be told not to wait.
    pollfd wait{listener, POLLIN, 0};
    if (::poll(&wait, 1, 0) == 0) return info.Env().Null();
    UniqueFd connection = accept_nonblocking(listener);
    if (connection) return Napi::Number::New(info.Env(), connection.release());
    if (errno == EAGAIN || errno == EWOULDBLOCK) return info.Env().Null();
    // The client hung up while it waited: the next one, please (accept(2)).
    if (errno == EINTR || errno == ECONNABORTED) continue;
    throw_system_error(info.Env(), errno, "accept4");
  }
}

/// probeIp(host, port, slot)
Napi::Value probe_ip(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string host = info[0].As<Napi::String>();
  const int port = info[1].As<Napi::Number>();
  const int slot = info[2].As<Napi::Number>();
  const std::string name = host + ":" + std::to_string(port);
  SocketAddress address;
  if (const int error = ip_address(host, static_cast<uint16_t>(port), address)) {
    throw_system_error(env, error, "connect", name);
  }
  UniqueFd fd = open_socket(address.storage.ss_family, SOCK_STREAM);
  if (!fd) throw_system_error(env, errno, "socket", name);
  if (!mark_slot(fd.get(), address.storage.ss_family, slot)) throw_system_error(env, errno, "setsockopt", name);
  return Descriptor::make(env, begin_connect(env, std::move(fd), address, name));
}

/// probeUnix(path)
Napi::Value probe_unix(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string path = info[0].As<Napi::String>();
  SocketAddress address;
  if (const int error = unix_address(path, address)) throw_system_error(env, error, "connect", path);
  UniqueFd fd = open_socket(AF_UNIX, SOCK_STREAM);
  if (!fd) throw_system_error(env, errno, "socket", path);
  return Descriptor::make(env, begin_connect(env, std::move(fd), address, path));
}

/// finishWriting(descriptor)
void finish_writing(const Napi::CallbackInfo& info) {
  if (::shutdown(Descriptor::number(info[0], "shutdown"), SHUT_WR) != 0) {
    throw_system_error(info.Env(), errno, "shutdown");
  }
}

/// connections(states, local_port)
Napi::Value connections(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const uint32_t states = info[0].As<Napi::Number>();
  const uint32_t local_port = info[1].As<Napi::Number>();
  std::vector<ConnectionRow> rows;
  if (const int error = list_connections(states, static_cast<uint16_t>(local_port), rows)) {
    throw_system_error(env, error, "sock_diag");
  }

  Napi::Array array = Napi::Array::New(env, rows.size());
  for (uint32_t i = 0; i < rows.size(); i++) {
    const Napi::HandleScope scope(env);
    const ConnectionRow& row = rows[i];
    Napi::Object object = Napi::Object::New(env);
    object.Set("inode", row.inode);
    object.Set("state", state_name(row.state));
    object.Set("uid", row.uid);
    object.Set("localAddress", host_of(row.local));
    object.Set("localPort", port_of(row.local));
    object.Set("remoteAddress", host_of(row.remote));
    object.Set("remotePort", port_of(row.remote));
    object.Set("receiveQueue", row.receive_queue);
    object.Set("sendQueue", row.send_queue);
    object.Set("lastSentMs", or_null(env, row.has_info, row.last_sent_ms));
    object.Set("segmentsSent", or_null(env, row.has_info, row.segments_sent));
    object.Set("segmentsReceived", or_null(env, row.has_info, row.segments_received));
    object.Set("lastReceivedMs", or_null(env, row.has_info, row.last_received_ms));
    array.Set(i, object);
  }
  return array;
}

/// bindDatagram(path): a socket that receives at a path, in place of what was there.
Napi::Value bind_datagram(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string path = info[0].As<Napi::String>();
  SocketAddress address;
  if (const int error = unix_address(path, address)) throw_system_error(env, error, "bind", path);
  UniqueFd fd = open_socket(AF_UNIX, SOCK_DGRAM);
  if (!fd) throw_system_error(env, errno, "socket", path);
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) throw_system_error(env, errno, "unlink", path);
  if (::bind(fd.get(), address.get(), address.size) != 0) throw_system_error(env, errno, "bind", path);
  return Descriptor::make(env, std::move(fd));
}

/// sendDatagram(path, data): one AF_UNIX datagram, without waiting.
void send_datagram(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string path = info[0].As<Napi::String>();
  const auto data = info[1].As<Napi::Uint8Array>();
  SocketAddress address;
  if (const int error = unix_address(path, address)) throw_system_error(env, error, "sendto", path);
  const UniqueFd fd = open_socket(AF_UNIX, SOCK_DGRAM);
  if (!fd) throw_system_error(env, errno, "socket", path);
  while (::sendto(fd.get(), data.Data(), data.ByteLength(), MSG_DONTWAIT | MSG_NOSIGNAL, address.get(),
                  address.size) < 0) {
    if (errno != EINTR) throw_system_error(env, errno, "sendto", path);
  }
}

}  // namespace devsock
