// tests/service/large.h - large messages for users who can not be reached: who writes them, what comes of it, who gets
// them later.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/service/parties.h"

namespace parley::tests {

inline const std::string gives = "a=sendonly\r\na=setup:actpass\r\n";
inline const std::string takes_it = "a=recvonly\r\na=setup:active\r\n";
inline const std::string sends = "Success-Report: yes\r\nFailure-Report: yes\r\n";

// alice writes, bob is the one who is not there.
struct Large : Party {
  void SetUp() override;
  void start(const std::function<void(policy::SipConfig&)>& change, std::uint32_t shards = 1);

  // alice's INVITE to `uri`.
  void invites(const std::string& uri = "sip:bob@example.org", const std::string& more = gives,
               const std::string& lines = {});
  std::string answered();
  std::string refused();
  static std::string head(const std::string& id, const std::string& type = "text/plain",
                          const std::string& lines = sends);
  // In chunks, over that session.
  void writes(const std::string& path, const std::string& text, const std::string& id = "m1",
              const std::string& type = "text/plain", const std::string& lines = sends, std::size_t chunk = 5000);
  std::vector<FakeMedia::Session::Report> reports(const std::string& path);
  // All of it: alice to bob, who is not there.
  void deposits(const std::string& text, const std::string& id = "m1", const std::string& type = "text/plain");
  // A pager message to bob, who is not there.
  void says(Phone& who, const std::string& text);
  // The list of what waits for him.
  void watches(Phone& who);
  // The INVITE that comes to bob, which he takes; and what he gets.
  struct Got {
    std::string invite;
    std::string headers;
    std::string body;
    std::size_t chunks = 0;
  };
  Got receives(Phone& who);
  void read(const std::string& path, Got& got);
  void at_rest();
  // The time of all that is stored.
  void over();
  static std::string book(std::size_t bytes);
  const core::DeferredRow& row() { return world->store.deferred.begin()->second; }
  std::shared_ptr<policy::SipConfig> config;
  SipWorld* world = nullptr;
  int messages = 0;
};

}  // namespace parley::tests
