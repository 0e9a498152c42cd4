// policy/focus_sdp.cc - session descriptions of the controlling function: what is taken of theirs, and ours
// (RFC 4975 section 8, RFC 6135, RFC 7701 section 8; R3264-1, R3264-2, OMA-MSRP-1, OMA-MSRP-4, OMA-POL-4). See focus.h.
#include <algorithm>
#include <array>
#include <utility>

#include "core/text_out.h"
#include "msrp/uri.h"
#include "policy/focus.h"
#include "policy/media_description.h"
#include "sip/offer_answer.h"
#include "sip/sdp.h"
#include "sip/sdp_writer.h"

namespace parley::policy {

namespace {

// R7701-1: in a room of more than two who writes stands in the CPIM head; what it wraps is the members' matter.
constexpr std::string_view group_types = "message/cpim";
constexpr std::string_view group_wrapped_types = "*";
// OMA-MSRP-4: of two both forms, where nothing is known of the other one yet.
constexpr std::string_view pair_types = "message/cpim *";

// R4566-2: all lines of that name together.
std::string list_of(std::string_view section, std::string_view name) {
  std::string list;
  sip::SdpAttributes attributes(section);
  for (sip::SdpAttribute found; attributes.next(found);) {
    if (found.name != name) continue;
    if (!list.empty()) list += ' ';
    list += found.value;
  }
  return list;
}

bool has_word(std::string_view value, std::string_view wanted) {
  sip::SdpWords words(value);
  for (std::string_view word; words.next(word);) {
    if (word == wanted) return true;
  }
  return false;
}

// As its peer sees what `direction` says of a section.
bool sends(sip::SdpDirection direction) {
  return direction != sip::SdpDirection::recvonly && direction != sip::SdpDirection::inactive;
}
bool receives(sip::SdpDirection direction) {
  return direction != sip::SdpDirection::sendonly && direction != sip::SdpDirection::inactive;
}
sip::SdpDirection direction_for(bool send, bool receive) {
  if (send) return receive ? sip::SdpDirection::sendrecv : sip::SdpDirection::sendonly;
  return receive ? sip::SdpDirection::recvonly : sip::SdpDirection::inactive;
}

std::string_view without_brackets(std::string_view host) {
  return host.starts_with('[') && host.ends_with(']') ? host.substr(1, host.size() - 2) : host;
}

}  // namespace

// 0, or 400, or 488 when there is nothing that could be taken.
std::uint16_t Focus::read_terms(std::string_view sdp, bool theirs_is_offer, MediaTerms& terms) const {
  sip::Sdp read;
  if (!sip::parse_sdp(sdp, {}, read).ok()) return 400;
  const sip::TakeRules rules{.plain = media_ != nullptr && media_->serves(false),
                             .tls = media_ != nullptr && media_->serves(true),
                             .sessions_max = 1};
  const sip::TakePlan plan = sip::take_sections(sdp, read, rules);
  if (plan.sessions == 0) return 488;
  const auto taken = std::find_if(plan.take.begin(), plan.take.end(),
                                  [](sip::Take take) { return take != sip::Take::refuse; });
  terms = {};
  terms.section = static_cast<std::uint8_t>(taken - plan.take.begin());
  const sip::SdpMedia& media = read.media[terms.section];
  const std::string_view section = media.section.of(sdp);
  terms.secure = media.protocol == sip::SdpProtocol::tcp_tls_msrp;
  terms.path = media.path.of(sdp);
  terms.loose = media.msrp_cema || media.msrp_acm;
  terms.address = connect_elsewhere(sdp, read, media);
  terms.accept_types = list_of(section, "accept-types");
  terms.accept_wrapped_types = list_of(section, "accept-wrapped-types");
  terms.message_bytes_max = media.has_max_size ? media.max_size : 0;
  const sip::SdpDirection direction = sip::direction_of(read, media);
  terms.may_send = sends(direction);
  terms.may_receive = receives(direction);
  terms.private_messages = media.has_chatroom && has_word(media.chatroom.of(sdp), "private-messages");
  if (media.has_file_selector) terms.file_section = section;
  const sip::SdpSetup setup = sip::setup_of(read, media);
  terms.we_connect = theirs_is_offer ? sip::connects(sip::answer_setup(setup, sip::SdpSetup::passive), false, setup)
                                     : sip::connects(sip::SdpSetup::actpass, true, setup);
  return 0;
}

// The sessions of a large room live on all shards in turn, those of others where the room does: writing to many is what
// takes a second core.
bool Focus::open_end(FocusSession& s, Participant& p, bool secure) {
  if (p.end.valid()) return true;
  if (media_ == nullptr) return false;
  const std::uint32_t many = config_->focus.spread_min;
  std::uint32_t shard = shard_;
  if (shards_ > 1 && many != 0 && !s.passes_on() && s.participants.size() > many) shard = (shard_ + ++s.spread) % shards_;
  p.end = shard == shard_ ? media_->open(secure, p.self.packed()) : media_->open_elsewhere(secure, shard);
  if (!p.end.valid()) return false;
  p.terms.secure = secure;
  p.sdp_id = random_.next() >> 33;
  return true;
}

std::string_view Focus::describe_media(const FocusSession& s, Participant& p, std::string_view offer) {
  msrp::Uri uri;
  if (media_ == nullptr || !msrp::parse_uri(media_->uri(p.end), uri)) return {};
  const std::string_view address = without_brackets(uri.host);
  sip::SdpMediaText own{.protocol = p.terms.secure ? "TCP/TLS/MSRP" : "TCP/MSRP", .port = uri.port};
  own.path = media_->uri(p.end);
  std::string chatroom;
  // Of two each gets what the other one said (OMA-FT-5, OMA-MSRP-5); of more the switch speaks for itself.
  // What is distributed all get from one, and he is told what the switch takes.
  const Participant* const other = s.of_two()                               ? counterpart(s, p)
                                   : s.distribution && p.self != s.originator ? participants_.get(s.originator)
                                                                            : nullptr;
  const bool known = other != nullptr && !other->terms.path.empty();
  if (known) {
    own.accept_types = other->terms.accept_types;
    own.accept_wrapped_types = other->terms.accept_wrapped_types;
    own.has_max_size = other->terms.message_bytes_max != 0;
    own.max_size = other->terms.message_bytes_max;
    own.file_section = other->terms.file_section;
    own.direction = direction_for(other->terms.may_send, other->terms.may_receive && !s.distribution);
  } else {
    own.accept_types = s.passes_on() ? pair_types : group_types;
    own.accept_wrapped_types = group_wrapped_types;
    own.max_size = config_->focus.message_bytes_max;
    for (const StoredCopy& copy : s.copies) {  // OMA-LRG-5: what the store has room for
      if (s.in == 0 && copy.end.valid() && (own.max_size == 0 || copy.bytes_max < own.max_size)) own.max_size = copy.bytes_max;
    }
    own.has_max_size = own.max_size != 0;
    own.direction = direction_for(!s.distribution || p.self != s.originator, !s.distribution || p.self == s.originator);
    if (s.distribution) own.file_section = p.terms.file_section;  // OMA-FT-2: the answer says it again
    if (!s.passes_on() && rooms_ != nullptr) chatroom = rooms_->chatroom_tokens(s.room);
    own.has_chatroom = !chatroom.empty();
    own.chatroom = chatroom;
  }
  own.setup = sip::SdpSetup::actpass;  // R6135-1

  std::array<sip::SdpMediaText, sip::sdp_media_max> sections;
  std::size_t count = 1;
  sip::SdpText text{.session_id = p.sdp_id, .version = p.sdp_version, .address = address};
  sip::Sdp read;
  if (offer.empty()) {
    sections[0] = own;
  } else {
    if (!sip::parse_sdp(offer, {}, read).ok()) return {};
    count = read.media_count;
    for (std::size_t i = 0; i < count; ++i) {
      const sip::SdpMedia& media = read.media[i];
      if (i == p.terms.section && media.port != 0) {
        own.direction = sip::answer_direction(sip::direction_of(read, media), own.direction);
        own.setup = sip::answer_setup(sip::setup_of(read, media), sip::SdpSetup::passive);  // OMA-MSRP-1
        own.formats = media.formats.of(offer);
        sections[i] = own;
      } else {  // R3264-1, T-44
        sections[i] = {.refused = true,
                       .media = media.media.of(offer),
                       .protocol = media.protocol_name.of(offer),
                       .formats = media.formats.of(offer),
                       .file_section = media.has_file_selector ? media.section.of(offer) : std::string_view{}};
      }
    }
    if (read.time.present()) text.time = read.time.of(offer);
  }
  text.media = std::span(sections).first(count);
  // R3264-2: the version is one more exactly when something has changed.
  for (int turn = 0; turn < 2; ++turn) {
    sdp_.resize(sip::sdp_bytes(text));
    core::TextOut out(sdp_.data());
    sip::put_sdp(out, text);
    if (p.description.empty() || p.description.view() == sdp_ || turn == 1) break;
    text.version = ++p.sdp_version;
  }
  return sdp_;
}

// OMA-POL-4: of a 488. The sections of the offer, or one, with port 0 and what would be taken.
void Focus::put_capabilities(bool of_two, std::string_view offer, std::string& out) const {
  const auto& listeners = config_->transport.listeners;
  const std::string_view address =
      listeners.empty() ? std::string_view("0.0.0.0") : without_brackets(listeners.front().host);
  const bool plain = media_ == nullptr || media_->serves(false);
  sip::SdpMediaText own{.refused = true, .protocol = plain ? "TCP/MSRP" : "TCP/TLS/MSRP"};
  own.accept_types = of_two ? pair_types : group_types;
  own.accept_wrapped_types = group_wrapped_types;
  own.has_max_size = config_->focus.message_bytes_max != 0;
  own.max_size = config_->focus.message_bytes_max;
  std::array<sip::SdpMediaText, sip::sdp_media_max> sections;
  sections[0] = own;
  std::size_t count = 1;
  sip::Sdp read;
  if (sip::parse_sdp(offer, {}, read).ok() && read.media_count != 0) {
    count = read.media_count;
    for (std::size_t i = 0; i < count; ++i) {
      const sip::SdpMedia& media = read.media[i];
      const bool message = media.media.of(offer) == "message";
      sections[i] = message ? own : sip::SdpMediaText{.refused = true};
      sections[i].media = media.media.of(offer);
      if (!message) sections[i].protocol = media.protocol_name.of(offer);
      sections[i].formats = media.formats.of(offer);
    }
  }
  const sip::SdpText text{.address = address, .media = std::span(sections).first(count)};
  out.resize(sip::sdp_bytes(text));
  core::TextOut writer(out.data());
  sip::put_sdp(writer, text);
}

const Participant* Focus::counterpart(const FocusSession& s, const Participant& p) const {
  const Participant* found = nullptr;
  for (const core::SlotId id : s.participants) {
    const Participant* const other = participants_.get(id);
    if (other == nullptr || other == &p || other->stand == Participant::Stand::gone) continue;
    if (other->key != p.key) return other;
    found = other;  // somebody who talks to another device of his
  }
  return found;
}

Member Focus::member_of(const Participant& p) const {
  Member member;
  member.uri = p.uri;
  member.display_name = p.display;
  member.anonymous_number = p.anonymous_number;
  member.device = p.instance;
  member.end = p.end;
  member.accept_types = p.terms.accept_types;
  member.accept_wrapped_types = p.terms.accept_wrapped_types;
  member.message_bytes_max = p.terms.message_bytes_max;
  member.may_send = p.terms.may_send;
  member.may_receive = p.terms.may_receive;
  if (const FocusSession* const s = sessions_.get(p.session); s != nullptr && s->distribution) {
    const bool sends = p.self == s->originator;
    member.may_send = member.may_send && sends;
    member.may_receive = member.may_receive && !sends;
  }
  member.private_messages = p.terms.private_messages;
  member.may_ask_count = p.trusted;
  member.owner = p.self.packed();
  return member;
}

std::uint16_t Focus::take_terms(FocusSession& s, Participant& p) {
  if (rooms_ == nullptr) return 503;
  const msrp::EndPeer peer{.path = p.terms.path, .we_connect = p.terms.we_connect, .loose = p.terms.loose, .address = p.terms.address};
  JoinResult result = JoinResult::joined;
  if (p.member.valid()) {
    result = rooms_->change(p.member, member_of(p));
    if (result == JoinResult::joined || result == JoinResult::rejoined) (void)media_->change_peer(p.end, peer);
  } else {
    const Rooms::Joined joined = rooms_->join(s.room, member_of(p));
    result = joined.result;
    if (joined.member.valid()) {
      p.member = joined.member;
      if (!media_->connect(p.end, peer)) return 488;
    }
  }
  switch (result) {
    case JoinResult::joined:
    case JoinResult::rejoined: return 0;
    case JoinResult::alias_in_use: return 403;
    case JoinResult::no_cpim: return 488;
    case JoinResult::room_full: return 486;
    case JoinResult::no_room: return 503;
  }
  return 503;
}

}  // namespace parley::policy
