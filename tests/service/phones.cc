// tests/service/phones.cc - see phones.h.
#include "tests/service/phones.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace parley::tests {

std::string method(std::string_view request) { return std::string(request.substr(0, request.find(' '))); }

std::string cseq_number(std::string_view message) {
  const std::string value = header(message, "CSeq");
  return value.substr(0, value.find(' '));
}

std::string tag_of(const std::string& address) {
  const std::size_t at = address.find(";tag=");
  return at == std::string::npos ? "" : address.substr(at + 5);
}

std::vector<std::string> all_of(std::string_view message, const std::string& name) {
  std::vector<std::string> all;
  const std::string start = "\r\n" + name + ": ";
  for (std::size_t at = message.find(start); at != std::string_view::npos; at = message.find(start, at + 2)) {
    const std::size_t value = at + start.size();
    all.emplace_back(message.substr(value, message.find("\r\n", value) - value));
  }
  return all;
}

std::string contact_uri(std::string_view message) { return between(header(message, "Contact"), "<", ">"); }

std::shared_ptr<policy::SipConfig> calls_config() {
  auto config = sip_config();
  config->trusted_peers = {*core::parse_cidr("127.0.0.0/8")};
  config->calls.carrying = policy::Carrying::b2bua;
  return config;
}

Line::Line(const std::shared_ptr<policy::SipConfig>& config, std::uint32_t shards) : world(config, shards) {}

void Line::collect() {
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

std::string Line::stream(std::uint32_t shard, core::ConnId conn) {
  return "stream " + std::to_string(shard) + " " + std::to_string(conn.index);
}

void Line::pass(core::Duration duration) {
  world.advance(duration);
  collect();
}

Phone::Phone(Line& line, std::string user, std::string address, std::uint32_t shard)
    : line_(line), user_(std::move(user)), address_(std::move(address)), shard_(shard) {}

void Phone::enrol() {
  send("REGISTER sip:example.org SIP/2.0\r\n" + via() + "From: <sip:" + user_ + "@example.org>;tag=r\r\nTo: <sip:" +
       user_ + "@example.org>\r\nCall-ID: reg" + address_ + "\r\nCSeq: " + std::to_string(++registers_) +
       " REGISTER\r\n" + contact() + "Expires: 3600\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(code(next()), "200");
}

void Phone::connect(const std::string& from) {
  conn_ = line_.world.open(from.empty() ? address_ : from, shard_);
  stream_ = true;
}

void Phone::is_called(std::uint64_t token) {
  conn_ = line_.world.connected(token, address_, shard_);
  line_.collect();
}

void Phone::disconnect() {
  line_.world.close(conn_, shard_);
  line_.collect();
}

void Phone::invite(const std::string& to, const std::string& body, const std::string& lines) {
  call_id = "call" + std::to_string(++calls_) + user_;
  local = "<sip:" + user_ + "@example.org>;tag=" + user_ + std::to_string(calls_);
  remote = "<sip:" + to + "@example.org>";
  target = "sip:" + to + "@example.org";
  routes = outbound;
  request("INVITE", body, lines);
  invite_text = last;
}

void Phone::invite_uri(const std::string& uri, const std::string& body, const std::string& lines,
                       const std::string& body_type) {
  call_id = "call" + std::to_string(++calls_) + user_;
  local =
      (anonymous.empty() ? "<sip:" + user_ + "@example.org>" : anonymous) + ";tag=" + user_ + std::to_string(calls_);
  remote = "<" + uri + ">";
  target = uri;
  routes = outbound;
  send_typed("INVITE", body_type, body, lines);
  invite_text = last;
}

void Phone::send_typed(const std::string& name, const std::string& body_type, const std::string& body,
                       const std::string& lines) {
  type = body_type;
  request(name, body, lines);
  type = "application/sdp";
}

void Phone::request(const std::string& name, const std::string& body, const std::string& lines) {
  send(compose(name, ++cseq, body, lines));
}

void Phone::ack(const std::string& body, const std::string& lines) {
  send(compose("ACK", std::stoul(invite_cseq.empty() ? std::to_string(cseq) : invite_cseq) & 0xffffffff, body, lines));
}

void Phone::ack_refused(const std::string& response) {
  send(beside_invite("ACK") + "From: " + header(invite_text, "From") + "\r\nTo: " + header(response, "To") +
       "\r\nCall-ID: " + header(invite_text, "Call-ID") + "\r\nCSeq: " + cseq_number(invite_text) +
       " ACK\r\nContent-Length: 0\r\n\r\n");
}

void Phone::cancel(const std::string& lines) {
  send(beside_invite("CANCEL") + "From: " + header(invite_text, "From") + "\r\nTo: " + header(invite_text, "To") +
       "\r\nCall-ID: " + header(invite_text, "Call-ID") + "\r\nCSeq: " + cseq_number(invite_text) + " CANCEL\r\n" +
       lines + "Content-Length: 0\r\n\r\n");
}

void Phone::respond(const std::string& request, int status, const std::string& body, const std::string& lines) {
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

void Phone::hold(const std::string& request, const std::string& to) {
  call_id = header(request, "Call-ID");
  local = to;
  remote = header(request, "From");
  target = contact_uri(request);
  routes.clear();
  for (const std::string& route : all_of(request, "Record-Route")) routes += "Route: " + route + "\r\n";
  cseq = 100;
}

void Phone::take(const std::string& response) {
  remote = header(response, "To");
  if (!contact_uri(response).empty()) target = contact_uri(response);
  routes.clear();
  for (const std::string& route : all_of(response, "Record-Route")) routes.insert(0, "Route: " + route + "\r\n");
}

void Phone::send(const std::string& text) {
  last = text;
  if (stream_) {
    line_.world.bytes(conn_, text, shard_);
  } else {
    line_.world.datagram(text, address_, shard_);
  }
  line_.collect();
}

std::string Phone::next() {
  auto& box = line_.boxes[stream_ ? Line::stream(shard_, conn_) : address_];
  if (box.empty()) return {};
  std::string text = std::move(box.front());
  box.pop_front();
  return text;
}

std::string Phone::want(const std::string& what) {
  const std::string text = next();
  EXPECT_EQ(kind(text), what) << text;
  return text;
}

void Phone::quiet() { EXPECT_EQ(kind(next()), ""); }

std::string Phone::kind(const std::string& text) {
  if (text.empty()) return {};
  if (!text.starts_with("SIP/2.0 ")) return method(text);
  const std::string cseq = header(text, "CSeq");
  return code(text) + cseq.substr(cseq.find(' '));
}

std::string Phone::contact() const {
  return "Contact: <sip:" + user_ + "@" + address_ + (stream_ ? ";transport=tcp>" : ">") + features + "\r\n";
}

std::string Phone::via() {
  return std::string("Via: SIP/2.0/") + (stream_ ? "TCP " : "UDP ") + address_ + ";branch=z9hG4bK" + user_ +
         address_.substr(10) + "x" + std::to_string(++branches_) + "\r\n";
}

std::string Phone::beside_invite(const std::string& method) const {
  return method + invite_text.substr(6, invite_text.find("Max-Forwards") - 6) + "Max-Forwards: 70\r\n";
}

std::string Phone::content(const std::string& body) const {
  return (body.empty() ? "" : "Content-Type: " + type + "\r\n") + ("Content-Length: " + std::to_string(body.size())) +
         "\r\n\r\n" + body;
}

std::string Phone::compose(const std::string& name, std::uint32_t number, const std::string& body,
                           const std::string& lines) {
  if (name == "INVITE") invite_cseq = std::to_string(number);
  return name + " " + target + " SIP/2.0\r\n" + via() + routes + "Max-Forwards: 70\r\nFrom: " + local +
         "\r\nTo: " + remote + "\r\nCall-ID: " + call_id + "\r\nCSeq: " + std::to_string(number) + " " + name + "\r\n" +
         contact() + lines + content(body);
}

void Calls::make(const std::shared_ptr<policy::SipConfig>& config, std::uint32_t shards) {
  line = std::make_unique<Line>(config, shards);
  alice = std::make_unique<Phone>(*line, "alice", "127.0.0.1:40001");
  bob = std::make_unique<Phone>(*line, "bob", "127.0.0.1:40002", shards - 1);
  bob->enrol();
}

void Calls::SetUp() { make(calls_config()); }

void Calls::connect(const std::string& caller_lines, const std::string& callee_lines) {
  alice->invite("bob", "offer", caller_lines);
  const std::string invite = bob->want("INVITE");
  bob->respond(invite, 200, "answer", callee_lines);
  const std::string ok = alice->want("200 INVITE");
  alice->take(ok);
  alice->ack();
  bob->want("ACK");
}

void Calls::hang_up() {
  alice->request("BYE");
  alice->want("200 BYE");
  bob->respond(bob->want("BYE"), 200);
}

void Calls::at_rest() {
  line->pass(std::chrono::minutes(2));
  for (std::uint32_t shard = 0; shard < 2; ++shard) {
    if (shard == 1 && line->world.shards() == 1) break;
    EXPECT_EQ(line->world.service(shard).calls().live(), 0U);
    EXPECT_EQ(line->world.service(shard).live_proxied(), 0U);
    EXPECT_EQ(line->world.service(shard).live_transactions(), 0U);
  }
  EXPECT_EQ(line->world.metric(core::Metric::sip_calls), 0U);
}

}  // namespace parley::tests
