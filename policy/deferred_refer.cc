// policy/deferred_refer.cc - what a REFER for deferred messages says. See deferred_retrieval.h.
#include <algorithm>
#include <utility>

#include "core/text.h"
#include "policy/deferred_reference.h"
#include "policy/deferred_retrieval.h"
#include "policy/history_reference.h"
#include "policy/invite_body.h"
#include "policy/resource_list.h"
#include "policy/user_key.h"
#include "sip/address.h"
#include "sip/multipart.h"
#include "sip/uri.h"
#include "sip/value.h"

namespace parley::policy {

using sip::HeaderId;

std::optional<DeferredRetrieval::StoredName> DeferredRetrieval::name_of(std::string_view user) const {
  if (const auto id = deferred_id(user); id && config_->im.deferred.on) return StoredName{.id = *id};
  if (const auto id = history_id(user); id && config_->im.history_access.on) return StoredName{.id = *id, .record = true};
  return std::nullopt;
}

bool DeferredRetrieval::take_name(Asked& asked, const StoredName& name) {
  if (!asked.ids.empty() && asked.records != name.record) return false;
  asked.records = name.record;
  if (std::find(asked.ids.begin(), asked.ids.end(), name.id) == asked.ids.end()) asked.ids.push_back(name.id);
  return true;
}

std::optional<DeferredRetrieval::StoredName> DeferredRetrieval::message_of(std::string_view text) const {
  sip::Uri uri;
  if (!sip::parse_uri(text, uri) || (uri.scheme != sip::Scheme::sip && uri.scheme != sip::Scheme::sips))
    return std::nullopt;
  const auto& domains = config_->domains;
  const bool ours = domains.empty() ? core::equal_ignore_case(uri.host, config_->realm)
                                    : std::any_of(domains.begin(), domains.end(), [&](const std::string& domain) {
                                        return core::equal_ignore_case(uri.host, domain);
                                      });
  return ours ? name_of(uri.user) : std::nullopt;
}

bool DeferredRetrieval::names_message(const Received& request) const {
  sip::Address to;
  return sip::parse_address(request.head.value(HeaderId::refer_to, request.bytes), to) &&
         message_of(to.uri).has_value();
}

bool DeferredRetrieval::is_own(std::string_view uri, std::string_view aor) const {
  return user_key(uri) == user_key(aor);
}

// 0, or the refusal.
std::uint16_t DeferredRetrieval::read(const Ask& ask, Asked& asked) const {
  const Received& request = ask.request;
  const auto refused = [&asked](std::uint16_t status, std::string why) {
    asked.warning = std::move(why);
    return status;
  };
  const sip::Header* const line = request.head.first(HeaderId::refer_to);
  sip::Address to;
  if (line == nullptr || request.head.next(*line) != nullptr ||
      !sip::parse_address(line->value.of(request.bytes), to)) {
    return 400;  // R3515-1: exactly one
  }
  // RFC 4488: both say so, or there is a subscription.
  asked.echoes =
      core::equal_ignore_case(sip::trim(request.head.value(HeaderId::refer_sub, request.bytes)).substr(0, 5), "false");
  asked.subscribes = !asked.echoes;
  constexpr std::string_view cid = "cid:";
  if (core::equal_ignore_case(to.uri.substr(0, cid.size()), cid)) {
    if (ask.named.id != 0) return refused(403, "one message to one target");
    const InviteBody body = read_invite_body(request);
    if (body.refusal != 0) return body.refusal;
    for (const BodyPart& part : body.lists) {
      // T-50: the only list is the one that is meant, whatever its name.
      const bool named = !part.content_id.empty() && sip::same_content_id(part.content_id, to.uri.substr(cid.size()));
      if (body.lists.size() > 1 && !named) continue;
      ResourceList list;
      if (parse_resource_list(part.body, list)) return refused(400, "the list can not be read");
      for (const ListEntry& entry : list.entries) {
        const auto name = message_of(entry.uri);
        if (!name) return refused(404, "the list names what is no deferred message");
        if (!take_name(asked, *name)) return refused(403, "deferred messages and records in one list");
      }
      if (list.left_out != 0) return refused(403, "too many messages");
    }
    if (asked.ids.empty()) return refused(400, "no list of deferred messages");
    asked.subscribes = false;  // R5368-1
    asked.echoes = true;
    return 0;
  }
  sip::Uri uri;
  if (!sip::parse_uri(to.uri, uri)) return 400;
  if (uri.scheme == sip::Scheme::other) return 416;
  if (const auto name = message_of(to.uri)) {
    if (ask.named.id != 0) return refused(403, "a message can not be sent to a message");
    (void)take_name(asked, *name);
    return 0;
  }
  if (ask.named.id == 0) return refused(404, "Refer-To names no deferred message");
  const std::string_view method = sip::uri_parameter(uri, "method");
  if (!method.empty() && method != "MESSAGE") return refused(403, "it can only be sent by MESSAGE");
  (void)take_name(asked, ask.named);
  if (is_own(to.uri, ask.aor)) return 0;
  asked.target = to.uri;
  if (const std::size_t at = to.uri.find('@'); at != std::string_view::npos) {  // without what is meant for us
    asked.target.resize(std::min(to.uri.find_first_of(";?", at), to.uri.size()));
  }
  return 0;
}

}  // namespace parley::policy
