// tests/service/phones.h - phones at both ends of a SipService: each writes its messages by hand and remembers what it
// needs of its dialog. Over UDP; everybody is trusted, so that nothing but the call is in a test.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tests/service/sip_world.h"

namespace parley::tests {

inline std::string method(std::string_view request) { return std::string(request.substr(0, request.find(' '))); }
inline std::string cseq_number(std::string_view message) {
  const std::string value = header(message, "CSeq");
  return value.substr(0, value.find(' '));
}
inline std::string tag_of(const std::string& address) {
  const std::size_t at = address.find(";tag=");
  return at == std::string::npos ? "" : address.substr(at + 5);
}
// Of all headers of that name, in their order.
inline std::vector<std::string> all_of(std::string_view message, const std::string& name) {
  std::vector<std::string> all;
  const std::string start = "\r\n" + name + ": ";
  for (std::size_t at = message.find(start); at != std::string_view::npos; at = message.find(start, at + 2)) {
    const std::size_t value = at + start.size();
    all.emplace_back(message.substr(value, message.find("\r\n", value) - value));
  }
  return all;
}
inline std::string contact_uri(std::string_view message) { return between(header(message, "Contact"), "<", ">"); }

inline std::shared_ptr<policy::SipConfig> calls_config() {
  auto config = sip_config();
  config->trusted_peers = {*core::parse_cidr("127.0.0.0/8")};
  config->calls.carrying = policy::Carrying::b2bua;
  return config;
}

class Phone;

// All phones of one server. What it sends waits in the box of the address it goes to.
class Line {
 public:
  explicit Line(const std::shared_ptr<policy::SipConfig>& config = calls_config(), std::uint32_t shards = 1)
      : world(config, shards) {}
  SipWorld world;
  std::map<std::string, std::deque<std::string>> boxes;

  bool datagrams_only = false;  // nobody takes connections: what is too long for a datagram goes as one after all

  void collect() {
    while (datagrams_only && !world.connects.empty()) {
      const core::ConnectRequest asked = std::move(world.connects.front());
      world.connects.erase(world.connects.begin());
      for (std::uint32_t shard = 0; shard < world.shards(); ++shard) world.connect_failed(asked.token, shard);
    }
    for (SipWorld::Sent& sent : world.take()) {
      if (sent.datagram) {
        boxes[core::to_string(sent.to)].push_back(std::move(sent.text));
        continue;
      }
      std::string_view rest = sent.text;  // of a stream: one or several
      while (!rest.empty()) {
        const std::size_t head = rest.find("\r\n\r\n") + 4;
        const std::size_t bytes = head + std::stoul("0" + header(rest.substr(0, head - 2), "Content-Length"));
        boxes[stream(sent.shard, sent.conn)].emplace_back(rest.substr(0, bytes));
        rest.remove_prefix(std::min(bytes, rest.size()));
      }
    }
  }
  static std::string stream(std::uint32_t shard, core::ConnId conn) {
    return "stream " + std::to_string(shard) + " " + std::to_string(conn.index);
  }
  void pass(core::Duration duration) {
    world.advance(duration);
    collect();
  }
};

class Phone {
 public:
  Phone(Line& line, std::string user, std::string address, std::uint32_t shard = 0)
      : line_(line), user_(std::move(user)), address_(std::move(address)), shard_(shard) {}

  void enrol() {
    send("REGISTER sip:example.org SIP/2.0\r\n" + via() + "From: <sip:" + user_ + "@example.org>;tag=r\r\nTo: <sip:" +
         user_ + "@example.org>\r\nCall-ID: reg" + address_ + "\r\nCSeq: " + std::to_string(++registers_) +
         " REGISTER\r\n" + contact() + "Expires: 3600\r\nContent-Length: 0\r\n\r\n");
    EXPECT_EQ(code(next()), "200");
  }

  // From now on by a connection that it makes; `from` when it listens elsewhere than where that comes from.
  void connect(const std::string& from = {}) {
    conn_ = line_.world.open(from.empty() ? address_ : from, shard_);
    stream_ = true;
  }
  // By one that was made to it.
  void is_called(std::uint64_t token) {
    conn_ = line_.world.connected(token, address_, shard_);
    line_.collect();
  }
  void disconnect() {
    line_.world.close(conn_, shard_);
    line_.collect();
  }

  // --- out

  void invite(const std::string& to, const std::string& body = "offer", const std::string& lines = {}) {
    call_id = "call" + std::to_string(++calls_) + user_;
    local = "<sip:" + user_ + "@example.org>;tag=" + user_ + std::to_string(calls_);
    remote = "<sip:" + to + "@example.org>";
    target = "sip:" + to + "@example.org";
    routes = outbound;
    request("INVITE", body, lines);
    invite_text = last;
  }
  // To any URI, with a body of any type.
  void invite_uri(const std::string& uri, const std::string& body, const std::string& lines = {},
                  const std::string& body_type = "application/sdp") {
    call_id = "call" + std::to_string(++calls_) + user_;
    local = (anonymous.empty() ? "<sip:" + user_ + "@example.org>" : anonymous) + ";tag=" + user_ + std::to_string(calls_);
    remote = "<" + uri + ">";
    target = uri;
    routes = outbound;
    send_typed("INVITE", body_type, body, lines);
    invite_text = last;
  }
  void send_typed(const std::string& name, const std::string& body_type, const std::string& body,
                  const std::string& lines = {}) {
    type = body_type;
    request(name, body, lines);
    type = "application/sdp";
  }
  // In the dialog, or the one that begins it.
  void request(const std::string& name, const std::string& body = {}, const std::string& lines = {}) {
    send(compose(name, ++cseq, body, lines));
  }
  void ack(const std::string& body = {}, const std::string& lines = {}) {
    send(
        compose("ACK", std::stoul(invite_cseq.empty() ? std::to_string(cseq) : invite_cseq) & 0xffffffff, body, lines));
  }
  // Of a final response that is no 2xx to its INVITE: hop by hop, in the same transaction.
  void ack_refused(const std::string& response) {
    send(beside_invite("ACK") + "From: " + header(invite_text, "From") + "\r\nTo: " + header(response, "To") +
         "\r\nCall-ID: " + header(invite_text, "Call-ID") + "\r\nCSeq: " + cseq_number(invite_text) +
         " ACK\r\nContent-Length: 0\r\n\r\n");
  }
  void cancel(const std::string& lines = {}) {
    send(beside_invite("CANCEL") + "From: " + header(invite_text, "From") + "\r\nTo: " + header(invite_text, "To") +
         "\r\nCall-ID: " + header(invite_text, "Call-ID") + "\r\nCSeq: " + cseq_number(invite_text) + " CANCEL\r\n" +
         lines + "Content-Length: 0\r\n\r\n");
  }
  // To a request that came.
  void respond(const std::string& request, int status, const std::string& body = {}, const std::string& lines = {}) {
    std::string to = header(request, "To");
    if (to.find(";tag=") == std::string::npos && status != 100) to += ";tag=" + name();
    if (method(request) == "INVITE" && status != 100 && call_id.empty()) hold(request, to);
    std::string ways;
    for (const std::string& via : all_of(request, "Via")) ways += "Via: " + via + "\r\n";
    for (const std::string& route : all_of(request, "Record-Route")) ways += "Record-Route: " + route + "\r\n";
    send("SIP/2.0 " + std::to_string(status) + " Said\r\n" + ways + "From: " + header(request, "From") + "\r\nTo: " + to +
         "\r\nCall-ID: " + header(request, "Call-ID") + "\r\nCSeq: " + header(request, "CSeq") + "\r\n" + contact() +
         lines + content(body));
  }
  // As the one who was invited.
  void hold(const std::string& request, const std::string& to) {
    call_id = header(request, "Call-ID");
    local = to;
    remote = header(request, "From");
    target = contact_uri(request);
    routes.clear();
    for (const std::string& route : all_of(request, "Record-Route")) routes += "Route: " + route + "\r\n";
    cseq = 100;
  }
  // As the one who invited: its dialog is that of this response.
  void take(const std::string& response) {
    remote = header(response, "To");
    if (!contact_uri(response).empty()) target = contact_uri(response);
    routes.clear();
    for (const std::string& route : all_of(response, "Record-Route")) routes.insert(0, "Route: " + route + "\r\n");
  }
  void send(const std::string& text) {
    last = text;
    if (stream_) {
      line_.world.bytes(conn_, text, shard_);
    } else {
      line_.world.datagram(text, address_, shard_);
    }
    line_.collect();
  }

  // --- in

  // The next message that came; "" when there is none.
  std::string next() {
    auto& box = line_.boxes[stream_ ? Line::stream(shard_, conn_) : address_];
    if (box.empty()) return {};
    std::string text = std::move(box.front());
    box.pop_front();
    return text;
  }
  // It has to be this: a method, or a status and the method it answers.
  std::string want(const std::string& what) {
    const std::string text = next();
    EXPECT_EQ(kind(text), what) << text;
    return text;
  }
  [[nodiscard]] std::size_t boxed() { return line_.boxes[address_].size(); }
  void quiet() { EXPECT_EQ(kind(next()), ""); }
  static std::string kind(const std::string& text) {
    if (text.empty()) return {};
    if (!text.starts_with("SIP/2.0 ")) return method(text);
    const std::string cseq = header(text, "CSeq");
    return code(text) + cseq.substr(cseq.find(' '));
  }

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
  [[nodiscard]] std::string contact() const {
    return "Contact: <sip:" + user_ + "@" + address_ + (stream_ ? ";transport=tcp>" : ">") + features + "\r\n";
  }
  std::string features;

 private:
  std::string via() {
    return std::string("Via: SIP/2.0/") + (stream_ ? "TCP " : "UDP ") + address_ + ";branch=z9hG4bK" + user_ +
           address_.substr(10) + "x" + std::to_string(++branches_) + "\r\n";
  }
  // The start of what goes the way of its INVITE: start line, Via, Route, Max-Forwards.
  [[nodiscard]] std::string beside_invite(const std::string& method) const {
    return method + invite_text.substr(6, invite_text.find("Max-Forwards") - 6) + "Max-Forwards: 70\r\n";
  }
  [[nodiscard]] std::string content(const std::string& body) const {
    return (body.empty() ? "" : "Content-Type: " + type + "\r\n") +
           ("Content-Length: " + std::to_string(body.size())) + "\r\n\r\n" + body;
  }
  std::string compose(const std::string& name, std::uint32_t number, const std::string& body,
                      const std::string& lines) {
    if (name == "INVITE") invite_cseq = std::to_string(number);
    return name + " " + target + " SIP/2.0\r\n" + via() + routes + "Max-Forwards: 70\r\nFrom: " + local + "\r\nTo: " + remote +
           "\r\nCall-ID: " + call_id + "\r\nCSeq: " + std::to_string(number) + " " + name + "\r\n" + contact() + lines +
           content(body);
  }

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
  void make(const std::shared_ptr<policy::SipConfig>& config, std::uint32_t shards = 1) {
    line = std::make_unique<Line>(config, shards);
    alice = std::make_unique<Phone>(*line, "alice", "127.0.0.1:40001");
    bob = std::make_unique<Phone>(*line, "bob", "127.0.0.1:40002", shards - 1);
    bob->enrol();
  }
  void SetUp() override { make(calls_config()); }

  // Both are up. Their descriptions are "offer" and "answer".
  void connect(const std::string& caller_lines = {}, const std::string& callee_lines = {}) {
    alice->invite("bob", "offer", caller_lines);
    const std::string invite = bob->want("INVITE");
    bob->respond(invite, 200, "answer", callee_lines);
    const std::string ok = alice->want("200 INVITE");
    alice->take(ok);
    alice->ack();
    bob->want("ACK");
  }
  void hang_up() {
    alice->request("BYE");
    alice->want("200 BYE");
    bob->respond(bob->want("BYE"), 200);
  }
  // Nothing is left over once every timer of RFC 3261 has run out.
  void at_rest() {
    line->pass(std::chrono::minutes(2));
    for (std::uint32_t shard = 0; shard < 2; ++shard) {
      if (shard == 1 && line->world.shards() == 1) break;
      EXPECT_EQ(line->world.service(shard).calls().live(), 0U);
      EXPECT_EQ(line->world.service(shard).live_proxied(), 0U);
      EXPECT_EQ(line->world.service(shard).live_transactions(), 0U);
    }
    EXPECT_EQ(line->world.metric(core::Metric::sip_calls), 0U);
  }
  std::unique_ptr<Line> line;
  std::unique_ptr<Phone> alice;
  std::unique_ptr<Phone> bob;
};

}  // namespace parley::tests
