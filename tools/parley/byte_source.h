// tools/parley/byte_source.h - what a message is made of: bytes that are there, or a file that is read as it goes out.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>

namespace parley::client {

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  [[nodiscard]] virtual std::uint64_t size() const = 0;
  // Fills `out` with the bytes from `offset`. False: they cannot be read any more.
  [[nodiscard]] virtual bool read(std::uint64_t offset, std::span<char> out) const = 0;
};

class TextSource final : public ByteSource {
 public:
  explicit TextSource(std::string text) : text_(std::move(text)) {}
  [[nodiscard]] std::uint64_t size() const override { return text_.size(); }
  [[nodiscard]] bool read(std::uint64_t offset, std::span<char> out) const override {
    if (offset + out.size() > text_.size()) return false;
    text_.copy(out.data(), out.size(), offset);
    return true;
  }

 private:
  std::string text_;
};

}  // namespace parley::client
