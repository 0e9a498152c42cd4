// tools/parley/file_store.h - where files go that are received. The client's logic sees no disk.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tools/parley/session_sdp.h"

namespace parley::client {

class FileStore {
 public:
  virtual ~FileStore() = default;
  static constexpr std::uint32_t of_message = 0;
  // Of a store that keeps nothing.
  static constexpr std::uint16_t no_place = 603;
  // Whether that file may come: 0, or the status of the refusal. What it is called here is the store's matter: a
  // peer's name chooses no directory and replaces nothing. Each session has one file at a time, and so have
  // messages, as session `of_message`.
  [[nodiscard]] virtual std::uint16_t begin(std::uint32_t session, const FileOffer& offer) = 0;
  // Bytes from `start`, counted from 1. False: they cannot be kept.
  [[nodiscard]] virtual bool write(std::uint32_t session, std::uint64_t start, std::string_view bytes) = 0;
  struct Result {
    bool good = false;  // all of it is there, and is what was announced (R5547-1: size and hash)
    std::string path{};  // not good: of what has come, as far as it is left; of a message nothing is
    std::string why{};   // not good
  };
  // No more comes. `whole`: as far as the sender says.
  virtual Result end(std::uint32_t session, bool whole) = 0;
  // What a Result has named is not wanted after all.
  virtual void remove(const std::string& path) = 0;
};

}  // namespace parley::client
