// tests/service/phones.h - phones at both ends of a SipService: each writes its messages by hand and remembers what it
// needs of its dialog. Over UDP; everybody is trusted, so that nothing but the call is in a test.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/service/sip_world.h"

namespace parley::tests {

std::string method(std::string_view request);
std::string cseq_number(std::string_view message);
std::string tag_of(const std::string& address);
// Of all headers of that name, in their order.
std::vector<std::string> all_of(std::string_view message, const std::string& name);
std::string contact_uri(std::string_view message);

std::shared_ptr<policy::SipConfig> calls_config();

class Phone;

// All phones of one server. What it sends waits in the box of the address it goes to.
class Line {
 public:
  explicit Line(const std::shared_ptr<policy::SipConfig>& config = calls_config(), std::uint32_t shards = 1);
  SipWorld world;
  std::map<std::string, std::deque<std::string>> boxes;

  bool datagrams_only = false;  // nobody takes connections: what is too long for a datagram goes as one after all

  void collect();
  static std::string stream(std::uint32_t shard, core::ConnId conn);
  void pass(core::Duration duration);
};

class Phone {
 public:
  Phone(Line& line, std::string user, std::string address, std::uint32_t shard = 0);

  void enrol();

  // From now on by a connection that it makes; `from` when it listens elsewhere than where that comes from.
  void connect(const std::string& from = {});
  // By one that was made to it.
  void is_called(std::uint64_t token);
  void disconnect();

  // --- out

  void invite(const std::string& to, const std::string& body = "offer", const std::string& lines = {});
  // To any URI, with a body of any type.
  void invite_uri(const std::string& uri, const std::string& body, const std::string& lines = {},
                  const std::string& body_type = "application/sdp");
  void send_typed(const std::string& name, const std::string& body_type, const std::string& body,
                  const std::string& lines = {});
  // In the dialog, or the one that begins it.
  void request(const std::string& name, const std::string& body = {}, const std::string& lines = {});
  void ack(const std::string& body = {}, const std::string& lines = {});
  // Of a final response that is no 2xx to its INVITE: hop by hop, in the same transaction.
  void ack_refused(const std::string& response);
  void cancel(const std::string& lines = {});
  // To a request that came.
  void respond(const std::string& request, int status, const std::string& body = {}, const std::string& lines = {});
  // As the one who was invited.
  void hold(const std::string& request, const std::string& to);
  // As the one who invited: its dialog is that of this response.
  void take(const std::string& response);
  void send(const std::string& text);

  // --- in

  // The next message that came; "" when there is none.
  std::string next();
  // It has to be this: a method, or a status and the method it answers.
  std::string want(const std::string& what);
  [[nodiscard]] std::size_t boxed() { return line_.boxes[address_].size(); }
  void quiet();
  static std::string kind(const std::string& text);

  std::string call_id, local, remote, target, last, invite_text, invite_cseq;
  std::string routes;    // Route lines of its dialog
  std::string outbound;  // of what begins one
  std::string type = "application/sdp";  // of bodies
  std::string anonymous;                 // From value of who does not want to be named
  std::uint32_t cseq = 0;
  [[nodiscard]] const std::string& address() const { return address_; }
  [[nodiscard]] const std::string& user() const { return user_; }
  // Of its To tag.
  [[nodiscard]] std::string name() const { return user_ + address_.substr(10); }
  [[nodiscard]] std::string contact() const;
  std::string features;

 private:
  std::string via();
  // The start of what goes the way of its INVITE: start line, Via, Route, Max-Forwards.
  [[nodiscard]] std::string beside_invite(const std::string& method) const;
  [[nodiscard]] std::string content(const std::string& body) const;
  std::string compose(const std::string& name, std::uint32_t number, const std::string& body, const std::string& lines);

  Line& line_;
  std::string user_;
  std::string address_;
  std::uint32_t shard_;
  bool stream_ = false;
  core::ConnId conn_{};
  int calls_ = 0;
  int branches_ = 0;
  int registers_ = 0;
};

// alice calls bob.
struct Calls : testing::Test {
  void make(const std::shared_ptr<policy::SipConfig>& config, std::uint32_t shards = 1);
  void SetUp() override;

  // Both are up. Their descriptions are "offer" and "answer".
  void connect(const std::string& caller_lines = {}, const std::string& callee_lines = {});
  void hang_up();
  // Nothing is left over once every timer of RFC 3261 has run out.
  void at_rest();
  std::unique_ptr<Line> line;
  std::unique_ptr<Phone> alice;
  std::unique_ptr<Phone> bob;
};

}  // namespace parley::tests
