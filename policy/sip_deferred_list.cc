// policy/sip_deferred_list.cc - what users ask of the deferred messaging function itself: the list of what waits for
// them, and that a message of it is sent; what operators and documents ask (OMA-DEF-10 to OMA-DEF-14). See
// sip_service.h.
#include <charconv>

#include "core/json_text.h"
#include "policy/documents.h"
#include "policy/service_mail.h"
#include "policy/sip_service.h"
#include "sip/uri.h"

namespace parley::policy {

using sip::HeaderId;
using sip::Method;

bool SipService::about_deferred_event(const Received& request) const {
  sip::Event event;
  return config_->im.deferred.on && sip::parse_event(request.head.value(HeaderId::event, request.bytes), event) &&
         watch_.serves(event.package);
}

// Outside of dialogs, to the functions themselves, or about a message or record of theirs.
bool SipService::about_deferred(const Received& request, const Routing& routing) const {
  const Method method = request.head.method;
  const bool any = config_->im.deferred.on || config_->im.history_access.on;
  if (!any || routing.token || !request.essentials.to_tag.empty() || !home_.names_us(routing.parsed)) return false;
  if (method == Method::subscribe) return home_.names_function(routing.parsed);
  return method == Method::refer && (home_.names_function(routing.parsed) || retrieval_.name_of(routing.parsed.user) ||
                                     retrieval_.names_message(request));
}

// It is about what waits for its sender, and goes to the shard that has him: by whom it says it comes from, which is
// proven there. Nothing goes on twice.
void SipService::on_deferred_request(const Received& request, const sip::RequestMatch& match, Routing& routing) {
  if (!proxy_checks(request, routing)) return;
  if (draining_) {
    responder_.refuse(request, 503);
    return;
  }
  const bool refers = request.head.method == Method::refer;
  sip::OptionSet more;
  if (refers) more.add(sip::OptionTag::multiple_refer);
  if (!uas_checks(request, more)) return;
  std::string aor;
  const Sender claimed{.kind = home_.trusts(request.flow.remote) ? Sender::Kind::trusted : Sender::Kind::unknown,
                       .user = {}};
  const std::string_view claim = claimed.kind == Sender::Kind::trusted ? parties_.identity_of(request, claimed)
                                                                       : std::string_view(request.essentials.from.uri);
  if (!home_.user_aor(claim, aor).empty() && request.flow.shard == shard_) {
    if (const std::uint32_t owner_shard = home_.shard_of(aor); owner_shard != shard_) {
      transport_.pass_on(owner_shard, request);
      return;
    }
  }
  Sender sender;
  if (!identify(request, routing, sender)) return;
  if (home_.user_aor(parties_.identity_of(request, sender), aor).empty() || !home_.has(aor)) {  // OMA-DEF-14
    responder_.refuse(request, 403);
    return;
  }
  if (!asks_within_rate(request, sender)) return;
  if (!refers) {
    sip::Uri user;
    const bool named = sip::parse_uri(aor, user);
    if (home_.names_history(routing.parsed)) {
      history_lists_.clear();
      finish_history_subscribe(
          request, match, named ? history_lists_.subscribe(request, match, aor, user.user) : std::uint16_t{403});
      return;
    }
    watch_.clear();
    finish_list_subscribe(request, match,
                          named ? watch_.subscribe(request, match, aor, user.user) : std::uint16_t{403});
    return;
  }
  // His address of record is that of nobody else.
  const auto named = retrieval_.name_of(routing.parsed.user);
  std::string to;
  if (!named && !home_.names_function(routing.parsed) && home_.aor_of(routing.parsed, to) != aor) {
    responder_.refuse(request, 403);
    return;
  }
  const std::uint16_t status = retrieval_.refer(
      {.request = request, .match = match, .aor = aor, .named = named.value_or(DeferredRetrieval::StoredName{})});
  if (status != 0) responder_.refuse_once(request, match, status, retrieval_.headers());
}

void SipService::finish_list_subscribe(const Received& request, const sip::RequestMatch& match, std::uint16_t status) {
  if (status == 200) {
    keep(request.flow, now_.mono + std::chrono::seconds(watch_.granted_s()) + config_->transport.idle);
  } else {
    responder_.refuse_once(request, match, status, watch_.headers());
  }
}

// What has come of pushes, retrievals, deletions and time.
void SipService::tell_lists() {
  std::string aor;
  for (DeferredWatch::Removed removed; watch_.next_removed(removed);) deferred_.removed(removed.aor, removed.id);
  for (DeferredRetrieval::Removed removed; retrieval_.next_removed(removed);) {
    deferred_.removed(removed.aor, removed.id);
    watch_.changed(removed.aor);
  }
  for (Focus::Fetched fetched; focus_.next_fetched(fetched);) news_.fetched(fetched.aor, fetched.id);
  while (deferred_.next_changed(aor)) news_.list_changed(aor, false);
  while (watch_.next_reminded(aor)) news_.list_changed(aor, true);
  while (history_.next_changed(aor)) news_.history_changed(aor);
}

namespace {

std::string error_json(std::string_view why) {
  std::string json = "{\"error\":";
  core::put_json_string(json, why);
  return json.append("}");
}

}  // namespace

// Whom a question is about: "alice", or his whole address, and behind a blank what else it says. Not empty: what it is
// answered with.
std::string SipService::read_question(std::string_view argument, std::string& aor, std::string_view& rest) {
  const std::size_t blank = argument.find(' ');
  const std::string uri =
      completed_uri(argument.substr(0, blank),
                    config_->domains.empty() ? std::string_view(config_->realm) : config_->domains.front());
  if (home_.user_aor(uri, aor).empty()) return error_json("that is no user of ours");
  rest = blank == std::string_view::npos ? std::string_view{} : argument.substr(blank + 1);
  return !home_.has(aor) ? "{}" : "";  // another one answers
}

// Empty: it is answered later.
std::string SipService::answer_deferred(const core::AdminRequest& request) {
  using Kind = core::AdminRequest::Kind;
  if (!config_->im.deferred.on) return error_json("nothing is deferred here: it needs the role deferred and a store");
  std::string aor;
  std::string_view number;
  if (std::string answer = read_question(request.argument, aor, number); !answer.empty()) return answer;
  if (request.kind == Kind::deferred_delete) {
    std::uint64_t id = 0;
    (void)std::from_chars(number.data(), number.data() + number.size(), id);
    watch_.remove(request.id, aor, id >> 63 == 0 ? id : 0);
  } else {
    watch_.list(request.id, aor,
                request.kind == Kind::deferred_list ? DeferredWatch::Form::document : DeferredWatch::Form::entries);
  }
  return {};
}

}  // namespace parley::policy
