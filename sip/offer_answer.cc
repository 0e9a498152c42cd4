// sip/offer_answer.cc - see offer_answer.h.
#include "sip/offer_answer.h"

#include <algorithm>
#include <charconv>

namespace parley::sip {
namespace {

struct Ways {
  bool send;
  bool receive;
};

Ways flow_of(SdpDirection direction) {
  switch (direction) {
    case SdpDirection::sendonly: return {.send = true, .receive = false};
    case SdpDirection::recvonly: return {.send = false, .receive = true};
    case SdpDirection::inactive: return {.send = false, .receive = false};
    case SdpDirection::absent:
    case SdpDirection::sendrecv: return {.send = true, .receive = true};
  }
  return {.send = true, .receive = true};
}

SdpDirection direction_of(Ways flow) {
  if (flow.send) return flow.receive ? SdpDirection::sendrecv : SdpDirection::sendonly;
  return flow.receive ? SdpDirection::recvonly : SdpDirection::inactive;
}

bool same_media(std::string_view a_text, const SdpMedia& a, std::string_view b_text, const SdpMedia& b) {
  return a.media.of(a_text) == b.media.of(b_text);
}

bool same_protocol(std::string_view a_text, const SdpMedia& a, std::string_view b_text, const SdpMedia& b) {
  return core::equal_ignore_case(a.protocol_name.of(a_text), b.protocol_name.of(b_text));
}

AnswerFault check_section(std::string_view offer_text, const Sdp& offer, std::string_view answer_text,
                          const Sdp& answer, std::size_t index) {
  const SdpMedia& asked = offer.media[index];
  const SdpMedia& given = answer.media[index];
  if (!same_media(offer_text, asked, answer_text, given)) return AnswerFault::media;
  if (given.port == 0) return AnswerFault::none;
  if (asked.port == 0) return AnswerFault::revived;
  if (!same_protocol(offer_text, asked, answer_text, given)) return AnswerFault::protocol;
  const Ways offered = flow_of(direction_of(offer, asked));
  const Ways answered = flow_of(direction_of(answer, given));
  if ((answered.send && !offered.receive) || (answered.receive && !offered.send)) return AnswerFault::direction;
  return AnswerFault::none;
}

bool number(std::string_view text, std::uint64_t& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size();
}

bool same_origin_but_version(std::string_view a_text, const SdpOrigin& a, std::string_view b_text, const SdpOrigin& b) {
  return a.username.of(a_text) == b.username.of(b_text) && a.session_id.of(a_text) == b.session_id.of(b_text) &&
         a.net_type.of(a_text) == b.net_type.of(b_text) && a.address_type.of(a_text) == b.address_type.of(b_text) &&
         a.address.of(a_text) == b.address.of(b_text);
}

// What stands before and behind the o= line.
bool same_but_origin(std::string_view a_text, const Sdp& a, std::string_view b_text, const Sdp& b) {
  const Span a_line = a.origin.line;
  const Span b_line = b.origin.line;
  return a_text.substr(0, a_line.offset) == b_text.substr(0, b_line.offset) &&
         a_text.substr(a_line.offset + a_line.length) == b_text.substr(b_line.offset + b_line.length);
}

bool path_fits(std::string_view text, const SdpMedia& media) {
  const std::string_view uri = first_word(media.path.of(text));
  const bool secure = core::equal_ignore_case(uri.substr(0, 6), "msrps:");
  return secure == (media.protocol == SdpProtocol::tcp_tls_msrp);
}

bool usable(std::string_view text, const SdpMedia& media, const TakeRules& rules) {
  if (media.port == 0 || media.media.of(text) != "message" || !media.path.present()) return false;
  if (media.protocol == SdpProtocol::other) return false;
  if (media.protocol == SdpProtocol::tcp_msrp && !rules.plain) return false;
  if (media.protocol == SdpProtocol::tcp_tls_msrp && !rules.tls) return false;
  return !rules.strict_path || path_fits(text, media);
}

bool is_no_address(std::string_view address) { return address.empty() || address == "0.0.0.0" || address == "::"; }

constexpr std::uint16_t discard_port = 9;  // what an active side writes (RFC 4145 section 4.1)

}  // namespace

std::string_view to_string(AnswerFault fault) {
  switch (fault) {
    case AnswerFault::none: return "none";
    case AnswerFault::fewer_sections: return "fewer_sections";
    case AnswerFault::more_sections: return "more_sections";
    case AnswerFault::media: return "media";
    case AnswerFault::protocol: return "protocol";
    case AnswerFault::revived: return "revived";
    case AnswerFault::direction: return "direction";
  }
  return "";
}

AnswerFault check_answer(std::string_view offer_text, const Sdp& offer, std::string_view answer_text,
                         const Sdp& answer) {
  if (answer.media_count > offer.media_count) return AnswerFault::more_sections;
  for (std::size_t i = 0; i < answer.media_count; ++i) {
    const AnswerFault fault = check_section(offer_text, offer, answer_text, answer, i);
    if (fault != AnswerFault::none) return fault;
  }
  return answer.media_count < offer.media_count ? AnswerFault::fewer_sections : AnswerFault::none;
}

bool refused_section(const Sdp& answer, std::size_t index) {
  return index >= answer.media_count || answer.media[index].port == 0;
}

bool keeps_sections(std::string_view before_text, const Sdp& before, std::string_view after_text, const Sdp& after) {
  if (after.media_count < before.media_count) return false;
  for (std::size_t i = 0; i < before.media_count; ++i) {
    if (before.media[i].port == 0) continue;
    if (!same_media(before_text, before.media[i], after_text, after.media[i])) return false;
  }
  return true;
}

SdpDirection answer_direction(SdpDirection offered, SdpDirection wanted) {
  const Ways theirs = flow_of(offered);
  const Ways ours = flow_of(wanted);
  return direction_of({.send = ours.send && theirs.receive, .receive = ours.receive && theirs.send});
}

SdpChange compare_sdp(std::string_view before_text, const Sdp& before, std::string_view after_text, const Sdp& after) {
  if (before_text == after_text) return SdpChange::none;
  if (!same_origin_but_version(before_text, before.origin, after_text, after.origin)) return SdpChange::irregular;
  if (same_but_origin(before_text, before, after_text, after)) return SdpChange::origin_only;
  std::uint64_t old_version = 0;
  std::uint64_t new_version = 0;
  const bool numbers = number(before.origin.version.of(before_text), old_version) &&
                       number(after.origin.version.of(after_text), new_version);
  return numbers && new_version == old_version + 1 ? SdpChange::content : SdpChange::irregular;
}

std::uint64_t next_version(std::string_view before_text, const Sdp& before, std::string_view after_text,
                           const Sdp& after) {
  std::uint64_t version = 0;
  (void)number(before.origin.version.of(before_text), version);  // ours: it is one
  const bool same = same_origin_but_version(before_text, before.origin, after_text, after.origin) &&
                    same_but_origin(before_text, before, after_text, after);
  return same ? version : version + 1;
}

std::optional<std::uint64_t> version_of(std::string_view text) {
  Sdp sdp;
  std::uint64_t version = 0;
  if (text.empty() || !parse_sdp(text, {}, sdp).ok() || !number(sdp.origin.version.of(text), version)) return {};
  return version;
}

bool put_raised(std::string_view text, std::uint64_t raise, std::string& out) {
  Sdp sdp;
  std::uint64_t version = 0;
  if (text.empty() || !parse_sdp(text, {}, sdp).ok() || !number(sdp.origin.version.of(text), version)) return false;
  const Span place = sdp.origin.version;
  out.append(text.substr(0, place.offset));
  out.append(std::to_string(version + raise));
  out.append(text.substr(place.offset + place.length));
  return true;
}

bool same_but_origin(std::string_view a, std::string_view b) {
  Sdp first;
  Sdp second;
  if (a.empty() || b.empty() || !parse_sdp(a, {}, first).ok() || !parse_sdp(b, {}, second).ok()) return a == b;
  return same_but_origin(a, first, b, second);
}

OfferStep step_offer(OfferState state, OfferEvent event) {
  using State = OfferState;
  using Verdict = OfferVerdict;
  constexpr std::size_t events = 6;
  // Rows in the order of OfferState, columns in that of OfferEvent: we_offer, they_offer, we_answer, they_answer,
  // no_answer, over. RFC 3264 section 4, RFC 6337 section 2.
  static constexpr std::array<std::array<OfferStep, events>, 3> table = {{
      // idle
      {{{State::offered, Verdict::ok},
        {State::asked, Verdict::ok},
        {State::idle, Verdict::wait},
        {State::idle, Verdict::stray},
        {State::idle, Verdict::ok},
        {State::idle, Verdict::ok}}},
      // offered
      {{{State::offered, Verdict::wait},
        {State::offered, Verdict::glare},
        {State::offered, Verdict::wait},
        {State::idle, Verdict::ok},
        {State::idle, Verdict::end},
        {State::idle, Verdict::ok}}},
      // asked
      {{{State::asked, Verdict::wait},
        {State::asked, Verdict::again},
        {State::idle, Verdict::ok},
        {State::asked, Verdict::stray},
        {State::asked, Verdict::ok},
        {State::idle, Verdict::ok}}},
  }};
  return table[static_cast<std::size_t>(state)][static_cast<std::size_t>(event)];
}

TakePlan take_sections(std::string_view text, const Sdp& offer, const TakeRules& rules) {
  TakePlan plan;
  for (std::size_t i = 0; i < offer.media_count; ++i) {
    const SdpMedia& media = offer.media[i];
    if (plan.sessions == rules.sessions_max || !usable(text, media, rules)) continue;
    plan.take[i] = media.has_file_selector ? Take::file : Take::chat;
    ++plan.sessions;
  }
  return plan;
}

// OMA-MSRP-1. To active we can only be passive, to passive only active; holdconn is answered by itself.
SdpSetup answer_setup(SdpSetup offered, SdpSetup wish) {
  switch (offered) {
    case SdpSetup::holdconn: return SdpSetup::holdconn;
    case SdpSetup::passive: return SdpSetup::active;
    case SdpSetup::actpass: return wish == SdpSetup::active ? SdpSetup::active : SdpSetup::passive;
    case SdpSetup::absent:
    case SdpSetup::unknown:
    case SdpSetup::active: return SdpSetup::passive;
  }
  return SdpSetup::passive;
}

bool connects(SdpSetup own, bool own_is_offer, SdpSetup other) {
  switch (own) {
    case SdpSetup::active: return true;
    case SdpSetup::passive:
    case SdpSetup::holdconn: return false;
    // A peer that knows RFC 4975 alone answers without setup and waits.
    case SdpSetup::actpass: return other == SdpSetup::passive || other == SdpSetup::absent;
    case SdpSetup::absent:
    case SdpSetup::unknown: return own_is_offer ? other != SdpSetup::active : other == SdpSetup::passive;
  }
  return false;
}

SdpTarget connect_target(std::string_view text, const Sdp& sdp, const SdpMedia& media) {
  const std::string_view address = connection_of(sdp, media).address.of(text);
  if (media.port == 0 || media.port == discard_port || is_no_address(address)) return {};
  return {.address = address, .port = media.port};
}

}  // namespace parley::sip
