// tools/parleyd/xcap_front.cc - see xcap_front.h.
#include "tools/parleyd/xcap_front.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "core/entropy.h"
#include "policy/user_key.h"
#include "policy/xcap_usages.h"

namespace parley::parleyd {
namespace {

constexpr const char* text_type = "text/plain; charset=utf-8";
constexpr const char* retry_after_s = "5";
constexpr std::size_t identities_max = 8;  // in one header

core::Instant steady_now() {
  return core::Instant(std::chrono::duration_cast<core::Duration>(std::chrono::steady_clock::now().time_since_epoch()));
}

std::int64_t wall_now_ms() {
  using std::chrono::duration_cast;
  return duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

HttpAnswer plain(int status, std::string text = {}) {
  HttpAnswer answer{.status = status};
  if (text.empty()) text = http_reason(status);
  answer.headers.emplace_back("Content-Type", text_type);
  answer.body = text + "\n";
  return answer;
}

HttpAnswer to_http(policy::XcapAnswer&& said) {
  if (said.body.empty() && said.status >= 400) {
    HttpAnswer answer = plain(said.status);
    if (!said.allow.empty()) answer.headers.emplace_back("Allow", said.allow);
    if (!said.accept.empty()) answer.headers.emplace_back("Accept", said.accept);
    if (said.status == 503) answer.headers.emplace_back("Retry-After", retry_after_s);
    if (said.status == 412 && !said.etag.empty()) answer.headers.emplace_back("ETag", "\"" + said.etag + "\"");
    return answer;
  }
  HttpAnswer answer{.status = said.status};
  if (!said.etag.empty()) answer.headers.emplace_back("ETag", "\"" + said.etag + "\"");
  if (!said.body.empty()) answer.headers.emplace_back("Content-Type", said.type);
  answer.headers.emplace_back("Cache-Control", "no-cache");
  answer.body = std::move(said.body);
  return answer;
}

std::optional<std::string_view> view_of(const std::string& list, const std::string* there) {
  if (there == nullptr) return std::nullopt;
  return std::string_view(list);
}

}  // namespace

std::vector<std::string> asserted_uris(std::string_view value) {
  std::vector<std::string> uris;
  while (uris.size() < identities_max) {
    const std::size_t open = value.find('"');
    if (open == std::string_view::npos) break;
    const std::size_t end = value.find('"', open + 1);
    if (end == std::string_view::npos) break;
    uris.emplace_back(value.substr(open + 1, end - open - 1));
    value.remove_prefix(end + 1);
  }
  return uris;
}

XcapFront::XcapFront(Parts parts)
    : config_(std::move(parts.config)),
      store_(parts.store),
      store_shard_(parts.store_shard),
      publish_(std::move(parts.publish)),
      draining_(std::move(parts.draining)),
      digest_(config_.digest, config_.realm, core::system_seed()),
      random_(core::system_seed()),
      service_(config_.service, std::move(parts.usages)),
      accounts_(std::make_shared<core::Credentials>()) {}

std::shared_ptr<const policy::UserDocuments> XcapFront::begin(std::shared_ptr<const policy::Documents> operators,
                                                              std::shared_ptr<const core::Credentials> accounts,
                                                              std::vector<core::XcapRow>&& rows,
                                                              std::vector<std::string>& warnings) {
  const std::unique_lock lock(state_mutex_);
  accounts_ = std::move(accounts);
  service_.set_accounts(accounts_);
  (void)service_.set_operators(std::move(operators), warnings);
  return service_.restore(std::move(rows), warnings);
}

void XcapFront::reload(std::shared_ptr<const policy::Documents> operators,
                       std::shared_ptr<const core::Credentials> accounts, std::vector<std::string>& warnings) {
  const std::lock_guard changing(change_mutex_);
  std::shared_ptr<const policy::UserDocuments> snapshot;
  {
    const std::unique_lock lock(state_mutex_);
    accounts_ = std::move(accounts);
    service_.set_accounts(accounts_);
    snapshot = service_.set_operators(std::move(operators), warnings);
  }
  publish_(std::move(snapshot), false);
}

HttpAnswer XcapFront::answer(const HttpAsked& asked) {
  HttpAnswer answer = respond(asked);
  answers_[static_cast<std::size_t>(std::clamp(answer.status / 100, 0, 5))].fetch_add(1);
  return answer;
}

HttpAnswer XcapFront::respond(const HttpAsked& asked) {
  const policy::XcapAsk ask = [&] {
    const std::shared_lock lock(state_mutex_);
    return service_.ask(asked.target);
  }();
  if (ask.status != 200) return plain(ask.status);
  Sender sender = identify(asked);
  if (sender.users.empty()) return std::move(sender.refusal);

  const std::string* const content_type = asked.header("Content-Type");
  const std::string match = asked.list("If-Match");
  const std::string none_match = asked.list("If-None-Match");
  policy::XcapRequest request{.method = asked.method,
                              .users = sender.users,
                              .content_type = content_type == nullptr ? std::string_view() : *content_type,
                              .if_match = view_of(match, asked.header("If-Match")),
                              .if_none_match = view_of(none_match, asked.header("If-None-Match")),
                              .body = asked.body,
                              .now_ms = wall_now_ms()};
  policy::XcapAnswer said;
  if (ask.usage->computed()) {
    policy::XcapComputed computed;
    if (policy::XcapService::may_compute(ask, request)) computed = ask.usage->compute(ask.place);
    policy::XcapOutcome outcome = service_.judge(ask, request, &computed);  // it looks at nothing else
    said = std::move(outcome.answer);
    if (outcome.erases) said.status = draining_() ? std::uint16_t{503} : service_.erase(ask, computed);
    if (outcome.erases && said.status == 409) {  // RFC 4825 section 11
      said.type = policy::xcap_error_type;
      said.body = policy::xcap_report(policy::XcapFault::constraint_failure, "only whole entries can be deleted");
    }
  } else if (asked.method == "PUT" || asked.method == "DELETE") {
    said = change(ask, request);
  } else {
    const std::shared_lock lock(state_mutex_);
    said = service_.judge(ask, request).answer;
  }
  HttpAnswer answer = to_http(std::move(said));
  if (!sender.info.empty()) answer.headers.emplace_back("Authentication-Info", sender.info);
  return answer;
}

// --- who asks

XcapFront::Sender XcapFront::identify(const HttpAsked& asked) {
  Sender sender;
  const auto named = [&](std::string_view uri) {
    std::string key = [&] {
      const std::shared_lock lock(state_mutex_);
      return service_.user_of(uri);
    }();
    if (!key.empty()) sender.users.push_back(std::move(key));
  };
  const bool trusted = std::any_of(config_.trusted.begin(), config_.trusted.end(),
                                   [&](const core::Cidr& block) { return core::contains(block, asked.remote); });
  if (trusted) {
    for (const char* const name : {"X-3GPP-Asserted-Identity", "X-XCAP-Asserted-Identity"}) {
      if (!sender.users.empty()) break;
      for (const std::string& uri : asserted_uris(asked.list(name))) named(uri);
    }
    if (!sender.users.empty()) return sender;
  }
  using policy::PlainDigest;
  const bool plain_allowed = config_.plain_digest == PlainDigest::always ||
                             (config_.plain_digest == PlainDigest::loopback && core::is_loopback(asked.remote));
  if (!asked.secure && !plain_allowed) {
    sender.refusal = plain(403, "TLS is needed here");
    return sender;
  }
  std::shared_ptr<const core::Credentials> accounts;
  {
    const std::shared_lock lock(state_mutex_);
    accounts = accounts_;
  }
  HttpSender judged = digest_.judge(asked, *accounts, steady_now());
  if (judged.verdict == sip::DigestVerdict::accepted) {
    named(judged.user);
    sender.info = std::move(judged.info);
    if (sender.users.empty()) sender.refusal = plain(403);
    return sender;
  }
  if (judged.verdict == sip::DigestVerdict::rate_limited) {
    sender.refusal = plain(403, "too many failures");
    return sender;
  }
  sender.refusal = plain(401);
  const bool stale = judged.verdict == sip::DigestVerdict::stale || judged.verdict == sip::DigestVerdict::replayed;
  digest_.challenge(stale, steady_now(), sender.refusal);
  return sender;
}

// --- changes

policy::XcapAnswer XcapFront::change(const policy::XcapAsk& ask, const policy::XcapRequest& asked) {
  const std::lock_guard changing(change_mutex_);
  policy::XcapRequest request = asked;
  request.random = random_.next();
  settle();
  policy::XcapOutcome outcome;
  {
    const std::shared_lock lock(state_mutex_);
    outcome = service_.judge(ask, request);
  }
  if (outcome.limit != policy::XcapLimit::none) limits_[static_cast<std::size_t>(outcome.limit)].fetch_add(1);
  if (!outcome.change) return std::move(outcome.answer);
  if (draining_() || unsettled_ || !commit(*outcome.change)) {
    if (!draining_()) unstored_.fetch_add(1);
    return {.status = 503};
  }
  carry_out(*std::move(outcome.change), true);
  return std::move(outcome.answer);
}

void XcapFront::carry_out(policy::XcapChange&& change, bool wait) {
  std::shared_ptr<const policy::UserDocuments> snapshot;
  {
    const std::unique_lock lock(state_mutex_);
    snapshot = service_.apply(std::move(change));
  }
  changes_.fetch_add(1);
  publish_(std::move(snapshot), wait);
}

bool XcapFront::commit(const policy::XcapChange& change) {
  if (store_ == nullptr) return true;
  std::vector<core::StoreOp> ops(1);
  const core::XcapRow& row = change.row;
  {
    const std::lock_guard lock(stored_mutex_);
    ops[0].token = ++token_;
    said_.reset();
  }
  if (change.removes) {
    ops[0].what = core::RemoveXcap{row.auid, row.owner, row.name, change.also_removes};
  } else {
    ops[0].what = core::PutXcap{row, change.also_removes};
  }
  store_->submit(store_shard_, ops);
  std::unique_lock lock(stored_mutex_);
  stored_.wait_for(lock, config_.store_answer, [this] { return said_.has_value(); });
  if (said_) return *said_ == core::StoreResult::Status::done;
  // It may still come to the disk. Whoever asked is not told that it has.
  unsettled_ = change;
  return false;
}

void XcapFront::settle() {
  if (!unsettled_) return;
  {
    const std::lock_guard lock(stored_mutex_);
    if (!said_) return;
  }
  if (*said_ == core::StoreResult::Status::done) carry_out(*std::move(unsettled_), true);
  unsettled_.reset();
}

void XcapFront::on_stored(std::vector<core::StoreResult>&& results) {
  {
    const std::lock_guard lock(stored_mutex_);
    for (const core::StoreResult& result : results) {
      if (result.token == token_) said_ = result.status;
    }
  }
  stored_.notify_all();
}

XcapCounts XcapFront::counts() const {
  XcapCounts counts;
  {
    const std::shared_lock lock(state_mutex_);
    counts.documents = service_.documents();
    counts.bytes = service_.bytes();
  }
  counts.changes = changes_.load();
  counts.unstored = unstored_.load();
  for (std::size_t n = 0; n < counts.answers.size(); ++n) counts.answers[n] = answers_[n].load();
  for (std::size_t n = 0; n < counts.limits.size(); ++n) counts.limits[n] = limits_[n].load();
  return counts;
}

}  // namespace parley::parleyd
