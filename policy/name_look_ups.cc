// policy/name_look_ups.cc - see name_look_ups.h.
#include "policy/name_look_ups.h"

#include <string>
#include <utility>

#include "policy/hop.h"
#include "sip/transport.h"
#include "sip/uri.h"

namespace parley::policy {

bool NameLookUps::ask(std::string_view text, const Wanted& wanted, core::Outbox& out) {
  sip::Uri uri;
  if (!sip::parse_uri(text, uri) || uri.scheme == sip::Scheme::tel || uri.scheme == sip::Scheme::other) return false;
  bool said = false;
  const core::Transport transport = transport_of(uri, said);
  const std::uint64_t token = sip::sip_token_bit | next_token_++;
  core::ResolveRequest ask;
  ask.token = token;
  ask.host = std::string(host_of(uri));
  ask.port = uri.has_port ? uri.port : std::uint16_t{0};
  ask.procedure = core::ResolveRequest::Procedure::sip;
  ask.secure = uri.scheme == sip::Scheme::sips;
  if (said) ask.transport = transport;
  waiting_.emplace(token, wanted);
  out.resolve(std::move(ask));
  return true;
}

std::optional<NameLookUps::Wanted> NameLookUps::take(const core::Resolution& resolution) {
  const auto found = waiting_.find(resolution.token);
  if (found == waiting_.end()) return std::nullopt;
  const Wanted wanted = found->second;
  waiting_.erase(found);
  return wanted;
}

}  // namespace parley::policy
