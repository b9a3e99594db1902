#pragma once

#include <cstddef>
#include <functional>
#include <list>
#include <map>
#include <string>
#include <vector>

#include "../common/unique_fd.h"
#include "loop.h"

namespace devsock {

/// Connections between two generations, by the name of their socket: one has let go of them, the next has not taken
/// them yet. Nothing is read from them; one that its client closes is closed.
class Parked {
 public:
  /// Called with the name when a connection has something to read.
  using Asked = std::function<void(const std::string& name)>;

  Parked(Loop& loop, Asked asked) : loop_(loop), asked_(std::move(asked)) {}

  /// Beyond a thousand of one socket the one that has waited longest is closed.
  void add(const std::string& name, UniqueFd connection);
  /// In the place of those that wait longest: they were taken, and nothing came of it.
  void put_back(const std::string& name, std::vector<UniqueFd> connections);
  /// Those that have waited longest, at most so many; `asked`: of those that have something to read.
  [[nodiscard]] std::vector<UniqueFd> take(const std::string& name, size_t most, bool asked = false);
  void drop(const std::string& name) { all_.erase(name); }
  void clear() { all_.clear(); }

  [[nodiscard]] size_t count(const std::string& name) const;
  /// Whether any of them has something to read.
  [[nodiscard]] bool has_asked(const std::string& name) const;

 private:
  struct Connection {
    UniqueFd fd;
    Watch watch;
    bool asked = false;
  };
  using Connections = std::list<Connection>;

  void watch(const std::string& name, Connections::iterator connection);
  void on_event(const std::string& name, Connections::iterator connection, uint32_t events);

  Loop& loop_;
  Asked asked_;
  std::map<std::string, Connections> all_;
};

}  // namespace devsock
