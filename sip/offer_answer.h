// sip/offer_answer.h - the offer/answer rules of RFC 3264 as functions of two descriptions, and who may offer when.
//
// Nothing here keeps state: a dialog keeps the last description of each side and an OfferState.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sip/sdp.h"

namespace parley::sip {

// --- R3264-1: sections keep their number, order, media and transport ---

enum class AnswerFault : std::uint8_t {
  none,
  fewer_sections,  // T-45: the missing ones count as refused; refused_section() says so
  more_sections,
  media,
  protocol,
  revived,    // the offer's port was 0, the answer's is not
  direction,  // more than the offer allows
};
std::string_view to_string(AnswerFault fault);

// The first fault, in the order of sections. Only fewer_sections may be lived with.
[[nodiscard]] AnswerFault check_answer(std::string_view offer_text, const Sdp& offer, std::string_view answer_text,
                                       const Sdp& answer);
// Whether section `index` is out of use: refused, or not in the answer at all.
[[nodiscard]] bool refused_section(const Sdp& answer, std::size_t index);

// A later offer has at least the sections that were there, with the same media; one whose port was 0 may become
// something else (RFC 3264 8.2).
[[nodiscard]] bool keeps_sections(std::string_view before_text, const Sdp& before, std::string_view after_text,
                                  const Sdp& after);

// What may be answered to an offered direction when we would like `wanted` (RFC 3264 6.1).
[[nodiscard]] SdpDirection answer_direction(SdpDirection offered, SdpDirection wanted);

// --- R3264-2: the o= line says whether anything changed ---

enum class SdpChange : std::uint8_t {
  none,         // the same bytes
  origin_only,  // another version, nothing else: no restart of anything (T-28)
  content,      // the version is one more and the rest differs
  irregular,    // differs without the version being one more, or another o= altogether: taken as changed
};
[[nodiscard]] SdpChange compare_sdp(std::string_view before_text, const Sdp& before, std::string_view after_text,
                                    const Sdp& after);
// The version for our next description: that of `before` when nothing but the version can differ, else one more.
// `after` was written with any version.
[[nodiscard]] std::uint64_t next_version(std::string_view before_text, const Sdp& before, std::string_view after_text,
                                         const Sdp& after);

// Of a description that somebody else wrote: what its version says; and the same description with a version that is
// higher by `raise`, behind what is in `out`. Nothing, and false with `out` as it was: it has none that is a number.
[[nodiscard]] std::optional<std::uint64_t> version_of(std::string_view text);
[[nodiscard]] bool put_raised(std::string_view text, std::uint64_t raise, std::string& out);
// Whether nothing but o= differs.
[[nodiscard]] bool same_but_origin(std::string_view a, std::string_view b);

// --- R3264-3: one offer at a time ---

enum class OfferState : std::uint8_t { idle, offered, asked };  // asked: the peer waits for our answer
enum class OfferEvent : std::uint8_t {
  we_offer,
  they_offer,
  we_answer,
  they_answer,
  no_answer,  // the message that had to carry the answer came without one
  over,       // the offer was refused: non-2xx, transaction dead
};
enum class OfferVerdict : std::uint8_t {
  ok,
  wait,   // ours must not be sent now
  glare,  // 491, both have offered (R3261-6)
  again,  // 500 with Retry-After, they offered twice
  stray,  // an answer without offer: ignored
  end,    // BYE: the answer that had to come did not
};
struct OfferStep {
  OfferState state;
  OfferVerdict verdict;
};
[[nodiscard]] OfferStep step_offer(OfferState state, OfferEvent event);

// --- which sections become sessions ---

enum class Take : std::uint8_t {
  refuse,  // port 0
  chat,
  file,  // has a file-selector (OMA-FT-1)
};
struct TakeRules {
  bool plain = true;              // TCP/MSRP
  bool tls = true;                // TCP/TLS/MSRP
  bool strict_path = false;       // an msrps path in a TCP/MSRP section and the reverse are refused (T-42)
  std::uint8_t sessions_max = 2;  // a chat and a file (T-44)
};
struct TakePlan {
  std::array<Take, sdp_media_max> take{};
  std::uint8_t sessions = 0;  // none: 488
};
[[nodiscard]] TakePlan take_sections(std::string_view text, const Sdp& offer, const TakeRules& rules);

// --- R6135-1, T-40: who connects ---

// The answer to an offered setup when we may choose `wish` (active or passive). Absent in the offer is active.
[[nodiscard]] SdpSetup answer_setup(SdpSetup offered, SdpSetup wish);
// Whether the side that wrote `own` has to connect, given what the other wrote. `offered` says which of them offered:
// an absent value means active in an offer, passive in an answer.
[[nodiscard]] bool connects(SdpSetup own, bool own_is_offer, SdpSetup other);

// T-39: c= and m= of a section as a place to connect to; not when the port is 9 or 0 or the address is none.
struct SdpTarget {
  std::string_view address;  // as in c=: a name or a literal without brackets; empty when there is no place
  std::uint16_t port = 0;
};
[[nodiscard]] SdpTarget connect_target(std::string_view text, const Sdp& sdp, const SdpMedia& media);

}  // namespace parley::sip
