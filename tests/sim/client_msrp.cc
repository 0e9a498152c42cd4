// tests/sim/client_msrp.cc - see client.h. What it says and how it takes what it is told.
#include <algorithm>

#include "tests/sim/client.h"

namespace parley::sim {
namespace {

std::string path_text(const std::vector<std::string>& path) {
  std::string out;
  for (const std::string& uri : path) out += (out.empty() ? "" : " ") + uri;
  return out;
}

}  // namespace

std::string Client::new_id() {
  static constexpr char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  std::string id;
  for (int n = 0; n < 12; ++n) id += letters[rng_.next() % 62];
  return id;
}

// From the leg outwards over its own relays, then inwards over its partner's.
std::vector<std::string> Client::relay_path(const Leg& leg) const {
  std::vector<std::string> path = leg.use_path;
  path.insert(path.end(), leg.partner->use_path.rbegin(), leg.partner->use_path.rend());
  path.push_back(leg.partner->uri);
  return path;
}

std::string Client::request_head(const std::string& tid, const char* method, const std::vector<std::string>& to,
                                 const std::string& from, Tag& tag) {
  tag.origin = this;
  tag.method = method;
  tag.to_path = to;
  tag.started = world_.agenda.now();
  claimed_[from] = true;
  return "MSRP " + tid + " " + method + "\r\nTo-Path: " + path_text(to) + "\r\nFrom-Path: " + from +
         "\r\nX-Tag: " + std::to_string(tag.number) + "\r\n";
}

void Client::post(Message& message) {
  Plan plan{&message};
  const std::uint64_t size = message.body.size();
  if (message.has_body && size > 0) {
    if (rng_.coin(1, 2)) plan.chunk_bytes = rng_.scaled(std::max<std::uint64_t>(1, size / 64), std::max<std::uint64_t>(2, size));
    plan.star = size > 2048 ? rng_.coin(3, 4) : rng_.coin(1, 4);
    if (size > 4096 && rng_.coin(1, 12)) plan.abort_at = rng_.between(1, size - 1), plan.star = true;
    message.total_known = rng_.coin(3, 4);
  }
  plan_.push_back(plan);
  pump();
}

void Client::take(const Frame& frame) {
  if (world_.journal.failed() || !alive()) return;
  const std::string* tag_text = frame.header("X-Tag");
  world_.journal.line("client %u <- %s %s tag %s %llu+%zu%c", number_, frame.tid.c_str(),
                      frame.request ? frame.method.c_str() : std::to_string(frame.status).c_str(),
                      tag_text == nullptr ? "-" : tag_text->c_str(), static_cast<unsigned long long>(frame.start),
                      frame.body.size(), frame.flag);
  if (!frame.request) return take_response(frame);
  if (frame.method == "SEND") return take_send(frame);
  Tag* tag = world_.ledger.arrived(frame, *this);
  if (tag == nullptr) {
    // The relay reported a failure: the message is not worth going on with.
    const std::string* id = frame.header("Message-ID");
    Message* m = id == nullptr ? nullptr : world_.ledger.message(*id);
    if (m != nullptr && m->from->client == this) give_up(*m);
    return;
  }
  if (frame.method == "REPORT" && tag->message != nullptr) world_.ledger.success_report(frame, *tag, *this);
}

// Stops a message that has failed: with '#' when it is just being written.
void Client::give_up(Message& message) {
  if (message.finished) return;
  message.given_up = true;
  if (writing_ && writing_->message == &message) {
    writing_->cross_out = true;
    writing_->end = writing_->at;
    return;
  }
  std::erase_if(plan_, [&](const Plan& p) { return p.message == &message; });
}

void Client::take_send(const Frame& frame) {
  Tag* tag = world_.ledger.arrived(frame, *this);
  if (tag == nullptr) return;
  const bool honest = tag->message != nullptr && !tag->hostile;
  if (honest) {
    tag->message->from->reachable = true;  // the way back to a caller is known now
    world_.ledger.delivered(frame, *tag);
  }
  const std::string* failure = frame.header("Failure-Report");
  const bool wants_all = failure == nullptr || *failure == "yes";
  int status = 200;
  if (traits_.mute && !world_.faults.quiet && frame.flag != '#' && rng_.coin(1, 6)) {
    ++world_.journal.faults;
    constexpr int errors[] = {0, 400, 403, 413, 415};
    status = errors[rng_.next() % 5];
    if (failure != nullptr && *failure == "no") status = 0;
    if (honest && (wants_all || status != 0)) tag->message->report_due = true;
  } else if (!wants_all) {
    status = 0;
  }
  if (status != 0) answer(frame, status);
  if (honest && tag->message->complete && tag->message->success_wanted && frame.flag == '$') {
    success_report(frame, *tag->message);
  }
  pump();
}

void Client::answer(const Frame& frame, int status) {
  world_.journal.line("client %u -> %s %d", number_, frame.tid.c_str(), status);
  std::string text = "MSRP " + frame.tid + " " + std::to_string(status) + (rng_.coin(1, 2) ? " OK" : "") +
                     "\r\nTo-Path: " + frame.from_path[0] + "\r\nFrom-Path: " + frame.to_path[0] + "\r\n-------" +
                     frame.tid + "$\r\n";
  if (traits_.answer_delay != Duration{} && !world_.faults.quiet) {
    world_.agenda.after(traits_.answer_delay, [this, text = std::move(text)] {
      control_.push_back(text);
      pump();
    });
    return;
  }
  if (traits_.liar && rng_.coin(1, 8)) control_.push_back(text);  // a second response
  control_.push_back(std::move(text));
}

// What a session's life says about the answer to a SEND over it.
void Client::judge_answer(int status, const Pending& pending) {
  const Sessions& sessions = world_.sessions;
  if (sessions.must_be_gone(pending.first_uri, pending.tag->started)) {
    // The rest of a message that has failed before is refused for that.
    const bool failed_before = pending.message->refused != 0 || pending.message->failure_report != 0;
    if (status != 481 && blameless() && !failed_before) {
      world_.journal.fail("sessions: client %u got %d for a SEND over a session that had ended", number_, status);
    }
    return;
  }
  const std::vector<std::string>& path = pending.tag->to_path;
  const bool all_live = std::all_of(path.begin(), path.end() - 1, [&](const auto& uri) { return sessions.must_live(uri); });
  if (status == 481 && all_live && blameless()) {
    world_.journal.fail("sessions: client %u got 481 for a SEND over sessions that live", number_);
  }
}

void Client::success_report(const Frame& frame, const Message& message) {
  const std::uint64_t size = message.body.size();
  const std::uint64_t first = size > 4 && rng_.coin(1, 4) ? size / 2 : size;  // in one or in two
  for (std::uint64_t from = 0; from < size;) {
    const std::uint64_t to = from == 0 ? first : size;
    Tag& tag = world_.ledger.add_tag();
    tag.message = world_.ledger.message(message.id);
    tag.message_id = message.id;
    const std::string tid = new_id();
    std::string report = request_head(tid, "REPORT", frame.from_path, frame.to_path[0], tag);
    report += "Message-ID: " + message.id + "\r\nByte-Range: " + std::to_string(from + 1) + "-" + std::to_string(to) +
              "/" + std::to_string(size) + "\r\nStatus: 000 200 OK\r\n-------" + tid + "$\r\n";
    control_.push_back(std::move(report));
    from = to;
  }
}

void Client::take_response(const Frame& frame) {
  const auto found = pending_.find(frame.tid);
  if (found == pending_.end()) {
    if (blameless()) world_.journal.fail("client %u got a response to nothing: %s", number_, frame.tid.c_str());
    return;
  }
  const Pending pending = found->second;
  pending_.erase(found);
  if (frame.from_path[0] != pending.first_uri && blameless() && pending.kind != Pending::Kind::auth) {
    world_.journal.fail("client %u: response from %s, asked %s", number_, frame.from_path[0].c_str(),
                        pending.first_uri.c_str());
    return;
  }
  if (pending.kind == Pending::Kind::auth) return take_auth_response(frame, pending);
  if (pending.kind != Pending::Kind::send) return;
  if (frame.to_path != std::vector<std::string>{pending.leg->uri}) {
    world_.journal.fail("client %u: response to %s", number_, path_text(frame.to_path).c_str());
    return;
  }
  judge_answer(frame.status, pending);
  Message& m = *pending.message;
  if (pending.expected) --m.unanswered, --in_flight_;
  if (frame.status == 200) {
    if (!pending.expected) world_.journal.fail("client %u: 200 to a SEND that wants none", number_);
    return;
  }
  if (m.failure == "no") world_.journal.fail("client %u: %d to a SEND that wants no response", number_, frame.status);
  world_.journal.line("message %u refused %d", m.number, frame.status);
  m.refused = frame.status;
  give_up(m);
}

}  // namespace parley::sim
