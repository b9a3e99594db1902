#include "peer.h"

#include <sys/epoll.h>

#include <span>
#include <utility>

#include "../common/seqpacket.h"

namespace devsock {

namespace {

using namespace std::chrono_literals;

// One that never pauses must not keep the loop from the others.
constexpr int kRequestsATurn = 64;
constexpr auto kSendAgain = 10ms;

}  // namespace

Peer::Peer(Loop& loop, UniqueFd socket, ucred who, Events events)
    : loop_(loop),
      socket_(std::move(socket)),
      who_(who),
      events_(std::move(events)),
      again_(loop, [this] { flush(); }) {}

bool Peer::open() {
  return watch_.open(loop_, socket_.get(), EPOLLIN, [this](uint32_t events) { on_event(events); });
}

void Peer::on_event(uint32_t events) {
  if ((events & EPOLLOUT) != 0) flush();
  // Gone, with replies that it will never read: what it still asked for does not matter to it either.
  if ((events & EPOLLHUP) != 0 && blocked()) return close();
  // Otherwise also on EPOLLHUP: reading finds the end, after the last requests.
  if ((events & ~EPOLLOUT) != 0) receive();
}

void Peer::receive() {
  std::vector<uint8_t> buffer(kMaxMessage);
  for (int turn = 0; turn < kRequestsATurn && socket_ && !blocked(); turn++) {
    std::vector<UniqueFd> fds;
    const ReceiveResult got = receive_message(socket_.get(), buffer, fds);
    if (got.error == EAGAIN) return;
    if (got.error != 0 || got.size == 0) return close();
    Request request = parse_request({reinterpret_cast<const char*>(buffer.data()), got.size});
    if (got.truncated) request.problem = "longer than 64 KiB";
    if (got.fds_lost) {
      const bool too_many = fds.size() == kMaxDescriptors;
      request.problem = too_many ? "more than 64 descriptors" : "too many files open: not every descriptor arrived";
      request.problem_number = too_many ? EINVAL : EMFILE;
    }
    events_.request(*this, request, std::move(fds));
  }
}

int Peer::send_now(const std::string& bytes, const std::vector<int>& fds) {
  return send_message(socket_.get(), {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}, fds);
}

void Peer::send(const std::vector<std::string>& fields, const std::vector<int>& fds) {
  if (!socket_) return;
  Message message{join_fields(fields), {}};
  int error = EAGAIN;
  if (queue_.empty()) error = send_now(message.bytes, fds);
  if (error == 0) return;
  if ((error != EAGAIN && error != ETOOMANYREFS) || queue_.size() == kMaxQueue) return close();
  for (const int fd : fds) {
    UniqueFd copy(::fcntl(fd, F_DUPFD_CLOEXEC, 3));
    if (!copy) return close();
    message.fds.push_back(std::move(copy));
  }
  queue_.push_back(std::move(message));
  if (error == ETOOMANYREFS) again_.start(kSendAgain);
  update_interest();
}

void Peer::stream(std::function<bool()> next) {
  stream_ = std::move(next);
  flush();
}

void Peer::hold() {
  held_ = true;
  update_interest();
}

void Peer::resume() {
  held_ = false;
  update_interest();
}

void Peer::flush() {
  while (socket_ && !queue_.empty()) {
    std::vector<int> fds;
    for (const UniqueFd& fd : queue_.front().fds) fds.push_back(fd.get());
    const int error = send_now(queue_.front().bytes, fds);
    if (error == ETOOMANYREFS) again_.start(kSendAgain);
    if (error == EAGAIN || error == ETOOMANYREFS) return update_interest();
    if (error != 0) return close();
    queue_.pop_front();
  }
  while (socket_ && queue_.empty() && stream_) {
    if (!stream_()) stream_ = nullptr;
  }
  update_interest();
}

void Peer::update_interest() {
  const bool writing = !queue_.empty() && !again_.running();
  watch_.want((blocked() ? 0u : EPOLLIN) | (writing ? EPOLLOUT : 0u));
}

void Peer::close() {
  if (!socket_) return;
  again_.cancel();
  watch_.close();
  socket_.reset();
  queue_.clear();
  events_.closed(*this);
}

}  // namespace devsock
