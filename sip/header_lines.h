// sip/header_lines.h - header values that are made here and wait to be placed in a message.
//
// Scratch: one is kept and reused, so after the first messages nothing is allocated.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/check.h"
#include "sip/writer.h"

namespace parley::sip {

class HeaderLines {
 public:
  void clear() {
    text_.clear();
    lines_.clear();
  }
  // Begins a header. Its value is what is appended to the returned text before the next begin(), add() or headers().
  std::string& begin(HeaderId id) {
    lines_.push_back({id, static_cast<std::uint32_t>(text_.size())});
    return text_;
  }
  void add(HeaderId id, std::string_view value) { begin(id).append(value); }

  [[nodiscard]] std::size_t size() const { return lines_.size(); }
  // For RequestText and ResponseText. Valid until something is added or cleared.
  [[nodiscard]] std::span<const HeaderText> headers() LIFETIME_BOUND {
    headers_.clear();
    for (std::size_t i = 0; i < lines_.size(); ++i) {
      const std::size_t end = i + 1 < lines_.size() ? lines_[i + 1].offset : text_.size();
      const std::string_view value(text_.data() + lines_[i].offset, end - lines_[i].offset);
      headers_.push_back({.id = lines_[i].id, .value = value});
    }
    return headers_;
  }

 private:
  struct Line {
    HeaderId id = HeaderId::other;
    std::uint32_t offset = 0;  // of the value in text_, which goes to the next one's
  };
  std::string text_;
  std::vector<Line> lines_;
  std::vector<HeaderText> headers_;
};

}  // namespace parley::sip
