// policy/exploder.h - pager messages to several: a MESSAGE to the conference factory with a list, or to a group, is
// taken with 202 and goes to each of them as a MESSAGE of its own (RFC 5365; OMA-PAG-1 to -3, OMA-ID-8, OMA-DR-5).
//
// One per shard, used by its thread alone. A request comes in as message(); what is sent comes out as Errands, as those
// of Focus and Calls do, `invite_parallel` of one message at a time. Copies wait in memory, at most list_copies_max of
// a shard. A copy that can not be brought is told to a sender who has asked for that (negative-delivery of RFC 5438),
// and counted.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "core/slot_map.h"
#include "policy/group_document.h"
#include "policy/list_message.h"
#include "policy/user_agent.h"

namespace parley::policy {

class Exploder : public UserAgent {
 public:
  explicit Exploder(const Parts& parts) : UserAgent(parts), sendings_(parts.config->focus.list_copies_max) {}

  struct To {
    const Group* group = nullptr;  // null: the list in its body
    std::string_view identity;     // AO-IMA of the sender
    std::int64_t wall_ms = 0;
  };
  // 0: it has been answered. Else what it is to be answered without a transaction, with headers().
  [[nodiscard]] std::uint16_t message(const sip::Received& request, const sip::RequestMatch& match, const To& to);

  // What has become of an errand.
  void on_response(core::SlotId sending, std::uint32_t number, std::uint16_t status);
  void on_over(core::SlotId sending, std::uint32_t number);

  void reload(std::shared_ptr<const SipConfig> config) { config_ = std::move(config); }
  [[nodiscard]] bool drained() const { return sendings_.empty(); }

  // For tests at rest.
  [[nodiscard]] std::uint32_t sendings() const { return sendings_.size(); }
  [[nodiscard]] std::uint64_t waiting() const { return waiting_; }

 private:
  struct Line {
    sip::HeaderId id = sip::HeaderId::other;
    std::string name;
    std::string value;
  };
  // A copy on its way.
  struct Running {
    std::uint32_t number = 0;
    std::string uri;
    bool notice = false;  // it tells the sender of another one that failed
  };
  // One message, until all its copies have come or failed.
  struct Sending {
    core::SlotId self;
    std::string from;     // value of From, without tag
    std::string sender;   // AO-IMA
    std::string list;     // URI of the list or group
    bool hidden = false;  // nobody is told who is in it
    std::int64_t wall_ms = 0;
    std::vector<Line> lines;  // that go with each copy
    ListCopy copy;
    std::deque<std::string> waiting;  // URIs
    std::vector<Running> running;
    std::uint32_t numbers = 0;
  };

  [[nodiscard]] ListMessageFacts facts_of(const Received& request, const To& to, const ListMessage& message,
                                          Recipients& recipients) const;
  void take_lines(Sending& s, const Received& request) const;
  void send_more(Sending& s);
  void send(Sending& s, std::string uri, std::string_view type, std::string_view body, bool notice);

  core::SlotMap<Sending> sendings_;
  std::uint64_t waiting_ = 0;  // copies of all of them that have not been sent
};

}  // namespace parley::policy
