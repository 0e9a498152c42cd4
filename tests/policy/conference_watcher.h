// tests/policy/conference_watcher.h - a user agent that subscribes to a session and reads what it is sent.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/policy/conference_reader.h"
#include "tests/policy/conference_world.h"

namespace parley::tests {

struct SubscribeAsk {
  std::string expires = "600";
  std::string event = "conference";
  std::string lines{};
  std::string uri = session_uri;
};

// A user agent that subscribes. What it is sent is answered at once unless `mute`; `deaf` ones are not read as XML.
class ConferenceWatcher {
 public:
  ConferenceWatcher(ConferenceWorld& world, std::string name, std::string at, bool stream = false)
      : world_(world), name_(std::move(name)), at_(std::move(at)), stream_(stream) {
    if (stream_) conn_ = world_.open(at_);
  }
  void subscribe(const SubscribeAsk& ask = {}) {
    to_tag_.clear();
    ++call_;
    send(ask);
  }
  void refresh(const SubscribeAsk& ask = {}) { send(ask); }
  // What came for it.
  void take(std::string_view rest) {
    while (!rest.empty()) {
      const std::size_t head = rest.find("\r\n\r\n");
      ASSERT_NE(head, std::string_view::npos);
      const std::size_t size = head + 4 + std::stoul("0" + line_of(rest.substr(0, head + 2), "Content-Length"));
      take_one(rest.substr(0, size));
      rest.remove_prefix(size);
    }
  }
  // In a dialog that something else has made.
  void use_dialog(std::string call_id, std::string from_tag, std::string to_tag, std::uint32_t cseq) {
    fixed_call_id_ = std::move(call_id);
    from_tag_ = std::move(from_tag);
    to_tag_ = std::move(to_tag);
    cseq_ = cseq;
  }
  void hang_up() { world_.close(conn_); }
  [[nodiscard]] core::ConnId conn() const { return conn_; }
  [[nodiscard]] const std::string& at() const { return at_; }
  // State of the last NOTIFY, as "active full 3": Subscription-State without its time, document's state and version.
  [[nodiscard]] std::string heard() const {
    std::string state = line_of(last_notify, "Subscription-State");
    if (const auto expires = state.find(";expires"); expires != std::string::npos) state.resize(expires);
    if (body_in(last_notify).empty()) return state + " nothing";
    return state + " " + reader.last_state() + " " + reader.last().attribute("version");
  }

  ConferenceReader reader;
  std::string response;  // the last final one
  std::string last_notify;
  int notifies = 0;
  std::uint64_t notify_bytes = 0;
  std::uint64_t user_elements = 0;
  std::uint64_t full_documents = 0;
  bool mute = false;
  bool deaf = false;
  std::uint16_t answer = 200;
  bool notify_before_response = false;  // T-32
  std::vector<std::string> unanswered;
  void answer_now(const std::string& notify, std::uint16_t with) {
    const std::string text = response_text(notify, with, {});
    if (stream_) {
      world_.bytes(conn_, text);
    } else {
      world_.datagram(text, at_);
    }
  }

 private:
  void send(const SubscribeAsk& ask) {
    const std::string contact = "<sip:" + name_ + "@" + at_ + (stream_ ? ";transport=tcp>" : ">");
    std::string text = "SUBSCRIBE " + ask.uri + " SIP/2.0\r\nVia: SIP/2.0/" + (stream_ ? "TCP " : "UDP ") + at_ +
                       ";branch=z9hG4bK" + name_ + std::to_string(++branch_) +
                       ";rport\r\nMax-Forwards: 70\r\nFrom: <sip:" + name_ +
                       "@example.org>;tag=" + (from_tag_.empty() ? name_ : from_tag_) + "\r\nTo: <" + ask.uri + ">" +
                       (to_tag_.empty() ? "" : ";tag=" + to_tag_) +
                       "\r\nCall-ID: " + (fixed_call_id_.empty() ? name_ + std::to_string(call_) : fixed_call_id_) +
                       "\r\nCSeq: " + std::to_string(++cseq_) + " SUBSCRIBE\r\nContact: " + contact + "\r\n";
    if (!ask.event.empty()) text += "Event: " + ask.event + "\r\n";
    if (!ask.expires.empty()) text += "Expires: " + ask.expires + "\r\n";
    text += ask.lines + "Content-Length: 0\r\n\r\n";
    response.clear();
    if (stream_) {
      world_.bytes(conn_, text);
    } else {
      world_.datagram(text, at_);
    }
  }
  void take_one(std::string_view message) {
    if (message.starts_with("SIP/2.0 ")) {
      response = std::string(message);
      const std::string to = line_of(message, "To");
      if (const auto tag = to.find(";tag="); tag != std::string::npos && message.starts_with("SIP/2.0 200"))
        to_tag_ = to.substr(tag + 5);
      return;
    }
    const std::string call_id = line_of(message, "Call-ID");
    if (call_id != (fixed_call_id_.empty() ? name_ + std::to_string(call_) : fixed_call_id_)) {
      answer_now(std::string(message), 481);  // of a dialog it has left
      return;
    }
    const auto cseq = static_cast<std::uint32_t>(std::stoul(line_of(message, "CSeq")));
    if (call_id == heard_call_id_ && cseq <= heard_cseq_) {  // sent again
      if (mute) unanswered.emplace_back(message);
      return;
    }
    heard_call_id_ = call_id;
    heard_cseq_ = cseq;
    if (response.empty()) notify_before_response = true;
    ++notifies;
    notify_bytes += message.size();
    last_notify = std::string(message);
    const std::string_view body = body_in(message);
    if (!deaf && !body.empty()) {
      const auto step = reader.take(body);
      EXPECT_EQ(step, ConferenceReader::Step::applied) << name_ << ": " << reader.fault() << "\n" << message;
    }
    for (std::size_t at = body.find("<user "); at != std::string_view::npos; at = body.find("<user ", at + 1))
      ++user_elements;
    if (body.find("state=\"full\" version=") != std::string_view::npos) ++full_documents;
    if (mute) {
      unanswered.emplace_back(message);
      return;
    }
    answer_now(std::string(message), answer);
  }

  ConferenceWorld& world_;
  std::string name_;
  std::string at_;
  bool stream_;
  core::ConnId conn_{};
  std::string to_tag_;
  std::string from_tag_;
  std::string fixed_call_id_;
  std::string heard_call_id_;
  std::uint32_t heard_cseq_ = 0;
  int call_ = 0;
  std::uint32_t branch_ = 0;
  std::uint32_t cseq_ = 0;
};

}  // namespace parley::tests
