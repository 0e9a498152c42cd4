// tests/service/publisher.h - a client that publishes its settings.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tests/service/watcher.h"

namespace parley::tests {

// A PUBLISH and what it says otherwise than usual.
struct Publish {
  std::string event = "poc-settings";  // "": no Event
  std::string expires = "3600";        // "": no Expires
  std::string if_match{};              // "": none
  std::string body{};
  std::string type = "application/poc-settings+xml";
  std::string to_user{};  // "": himself
  std::string lines{};
  bool auth = true;
};

// What OMA-SET-10 shows, with some of it: isb="true" and its like.
std::string settings_xml(const std::string& inside, const std::string& id = "epa-1");
std::string isb(bool active);
std::string ipab(bool active);
std::string ft(bool active);

class Publisher {
 public:
  Publisher(SipWorld& world, std::string user, std::string address, std::uint32_t shard = 0);

  // The final response. What a success said is remembered: etag().
  std::string publish(const Publish& what);
  [[nodiscard]] const std::string& etag() const { return etag_; }
  [[nodiscard]] const std::string& last() const { return last_; }
  // As it stands, once more.
  std::string again() { return exchange(last_); }

 private:
  [[nodiscard]] std::string uri(const Publish& what) const;
  std::string once(const Publish& what, const std::string& more);
  std::string exchange(const std::string& text);

  SipWorld& world_;
  std::string user_;
  std::string address_;
  std::uint32_t shard_;
  std::string etag_;
  std::string last_;
  std::uint32_t cseq_ = 0;
};

}  // namespace parley::tests
