// tests/sim/client_msrp.cc - see client.h. What it says and how it takes what it is told.
#include <algorithm>

#include "tests/sim/client.h"

namespace parley::sim {
namespace {

std::string joined(const std::vector<std::string>& path) {
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
  claimed_[from] = true;
  return "MSRP " + tid + " " + method + "\r\nTo-Path: " + joined(to) + "\r\nFrom-Path: " + from +
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

void Client::authenticate(Leg& leg, const std::string& authorization) {
  Tag& tag = world_.ledger.add_tag();
  tag.leg = &leg;
  const std::string tid = new_id();
  std::vector<std::string> to;
  if (leg.use_path.empty()) {
    std::string own = std::string(tls_ ? "msrps" : "msrp") + "://";
    if (rng_.coin(1, 4)) own += user_ + "@";
    own += place_.host;
    own += tls_ ? ":2856;tcp" : ":2855;tcp";
    to = {own};
    if (!authorization.empty()) to = {leg.auth_uri};
  } else {
    to = leg.use_path;
    to.push_back(leg.auth_uri);
  }
  if (leg.use_path.empty()) leg.auth_uri = to[0];
  std::string frame = request_head(tid, "AUTH", to, leg.uri, tag);
  if (!authorization.empty()) frame += "Authorization: " + authorization + "\r\n";
  if (rng_.coin(1, 3)) frame += "Expires: 900\r\n";
  pending_[tid] = {Pending::Kind::auth, &leg, nullptr, to[0], to.size() == 1};
  control_.push_back(frame + "-------" + tid + "$\r\n");
}

std::string Client::credentials(const Frame& challenge, const Leg& leg) {
  std::vector<const std::string*> offered;
  for (const auto& [name, value] : challenge.headers) {
    if (name == "WWW-Authenticate") offered.push_back(&value);
  }
  if (offered.empty()) return {};
  const std::string& chosen = *offered[rng_.next() % offered.size()];
  const std::string algorithm = digest_parameter(chosen, "algorithm");
  const std::string realm = digest_parameter(chosen, "realm");
  const std::string nonce = digest_parameter(chosen, "nonce");
  const std::string opaque = digest_parameter(chosen, "opaque");
  const std::string cnonce = new_id();
  const std::string response =
      digest_response(algorithm.empty() ? "MD5" : algorithm, user_, realm, user_ + "-secret", nonce, cnonce, leg.auth_uri);
  std::string out = "Digest username=\"" + user_ + "\", realm=\"" + realm + "\", nonce=\"" + nonce + "\"";
  if (rng_.coin(1, 2)) out += ", uri=\"" + leg.auth_uri + "\"";
  out += ", response=\"" + response + "\"";
  if (!algorithm.empty()) out += ", algorithm=" + algorithm;
  out += ", cnonce=\"" + cnonce + "\", qop=auth, nc=00000001";
  if (!opaque.empty()) out += ", opaque=\"" + opaque + "\"";
  return out;
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
    world_.journal.fail("client %u: response to %s", number_, joined(frame.to_path).c_str());
    return;
  }
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

void Client::take_auth_response(const Frame& frame, const Pending& pending) {
  Leg& leg = *pending.leg;
  if (frame.status == 401) {
    if (++auth_tries_ > 8 + 4 * legs_.size()) {
      if (blameless()) world_.journal.fail("client %u: AUTH is refused again and again", number_);
      return;
    }
    const std::string authorization = credentials(frame, leg);
    if (authorization.empty()) {
      world_.journal.fail("client %u: 401 without a challenge", number_);
      return;
    }
    last_authorization_ = authorization;
    return authenticate(leg, authorization);
  }
  if (frame.status != 200) {
    world_.journal.line("client %u AUTH answered %d", number_, frame.status);
    if (pending.expected && blameless() && !world_.auth_may_fail) {
      world_.journal.fail("client %u: AUTH answered %d", number_, frame.status);
    }
    return;
  }
  const std::string* use_path = frame.header("Use-Path");
  if (use_path == nullptr || frame.header("Expires") == nullptr || frame.header("Authentication-Info") == nullptr) {
    world_.journal.fail("client %u: 200 to AUTH without Use-Path, Expires or Authentication-Info", number_);
    return;
  }
  std::vector<std::string> path;
  for (std::size_t at = 0; at < use_path->size();) {
    const std::size_t end = std::min(use_path->find(' ', at), use_path->size());
    path.push_back(use_path->substr(at, end - at));
    at = end + 1;
  }
  if (leg.ready && path != leg.use_path) {
    world_.journal.fail("client %u: a refreshed AUTH changed its URI", number_);
    return;
  }
  if (!leg.ready && path.size() != leg.use_path.size() + 1) {
    world_.journal.fail("client %u: Use-Path is %s", number_, use_path->c_str());
    return;
  }
  leg.use_path = path;
  world_.journal.line("client %u leg %u has %s", number_, leg.number, use_path->c_str());
  if (path.size() < leg.hops) {
    leg.auth_uri = "msrps://" + world_.places()[1]->host + ":2856;tcp";
    return authenticate(leg, {});
  }
  leg.ready = leg.reachable = true;
  if (leg.partner != nullptr) leg.partner->client->pump();
  pump();
}

}  // namespace parley::sim
