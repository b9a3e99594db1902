#pragma once

#include <array>

#include "../common/unique_fd.h"

namespace devsock {

/// Descriptors that are kept for looking at processes. A holder that has no other one free would see nobody in /proc:
/// nothing could be signalled, and a group that lives would be taken for gone.
class Spare {
 public:
  Spare() { fill(); }

  /// They are free while this lives; what was opened meanwhile has to be closed before.
  class Lent {
   public:
    explicit Lent(Spare& spare) : spare_(spare) {
      for (UniqueFd& fd : spare_.fds_) fd.reset();
    }
    Lent(const Lent&) = delete;
    Lent& operator=(const Lent&) = delete;
    ~Lent() { spare_.fill(); }

   private:
    Spare& spare_;
  };

 private:
  void fill() {
    for (UniqueFd& fd : fds_) {
      if (!fd) fd.reset(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    }
  }

  /// For a folder and a file of it.
  std::array<UniqueFd, 2> fds_;
};

}  // namespace devsock
