// policy/calls_media.cc - calls of the IM service: descriptions whose messages go through this server, and what the
// participating functions have messages say (SEED4-6.1.1.2.2, SEED4-6.1.2.2.2, SEED4-6.1.2.2.5). See calls.h.
#include <algorithm>
#include <span>
#include <utility>

#include "policy/calls.h"
#include "policy/im_request.h"
#include "sip/feature_tags.h"
#include "sip/offer_answer.h"
#include "sip/value.h"

namespace parley::policy {

using core::Metric;
using sip::HeaderId;

// A message with a description that can not go through here goes on as it is: its peer finds nothing that it can use.
Calls::Received Calls::passed_media(Call& call, Leg from, bool is_offer, const Received& message) {
  const std::uint64_t raise = call.leg(sip::other(from)).raised;
  if (call.media == nullptr && raise == 0) return message;
  const std::string_view description = description_of(message);
  if (description.empty()) return message;
  const bool ours = call.media != nullptr && call.media->pass(side_of(from), is_offer, description, description_);
  std::string_view passed = ours ? std::string_view(description_) : description;
  raised_.clear();
  if (raise != 0 && sip::put_raised(passed, raise, raised_)) passed = raised_;
  if (passed == description) return message;
  const auto at = static_cast<std::size_t>(description.data() - message.body.data());
  media_body_.assign(message.body.substr(0, at)).append(passed).append(message.body.substr(at + description.size()));
  return {message.flow, message.head, message.bytes, media_body_, message.verdict, message.essentials};
}

std::optional<DialogParty> Calls::offers_file(const CallName& name, const Received& request) {
  Call* const call = calls_.get(name.call);
  Leg leg = Leg::a;
  if (call == nullptr || find(*call, request, leg) == nullptr) return std::nullopt;
  const std::string_view now = description_of(request);
  const std::string_view before = call->leg(sip::other(leg)).sdp.view();  // as it went on
  sip::Sdp said;
  sip::Sdp known;
  if (now.empty() || !sip::parse_sdp(now, {}, said).ok()) return std::nullopt;
  if (!before.empty() && !sip::parse_sdp(before, {}, known).ok()) known.media_count = 0;
  const auto ids = [](const sip::Sdp& sdp) { return std::span(sdp.media).first(sdp.media_count); };
  for (const sip::SdpMedia& media : ids(said)) {
    if (!media.has_file_selector || media.port == 0) continue;
    const std::string_view id = media.file_transfer_id.of(now);
    const bool old = std::any_of(ids(known).begin(), ids(known).end(), [&](const sip::SdpMedia& one) {
      return one.has_file_selector && !id.empty() && one.file_transfer_id.of(before) == id &&
             one.file_selector.of(before) == media.file_selector.of(now);
    });
    if (old) continue;
    return leg == Leg::a ? DialogParty{.uri = call->aor, .im = call->im} : DialogParty{.user = call->user, .im = call->im};
  }
  return std::nullopt;
}

// The session stands: both sides know where the other one's messages come to.
void Calls::media_answered(Call& call, const Received& response) {
  if (call.media == nullptr) return;
  call.media->agree();
  for (const Leg leg : {Leg::a, Leg::b}) {
    const sip::Dialog* const own = dialog(call, *call.won, leg);
    const sip::Dialog* const far = dialog(call, *call.won, sip::other(leg));
    if (own != nullptr && far != nullptr) call.media->name(side_of(leg), own->local_tag(), far->remote_target());
  }
  const sip::Dialog* const a = dialog(call, *call.won, Leg::a);
  const sip::Dialog* const b = dialog(call, *call.won, Leg::b);
  if (a != nullptr && b != nullptr) {
    call.media->tell_parties({.a = std::string(a->remote_uri()), .b = std::string(b->remote_uri()), .call_id = std::string(a->call_id())});
  }
  const SentCount wish = config_->im.media.sent_count;
  if (wish == SentCount::off) return;
  const core::Address from = core::unmapped(response.flow.remote);
  const bool trusted = std::any_of(config_->trusted_peers.begin(), config_->trusted_peers.end(),
                                   [&from](const core::Cidr& block) { return core::contains(block, from); });
  const std::string_view server = response.head.value(HeaderId::server, response.bytes);
  const bool im_server = server.size() > 8 && core::equal_ignore_case(server.substr(0, 8), "IM-serv/");
  if (wish == SentCount::always || (trusted && im_server)) call.media->count_recipients();
}

void Calls::on_media_failed(core::SlotId id) {
  Call* const call = calls_.get(id);
  if (call == nullptr) return;
  end_call(*call, "SIP;cause=500;text=\"No Way For Messages\"");
  settle(*call);
}

// SEED4-6.1.2.2.2-5, SEED4-6.1.2.2.2-14, DEC-8: towards a user of ours, and back from him.
sip::SessionTimerConfig Calls::timer_config(const Call& call) const {
  sip::SessionTimerConfig config = config_->calls.timer;
  if (call.im && !call.aor.empty()) config.prefer = config.ask = sip::Refresher::uas;
  return config;
}

// SEED4-6.1.2.2.2-4, SEED4-6.1.2.2.2-17, SEED4-6.1.1.1-6.
void Calls::add_product(const Call& call, HeaderId id) {
  if (call.im) add(id, config_->im.product);
}

}  // namespace parley::policy
