// tests/sim/ledger.cc - see ledger.h.
#include "tests/sim/ledger.h"

#include <algorithm>
#include <charconv>

#include "tests/sim/client.h"
#include "tests/sim/sessions.h"

namespace parley::sim {
namespace {

std::string joined(const std::vector<std::string>& path) {
  std::string out;
  for (const std::string& uri : path) out += (out.empty() ? "" : " ") + uri;
  return out;
}

}  // namespace

Message* Ledger::message(const std::string& id) {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : found->second;
}

Tag* Ledger::arrived(const Frame& frame, Client& at) {
  const std::string* text = frame.header("X-Tag");
  if (text == nullptr) {
    if (frame.method == "REPORT") relay_report(frame, at);
    else journal_.fail("client %u got a %s that nobody sent", at.number(), frame.method.c_str());
    return nullptr;
  }
  std::size_t number = 0;
  std::from_chars(text->data(), text->data() + text->size(), number);
  if (number == 0 || number > tags_.size()) {
    journal_.fail("client %u got a frame with a tag nobody wrote: %s", at.number(), text->c_str());
    return nullptr;
  }
  Tag& tag = *tags_[number - 1];
  if (!may_reach(tag, at)) {
    journal_.fail("authority: tag %zu of client %u with To-Path %s reached client %u", number, tag.origin->number(),
                  joined(tag.to_path).c_str(), at.number());
    return nullptr;
  }
  for (const std::string& uri : tag.to_path) {
    if (!sessions_->must_be_gone(uri, tag.started)) continue;
    journal_.fail("sessions: tag %zu of client %u passed over a session that had ended", number, tag.origin->number());
    return nullptr;
  }
  if (frame.method != tag.method) {
    journal_.fail("tag %zu was a %s and arrived as %s", number, tag.method.c_str(), frame.method.c_str());
    return nullptr;
  }
  const std::string* id = frame.header("Message-ID");
  if (!tag.message_id.empty() && (id == nullptr || *id != tag.message_id)) {
    journal_.fail("tag %zu lost its Message-ID", number);
    return nullptr;
  }
  return &tag;
}

void Ledger::delivered(const Frame& frame, Tag& tag) {
  Message& m = *tag.message;
  const Client& at = *m.to->client;
  auto wrong = [&](const std::string& what) {
    journal_.fail("message %u, tag %zu, client %u to %u: %s", m.number, tag.number, m.from->client->number(),
                  at.number(), what.c_str());
  };
  std::vector<std::string> from(tag.to_path.rbegin() + 1, tag.to_path.rend());
  from.push_back(m.from->uri);
  if (frame.to_path != std::vector<std::string>{m.to->uri}) return wrong("To-Path is " + joined(frame.to_path));
  if (frame.from_path != from) return wrong("From-Path is " + joined(frame.from_path));
  const std::string* failure = frame.header("Failure-Report");
  if ((failure == nullptr ? "absent" : *failure) != m.failure) return wrong("Failure-Report changed");
  const std::string* success = frame.header("Success-Report");
  if (m.success_wanted != (success != nullptr && *success == "yes")) return wrong("Success-Report changed");
  if (frame.has_body != m.has_body) return wrong("a body came or went");

  auto& last = last_seen_[{m.from, tag.to_path}];
  if (tag.number < last) return wrong("order: overtaken by tag " + std::to_string(last));
  last = tag.number;

  // Where nothing stands there is no first byte: '#' with an empty body names no place.
  const bool nowhere = frame.body.empty() && frame.flag == '#';
  const std::uint64_t start = nowhere ? tag.start + tag.passed : frame.has_range ? frame.start - 1 : 0;
  const std::uint64_t end = start + frame.body.size();
  if (tag.ended) return wrong("more of a frame that had ended");
  if (start < tag.start + tag.passed) return wrong("bytes come a second time, from " + std::to_string(start));
  if (end > tag.start + tag.length) return wrong("more bytes than were written");
  if (m.body.compare(start, frame.body.size(), frame.body) != 0) {
    std::size_t n = 0;
    while (m.body[start + n] == frame.body[n]) ++n;
    return wrong("bytes differ from offset " + std::to_string(start + n) + ", there is " +
                 std::to_string(static_cast<unsigned char>(frame.body[n])));
  }
  if (frame.has_range && frame.flag != '#') {
    if (frame.end && *frame.end != end) return wrong("Byte-Range end is not the body's");
    if (frame.total && *frame.total != m.body.size()) return wrong("Byte-Range total changed");
  }
  // A part may be missing: a hop refused one chunk of a frame that was cut on its way. Its sender has to be told.
  tag.passed = end - tag.start;
  m.frame_seen = true;
  if (start < m.received || m.complete) return wrong("bytes of an earlier frame come a second time");
  if (start > m.received) m.gap = true;
  m.received = end;
  const bool all = tag.flag != 0 && tag.passed == tag.length;
  if (frame.flag == '$') {
    if (!all || tag.flag != '$') return wrong("'$' before the sender's");
    tag.ended = true;
    if (!m.gap) {
      if (m.received != m.body.size()) return wrong("complete, but not whole");
      m.complete = true;
      if (!m.probe) ++journal_.deliveries;
      journal_.line("message %u complete, %zu bytes", m.number, m.body.size());
    }
  } else if (frame.flag == '#') {
    m.crossed_out = true;
    tag.ended = true;
  } else if (all && tag.flag == '+') {
    tag.ended = true;
  }
}

void Ledger::relay_report(const Frame& frame, Client& at) {
  const std::string& id = *frame.header("Message-ID");
  Message* m = message(id);
  if (m == nullptr || m->from->client != &at) {
    if (at.blameless()) journal_.fail("client %u got a report about %s, which is not its own", at.number(), id.c_str());
    return;
  }
  if (frame.to_path != std::vector<std::string>{m->from->uri}) {
    journal_.fail("report about message %u to %s", m->number, joined(frame.to_path).c_str());
    return;
  }
  if (m->failure == "no") {
    journal_.fail("a failure report about message %u, whose sender wants none", m->number);
    return;
  }
  if (frame.has_range && frame.end && m->has_body && *frame.end > m->body.size()) {
    journal_.fail("a report about bytes beyond message %u", m->number);
    return;
  }
  const int status = std::stoi(frame.header("Status")->substr(4, 3));
  if (m->failure_report == 0) m->failure_report = status;
  journal_.line("message %u reported %d", m->number, status);
}

void Ledger::success_report(const Frame& frame, Tag& tag, Client& at) {
  Message& m = *tag.message;
  if (m.from->client != &at || !m.complete) {
    journal_.fail("success report about message %u at client %u", m.number, at.number());
    return;
  }
  if (frame.header("Status")->substr(0, 7) != "000 200" || !frame.has_range || !frame.end) {
    journal_.fail("success report about message %u changed on its way", m.number);
    return;
  }
  m.success_reported += *frame.end + 1 - frame.start;
  if (m.success_reported > m.body.size()) journal_.fail("message %u was reported twice", m.number);
}

void Ledger::settle(bool silent_loss, bool relay_link_unsure) {
  for (const auto& message : messages_) {
    const Message& m = *message;
    const Client& sender = *m.from->client;
    const Client& receiver = *m.to->client;
    if (!sender.blameless() || !sender.alive()) continue;
    auto wrong = [&](const char* what) {
      journal_.fail("total: message %u (%zu bytes, Failure-Report %s) of client %u to %u: %s", m.number, m.body.size(),
                    m.failure.c_str(), sender.number(), receiver.number(), what);
    };
    // A receiver cannot report over a session that has ended, nor a relay over those between it and the sender, nor
    // another shard over the sender's own.
    const bool lost_session = sessions_->has_lost(*m.from) || sessions_->has_lost(*m.to);
    const bool one_relay = m.from->hops < 2 && m.to->hops < 2 && &sender.place() == &receiver.place();
    const bool one_shard = one_relay && sender.place().shards.size() == 1;
    const bool no_way_back = one_relay ? !one_shard && sessions_->has_lost(*m.from) : lost_session;
    if (m.probe && !m.complete && !sender.place().draining) wrong("did not come through in quiet times");
    const bool wants_all = m.failure == "yes" || m.failure == "absent";
    if (m.unanswered != 0) wrong("a SEND was never answered");
    if (!m.finished && !m.given_up) wrong("never left its sender");
    const bool told = m.refused != 0 || m.failure_report != 0;
    if (told) continue;
    if (m.report_due && (wants_all || !receiver.died()) && !relay_link_unsure && !no_way_back) {
      wrong("the receiver refused it or was silent, and the sender does not know");
    }
    if (m.given_up) continue;
    if (m.complete) {
      if (m.success_wanted && m.success_reported != m.body.size() && !receiver.died() && !relay_link_unsure &&
          !lost_session) {
        wrong("the success report is missing");
      }
      continue;
    }
    if (relay_link_unsure || no_way_back) continue;
    if (wants_all) wrong("neither delivered nor reported");
    else if (receiver.died()) continue;
    else if (m.failure == "partial") wrong("neither delivered nor reported");
    else if (!silent_loss && !lost_session) wrong("not delivered");
  }
}

}  // namespace parley::sim
