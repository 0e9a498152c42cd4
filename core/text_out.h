// core/text_out.h - writes text into memory the caller reserved.
#pragma once

#include <charconv>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace parley::core {

// Appends to memory whose size the caller has computed; nothing is checked here.
class TextOut {
 public:
  explicit TextOut(char* at) : begin_(at), at_(at) {}
  TextOut& put(std::string_view text) {
    if (text.empty()) return *this;  // an empty view may point nowhere, which memcpy must not see
    std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
    return *this;
  }
  TextOut& put(char c) {
    *at_++ = c;
    return *this;
  }
  TextOut& number(std::uint64_t value) {
    at_ = std::to_chars(at_, at_ + 20, value).ptr;
    return *this;
  }
  [[nodiscard]] std::uint32_t size() const { return static_cast<std::uint32_t>(at_ - begin_); }

 private:
  char* begin_;
  char* at_;
};

// The same calls as TextOut, nothing written: what a text will need, counted by the code that writes it.
class TextSize {
 public:
  TextSize& put(std::string_view text) {
    size_ += text.size();
    return *this;
  }
  TextSize& put(char) {
    ++size_;
    return *this;
  }
  TextSize& number(std::uint64_t value) {
    do {
      ++size_;
      value /= 10;
    } while (value != 0);
    return *this;
  }
  [[nodiscard]] std::uint32_t size() const { return static_cast<std::uint32_t>(size_); }

 private:
  std::size_t size_ = 0;
};

}  // namespace parley::core
