#pragma once

#include <cerrno>
#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace devsock {

/// An expected failure: what an error reply says. `call` is the system call, or `parse` for a bad request.
struct Error {
  int number;
  std::string call;
  std::string message;
};

/// A failed system call on `subject` (an address, a path); reads errno.
inline Error failed(const char* call, const std::string& subject, int number = errno) {
  return {number, call, subject + ": " + std::strerror(number)};
}

/// A request that means nothing.
inline Error malformed(std::string message) { return {EINVAL, "parse", std::move(message)}; }

/// A value, or why there is none.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : content_(std::move(value)) {}
  Result(Error error) : content_(std::move(error)) {}

  explicit operator bool() const { return content_.index() == 0; }
  T& operator*() { return *std::get_if<0>(&content_); }
  T* operator->() { return std::get_if<0>(&content_); }
  Error& error() { return *std::get_if<1>(&content_); }

 private:
  std::variant<T, Error> content_;
};

/// Nothing, or what went wrong.
using Failed = std::optional<Error>;

}  // namespace devsock
