// tests/service/recorded.h - bob, of whose conversations there are records, and who asks for them.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "policy/history_list.h"
#include "policy/history_reference.h"
#include "tests/service/waiting.h"

namespace parley::tests {

inline const std::string history_function = "sip:History@example.org";
inline const std::string history_type(policy::history_list_type);

struct Recorded : Waiting {
  void SetUp() override;
  void start_recorded(const std::function<void(policy::SipConfig&)>& change, std::uint32_t shards = 1);
  // A session of his with alice, which she began.
  core::HistoryRecordRow& record(std::uint64_t id, const std::string& user = "bob");
  core::HistoryMessageRow& message(std::uint64_t record, std::uint32_t number, const std::string& body,
                                   const std::string& type = "text/plain", bool sent = false);

  void fetch(Phone& who, std::uint64_t id, const std::string& types = "*",
             const std::string& more = "a=recvonly\r\na=setup:active\r\n");
  static std::string final(Phone& who);
  std::string refusal(Phone& who, std::uint64_t id);
  // His session, which is on.
  std::string fetched(Phone& who, std::uint64_t id, const std::string& types = "*");
  struct Got {
    std::string headers;
    std::string body;
  };
  // What has come over that session, message by message; each has to be whole.
  std::vector<Got> got(const std::string& path, std::uint32_t shard = 0);
  static std::string line_of(const std::string& headers, const std::string& name);

  // What he is shown; empty: there is nothing.
  std::string listed(const std::string& user = "bob");
  std::string tag();

  void at_rest();
};

}  // namespace parley::tests
