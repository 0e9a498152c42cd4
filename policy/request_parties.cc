// policy/request_parties.cc - see request_parties.h.
#include "policy/request_parties.h"

#include "policy/im_request.h"
#include "sip/identity.h"

namespace parley::policy {

using sip::Method;

std::string_view RequestParties::sender_aor(const sip::Received& request, const Routing& routing, const Sender& sender,
                                            std::string& room) const {
  sip::Uri uri;
  if (sender.kind == Sender::Kind::user && !config_->domains.empty()) {
    room.assign("sip:").append(sender.user).append("@").append(config_->domains.front());
    const std::string text = room;
    return sip::parse_uri(text, uri) ? home_.aor_of(uri, room) : std::string_view{};
  }
  if (sender.kind != Sender::Kind::trusted || !routing.originating) return {};
  const sip::AssertedIdentity asserted = sip::asserted_identity(request.head, request.bytes);
  const std::string_view who = asserted.any() ? asserted.best().uri : std::string_view(request.essentials.from.uri);
  return sip::parse_uri(who, uri) && (uri.scheme == sip::Scheme::tel || home_.names_us(uri)) ? home_.aor_of(uri, room)
                                                                                             : std::string_view{};
}

std::string_view RequestParties::identity_of(const sip::Received& request, const Sender& sender) {
  if (sender.kind == Sender::Kind::user && !config_->domains.empty()) {
    known_.clear();
    for (const std::string& domain : config_->domains) {
      known_.push_back("sip:" + std::string(sender.user) + "@" + domain);
    }
    identity_ = sip::chosen_identity(request.head, request.bytes, known_);
    return identity_;
  }
  const std::string_view asserted = sip::asserted_identity(request.head, request.bytes).best().uri;
  identity_ = asserted.empty() ? request.essentials.from.uri : asserted;
  return identity_;
}

std::string_view RequestParties::addressed_aor(const sip::Received& request, const Routing& routing,
                                               const Sender& sender, std::string& room) const {
  if (comes_by_core(request, routing, sender)) return core_aor(routing, room);
  if (!routing.local || !routing.next_route.empty()) return {};
  return home_.aor_of(routing.parsed, room);
}

// --- on an IMS core (TS 24.229 section 5.7)

void RequestParties::read_served(const sip::Received& request, Routing& routing) const {
  if (!config_->im.participating || !request.essentials.to_tag.empty()) return;
  const sip::ServedUser served = sip::served_user(request.head, request.bytes);
  if (served.side == sip::ServedUser::Side::unsaid) return;
  routing.served = served.uri;
  routing.originating = served.side == sip::ServedUser::Side::originating;
}

bool RequestParties::comes_by_core(const sip::Received& request, const Routing& routing, const Sender& sender) const {
  return sender.kind == Sender::Kind::trusted && !routing.originating && routing.own_routes > 0 && !routing.token &&
         !routing.next_route.empty() && (routing.local || routing.parsed.scheme == sip::Scheme::tel) &&
         !routing.parsed.user.empty() && participating_.im_request(request).has_value();
}

std::string_view RequestParties::core_aor(const Routing& routing, std::string& room) const {
  sip::Uri uri;
  const bool named = !routing.served.empty() && sip::parse_uri(routing.served, uri) &&
                     (home_.names_us(uri) || uri.scheme == sip::Scheme::tel);
  return home_.aor_of(named ? uri : routing.parsed, room);
}

// --- whose history it goes into

bool RequestParties::is_recorded(const sip::Received& request, const Routing& routing, const Sender& sender,
                                 HistoryMode mode) const {
  std::string room;
  const std::string_view sent_by = sender_aor(request, routing, sender, room);
  if (!sent_by.empty() && settings_.wants_history(sent_by, mode)) return true;
  const std::string_view sent_to = addressed_aor(request, routing, sender, room);
  return !sent_to.empty() && settings_.wants_history(sent_to, mode);
}

std::string_view RequestParties::recorded_sender(const sip::Received& request, const Routing& routing,
                                                 const Sender& sender, std::string& room) const {
  if (!config_->im.history.on || request.head.method != Method::message) return {};
  const std::string_view aor = sender_aor(request, routing, sender, room);
  return !aor.empty() && settings_.wants_history(aor, HistoryMode::pager_large) ? aor : std::string_view{};
}

std::string_view RequestParties::session_recorder(const sip::Received& request, const Routing& routing,
                                                  const Sender& sender, std::string& room, bool fetches) const {
  if (!config_->im.history.on || request.head.method != Method::invite) return {};
  const std::optional<ImKind> kind = participating_.im_request(request);
  if (!kind && !fetches) return {};
  const HistoryMode mode = fetches ? HistoryMode::pager_large : history_mode(*kind);
  const std::string_view aor = sender_aor(request, routing, sender, room);
  return !aor.empty() && settings_.wants_history(aor, mode) ? aor : std::string_view{};
}

}  // namespace parley::policy
