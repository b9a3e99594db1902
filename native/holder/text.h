#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace devsock {

/// The whole of `text` as an unsigned number, without sign or space; nothing where it is none or too large.
template <class T = uint64_t>
std::optional<T> parse_number(std::string_view text, int base = 10) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{} || end != text.data() + text.size() || text.starts_with('-')) return std::nullopt;
  return value;
}

/// The parts between separators: one more than there are separators.
std::vector<std::string_view> split(std::string_view text, char separator);

/// A number, or an empty field.
std::string text_of(std::optional<int> number);

/// `0,1,2`
std::string join_numbers(const std::vector<uint32_t>& numbers);

/// RFC 3629: no overlong forms, no surrogates.
bool is_utf8(std::string_view text);

}  // namespace devsock
