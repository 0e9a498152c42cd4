// tools/parley/roster.h - who is in a session, as conference-info documents tell it (RFC 4575): full and partial ones
// in their order. R4575-1, OMA-CONF-2, OMA-CONF-3, OMA-CONF-6.
//
// A value per subscription, at most roster_users_max users.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace parley::client {

inline constexpr std::size_t roster_users_max = 2000;

class Roster {
 public:
  struct User {
    std::string entity{};  // compared byte for byte
    std::string name{};    // display-text, alias
    std::string status{};  // of the endpoint that is most of all there: connected, pending, ..., disconnected
    bool operator==(const User&) const = default;
  };
  enum class Taken : std::uint8_t {
    applied,
    old,      // its version is not above ours: nothing has changed
    gap,      // a partial one is missing: ask for a full one
    deleted,  // the conference is over
    bad,      // it cannot be read
  };
  [[nodiscard]] Taken take(std::string_view document);

  [[nodiscard]] const std::vector<User>& users() const { return users_; }  // in the order they were first told of
  [[nodiscard]] const std::string& subject() const { return subject_; }
  [[nodiscard]] std::uint32_t version() const { return version_; }

 private:
  std::vector<User> users_;
  std::string subject_;
  std::uint32_t version_ = 0;
  bool any_ = false;
};

}  // namespace parley::client
