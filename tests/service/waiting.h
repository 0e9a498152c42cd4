// tests/service/waiting.h - bob, for whom messages wait, and what he, others and operators ask about them.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "policy/deferred_list.h"
#include "policy/deferred_reference.h"
#include "policy/xml_reader.h"
#include "tests/service/parties.h"

namespace parley::tests {

using core::DeferredState;
using core::Metric;
using Kind = core::AdminRequest::Kind;

inline const std::string list_type(policy::deferred_list_type);
inline const std::string diff_type(policy::xcap_diff_type);
inline const std::string dmf = "sip:Deferred@example.org";

// "new new": the states of a list's messages, in its order; "!" when it is no document.
std::string states(const std::string& xml);

struct Waiting : Party {
  void SetUp() override;
  void start(const std::function<void(policy::SipConfig&)>& change, std::uint32_t shards = 1);
  void wants_offline(Phone& who, bool active);
  void begins(Phone& by, const std::string& uri);
  // The id under which it is kept.
  std::uint64_t says(const std::string& text, const std::string& lines = {}, Phone* by = nullptr,
                     const std::string& type = "text/plain");
  std::string takes(Phone& who, int status = 200);
  // What a question was answered.
  std::string asks(Kind kind, const std::string& argument);
  std::string document(const std::string& user = "bob");
  // Its 200 and its first NOTIFY.
  std::string subscribes(Phone& who, const std::string& uri, const std::string& event = "ua-profile",
                         const std::string& accept = list_type);
  std::string told(Phone& who);
  // What is left: what it was answered.
  std::string refers(Phone& who, const std::string& uri, const std::string& to, const std::string& lines = {},
                     const std::string& body = {}, const std::string& type = "application/resource-lists+xml");
  static std::string reference(std::uint64_t id) { return policy::deferred_reference(id, "example.org"); }
  static std::string fragment(const std::string& notify);

  void at_rest();
  std::shared_ptr<policy::SipConfig> config;
  SipWorld* world = nullptr;
  int requests = 0;
  std::string etag;
};

}  // namespace parley::tests
