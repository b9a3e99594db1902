#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../common/unique_fd.h"
#include "result.h"

namespace devsock {

/// One slot that a generation is to have, at 3 + its place in the list.
struct SpecSlot {
  uint32_t index;
  /// In LISTEN_FDNAMES.
  std::string fd_name;
  /// The socket, as it was bound.
  std::string socket;
  /// The port of which a bind() by the generation is answered with this slot (BindNotifications); 0: of none.
  uint16_t binds = 0;
};

/// How a generation is started; what the daemon writes into a memfd (ARCHITECTURE.md, "A spec").
struct Spec {
  std::string id;
  std::string invocation;
  std::string cwd;
  std::string log;
  /// Absent: the limit that the holder itself was started with.
  std::optional<rlimit> nofile;
  std::optional<mode_t> umask;
  std::vector<std::string> args;
  std::vector<std::string> env;
  std::vector<SpecSlot> slots;
  /// It is started ahead of time, and waits until it is called (Generations::call).
  bool standby = false;
};

/// A spec that waits for its slots. It stays in the file that it came in: a thousand environments are not kept in
/// memory for the few that will be needed. What is read when it fires is checked again.
struct Armed {
  UniqueFd file;
  std::string id;
  std::vector<SpecSlot> slots;
};

/// `INDEX FDNAME NAME` or `INDEX:BINDS FDNAME NAME`, as in a spec; takes any bytes.
std::optional<SpecSlot> parse_slot(std::string_view text);
std::string print(const SpecSlot& slot);

/// Takes any bytes.
Result<Spec> parse_spec(std::string_view bytes);

/// Reads the file from its start, whatever its offset is (the descriptor may be shared).
Result<Spec> read_spec(int fd);

}  // namespace devsock
