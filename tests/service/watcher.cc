// tests/service/watcher.cc - see watcher.h.
#include "tests/service/watcher.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

namespace parley::tests {

Watcher::Watcher(SipWorld& world, std::string user, std::string address, std::uint32_t shard, bool stream)
    : world_(world), user_(std::move(user)), address_(std::move(address)), shard_(shard), stream_(stream) {
  if (stream_) conn_ = world_.open(address_, shard_);
  call_id_ = user_ + address_;
}

std::string Watcher::subscribe(const Ask& ask) {
  dialog_to_.clear();
  target_.clear();
  ++call_;
  const std::string answer = request("SUBSCRIBE", ask);
  if (answer.starts_with("SIP/2.0 200")) {
    dialog_to_ = header(answer, "To");
    target_ = between(header(answer, "Contact"), "<", ">");
  }
  return answer;
}

std::string Watcher::enrol(const std::string& expires, const std::string& contact) {
  Watcher other(world_, user_, address_, shard_, false);
  other.stream_ = stream_;
  other.conn_ = conn_;
  other.call_id_ = "reg" + call_id_;
  other.cseq_ = other.branch_ = registers_;
  const std::string answer = other.request("REGISTER", {.event = "", .expires = expires, .contact = contact});
  registers_ = other.cseq_;
  for (auto& notify : other.notifies_) notifies_.push_back(std::move(notify));
  return answer;
}

std::vector<std::string> Watcher::notifies(std::uint16_t status) {
  collect();
  std::vector<std::string> texts;
  for (const SipWorld::Sent& sent : std::exchange(notifies_, {})) {
    texts.push_back(sent.text);
    if (status != 0) world_.answer(sent, status, address_, shard_);
  }
  collect();
  return texts;
}

std::string Watcher::notify(std::uint16_t status) {
  const auto texts = notifies(status);
  EXPECT_EQ(texts.size(), 1U);
  return texts.empty() ? std::string() : texts.back();
}

void Watcher::forget_dialog_tag() { dialog_to_ = "<sip:x@example.org>;tag=" + std::string(16, 'a'); }

std::string Watcher::request(const std::string& method, const Ask& ask) {
  std::string answer = once(method, ask, {});
  if (ask.auth && (answer.starts_with("SIP/2.0 407") || answer.starts_with("SIP/2.0 401"))) {
    answer = once(method, ask, credentials(answer, method, uri(method, ask), user_));
  }
  return answer;
}

std::string Watcher::uri(const std::string& method, const Ask& ask) const {
  if (method == "REGISTER" || ask.to_user == "-") return "sip:example.org";
  if (!target_.empty()) return target_;
  return "sip:" + (ask.to_user.empty() ? user_ : ask.to_user) + "@example.org";
}

std::string Watcher::once(const std::string& method, const Ask& ask, const std::string& more) {
  const std::string own = "<sip:" + user_ + "@" + address_ + (stream_ ? ";transport=tcp>" : ">");
  const std::string to = method == "REGISTER" ? "<sip:" + user_ + "@example.org>"
                         : dialog_to_.empty() ? "<" + uri(method, ask) + ">"
                                              : dialog_to_;
  std::string text = method + " " + uri(method, ask) + " SIP/2.0\r\nVia: SIP/2.0/" + (stream_ ? "TCP " : "UDP ") +
                     address_ + ";branch=z9hG4bK" + call_id_ + std::to_string(++branch_) +
                     ";rport\r\nMax-Forwards: 70\r\nFrom: <sip:" + user_ + "@example.org>;tag=f" +
                     std::to_string(call_) + "\r\nTo: " + to + "\r\nCall-ID: " + call_id_ + std::to_string(call_) +
                     "\r\nCSeq: " + std::to_string(++cseq_) + " " + method +
                     "\r\nContact: " + (ask.contact.empty() ? own : ask.contact) + "\r\n";
  if (!ask.event.empty()) text += "Event: " + ask.event + "\r\n";
  if (!ask.expires.empty()) text += "Expires: " + ask.expires + "\r\n";
  if (!ask.accept.empty()) text += "Accept: " + ask.accept + "\r\n";
  text += ask.lines + more + "Content-Length: 0\r\n\r\n";
  last_ = text;
  return send(text);
}

std::string Watcher::send(const std::string& text) {
  collect();
  if (stream_) {
    world_.bytes(conn_, text, shard_);
  } else {
    world_.datagram(text, address_, shard_);
  }
  return collect();
}

std::string Watcher::collect() {
  std::string response;
  for (SipWorld::Sent& sent : world_.take()) {
    std::string_view rest = sent.text;
    while (!rest.empty()) {  // a stream may have brought several
      const std::size_t head = rest.find("\r\n\r\n");
      if (head == std::string_view::npos) break;
      const std::size_t bytes = head + 4 + std::stoul("0" + header(rest.substr(0, head + 2), "Content-Length"));
      const std::string_view one = rest.substr(0, bytes);
      if (one.starts_with("SIP/2.0 ")) {
        response = std::string(one);
      } else {
        notifies_.push_back({sent.shard, sent.datagram, sent.to, sent.conn, std::string(one)});
      }
      rest.remove_prefix(std::min(bytes, rest.size()));
    }
  }
  return response;
}

std::string said(std::string_view notify) {
  const std::string body = body_of(notify);
  std::string text = between(body, "<registration ", ">");
  text = between(text, "state=\"", "\"");
  std::string_view rest = body;
  for (std::size_t at = rest.find("<contact "); at != std::string_view::npos; at = rest.find("<contact ")) {
    rest.remove_prefix(at + 9);
    text += " " + between(rest, "event=\"", "\"");
  }
  return text;
}

std::string version(std::string_view notify) {
  return between(between(body_of(notify), "<reginfo", ">"), "version=\"", "\"");
}

std::string completeness(std::string_view notify) {
  return between(between(body_of(notify), "<reginfo", ">"), "state=\"", "\"");
}

}  // namespace parley::tests
