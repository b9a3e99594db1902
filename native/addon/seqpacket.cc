#include "seqpacket.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "../common/seqpacket.h"
#include "addon.h"
#include "address.h"
#include "descriptor.h"
#include "entry.h"
#include "errors.h"
#include "platform.h"

namespace devsock {

namespace {

// A sender that never pauses must not keep the event loop from everything else.
constexpr int kMessagesATurn = 64;

}  // namespace

Napi::Function Seqpacket::define(Napi::Env env) {
  return DefineClass(env, "Seqpacket",
                     {
                         getter_named<Seqpacket, &Seqpacket::peer>("peer"),
                         method_named<Seqpacket, &Seqpacket::send>("send"),
                         method_named<Seqpacket, &Seqpacket::start>("start"),
                         method_named<Seqpacket, &Seqpacket::unref>("unref"),
                         method_named<Seqpacket, &Seqpacket::close>("close"),
                     });
}

Napi::Object Seqpacket::make(Napi::Env env, UniqueFd fd) {
  Napi::Object object = Addon::of(env).seqpacket.New({});
  Seqpacket* self = Unwrap(object);
  self->fd_ = std::move(fd);
  const int status = self->poll_.open(env, self->fd_.get(), [self](int status, int events) {
    from_event_loop(self->Env(), [=] { self->on_event(status, events); });
  });
  if (status != 0) throw_system_error(env, -status, "uv_poll_init");
  return object;
}

Napi::Value Seqpacket::connect(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string path = info[0].As<Napi::String>();
  SocketAddress address;
  if (const int error = unix_address(path, address)) throw_system_error(env, error, "connect", path);
  UniqueFd fd = open_socket(AF_UNIX, SOCK_SEQPACKET);
  if (!fd) throw_system_error(env, errno, "socket", path);
  if (::connect(fd.get(), address.get(), address.size) != 0) throw_system_error(env, errno, "connect", path);
  return make(env, std::move(fd));
}

Napi::Value Seqpacket::pair(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  UniqueFd left;
  UniqueFd right;
  if (!open_socket_pair(SOCK_SEQPACKET, left, right)) throw_system_error(env, errno, "socketpair");
  Napi::Array ends = Napi::Array::New(env, 2);
  ends.Set(0u, make(env, std::move(left)));
  ends.Set(1u, make(env, std::move(right)));
  return ends;
}

Napi::Value Seqpacket::peer(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!fd_) throw_system_error(env, EBADF, "getsockopt", "closed Seqpacket");
  const PeerCredentials peer = peer_credentials(fd_.get());
  if (peer.error) throw_system_error(env, peer.error, "getsockopt");
  Napi::Object object = Napi::Object::New(env);
  object.Set("pid", static_cast<double>(peer.pid));
  object.Set("uid", static_cast<double>(peer.uid));
  object.Set("gid", static_cast<double>(peer.gid));
  return object;
}

/// send(data, descriptors). Throws where the message can never be sent. The other end being gone is no error
/// here: what it still said is read first, and then on_close tells.
void Seqpacket::send(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!fd_) throw_system_error(env, EBADF, "sendmsg", "closed Seqpacket");
  const auto data = info[0].As<Napi::Uint8Array>();
  std::vector<int> fds;
  if (!info[1].IsUndefined()) {
    const auto descriptors = info[1].As<Napi::Array>();
    for (uint32_t i = 0; i < descriptors.Length(); i++) {
      fds.push_back(Descriptor::number(descriptors.Get(i), "sendmsg"));
    }
  }

  int error = EAGAIN;  // behind what already waits
  if (outgoing_.empty()) error = send_message(fd_.get(), {data.Data(), data.ByteLength()}, fds);
  if (error == 0 || error == EPIPE || error == ECONNRESET) return;
  if (error != EAGAIN) throw_system_error(env, error, "sendmsg");

  Outgoing message{{data.Data(), data.Data() + data.ByteLength()}, {}};
  for (const int fd : fds) {
    // The caller may close its own as soon as this returns.
    UniqueFd copy = duplicate_fd(fd);
    if (!copy) throw_system_error(env, errno, "fcntl");
    message.fds.push_back(std::move(copy));
  }
  outgoing_.push_back(std::move(message));
  update_interest();
}

void Seqpacket::start(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!fd_) throw_system_error(env, EBADF, "poll", "closed Seqpacket");
  if (started_) throw Napi::Error::New(env, "this Seqpacket has been started before");
  on_message_ = Napi::Persistent(info[0].As<Napi::Function>());
  on_close_ = Napi::Persistent(info[1].As<Napi::Function>());
  started_ = true;
  Ref();  // nobody need keep what the event loop calls
  update_interest();
}

void Seqpacket::unref(const Napi::CallbackInfo&) { poll_.unref(); }

void Seqpacket::close(const Napi::CallbackInfo&) { release(); }

void Seqpacket::on_event(int status, int events) {
  // Kept through whatever the callbacks below do with it.
  [[maybe_unused]] const Napi::Object self = Value();
  if (status == 0 && (events & UV_WRITABLE)) flush();
  if (!fd_) return;
  if (started_ && (status != 0 || (events & UV_READABLE))) {
    receive(status != 0);
  } else if (status != 0) {
    release();
  }
}

/// `broken`: the poll has failed and will not come again. It says no more than that there is an error;
/// reading finds out which, after the last messages.
void Seqpacket::receive(bool broken) {
  const Napi::Env env = Env();
  std::vector<uint8_t> buffer(kMaxMessage);
  int failure = 0;
  for (int turn = 0; fd_ && (broken || failure || turn < kMessagesATurn); turn++) {
    const Napi::HandleScope scope(env);
    std::vector<UniqueFd> fds;
    const ReceiveResult got = receive_message(fd_.get(), buffer, fds);
    if (got.error == EAGAIN && !broken && !failure) return;
    if (got.error == ECONNRESET && !failure) {
      // The kernel says so once, and then hands out what had arrived before.
      failure = got.error;
      continue;
    }
    if (got.error == EAGAIN || (got.error == 0 && got.size == 0)) return finish(failure, "recvmsg");
    if (got.error) return finish(got.error, "recvmsg");
    if (got.truncated) return finish(EMSGSIZE, "recvmsg");

    Napi::Array descriptors = Napi::Array::New(env, fds.size());
    for (uint32_t i = 0; i < fds.size(); i++) {
      descriptors.Set(i, Descriptor::make(env, std::move(fds[i])));
    }
    const auto data = Napi::Buffer<uint8_t>::Copy(env, buffer.data(), got.size);
    call_back(on_message_, Value(), {data, descriptors});
  }
}

void Seqpacket::flush() {
  while (!outgoing_.empty()) {
    const Outgoing& next = outgoing_.front();
    std::vector<int> fds;
    for (const UniqueFd& fd : next.fds) fds.push_back(fd.get());
    const int error = send_message(fd_.get(), next.data, fds);
    if (error == EAGAIN) return;
    outgoing_.pop_front();
    if (error == EPIPE || error == ECONNRESET) {
      outgoing_.clear();
    } else if (error) {
      return finish(error, "sendmsg");
    }
  }
  update_interest();
}

void Seqpacket::update_interest() {
  poll_.want((started_ ? UV_READABLE : 0) | (outgoing_.empty() ? 0 : UV_WRITABLE));
}

void Seqpacket::finish(int error, const char* syscall) {
  const Napi::Env env = Env();
  const Napi::Object self = Value();
  const Napi::FunctionReference on_close = std::move(on_close_);
  release();
  if (on_close.IsEmpty()) return;
  call_back(on_close, self, {error ? system_error(env, error, syscall).Value() : env.Null()});
}

void Seqpacket::release() {
  if (!fd_) return;
  poll_.close();
  fd_.reset();
  outgoing_.clear();
  on_message_.Reset();
  on_close_.Reset();
  if (started_) Unref();
}

}  // namespace devsock
