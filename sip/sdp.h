// sip/sdp.h - a session description as offsets (RFC 4566 and 8866), with what MSRP sections say (RFC 4975 section 8,
// RFC 5547, 6135, 6714, 7701).
//
//   v=0                                        lines of the session: `session`
//   o=alice 2890844526 1 IN IP4 host.example   origin
//   s=-
//   c=IN IP4 host.example                      connection, for every section that has none
//   t=0 0                                      time
//   m=message 7394 TCP/MSRP *                  one SdpMedia per m= line; `section` reaches to the next m= line
//   a=accept-types:message/cpim text/plain
//   a=path:msrp://host.example:7394/2s93i9ek2a;tcp
//
// Every Span counts from the description's first byte. Nothing is copied and nothing grows: at most sdp_media_max
// sections. Reading is tolerant (R4566-1, T-45); what was tolerated is said in `quirks`.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "core/text.h"

namespace parley::sip {

using core::Span;

enum class SdpDirection : std::uint8_t { absent, sendrecv, sendonly, recvonly, inactive };
enum class SdpSetup : std::uint8_t { absent, active, passive, actpass, holdconn, unknown };  // RFC 4145, RFC 6135
enum class SdpProtocol : std::uint8_t { other, tcp_msrp, tcp_tls_msrp };

std::string_view to_string(SdpDirection direction);
std::string_view to_string(SdpSetup setup);

// c=
struct SdpConnection {
  Span line;  // without its line end
  Span net_type;
  Span address_type;
  Span address;  // no brackets around IPv6
};

// o=
struct SdpOrigin {
  Span line;
  Span username;
  Span session_id;  // digits, or anything (T-45)
  Span version;
  Span net_type;
  Span address_type;
  Span address;
};

struct SdpMedia {
  Span section;  // the whole section with its line ends
  Span line;     // m= without line end
  Span media;
  Span protocol_name;
  Span formats;  // everything after the protocol
  std::uint16_t port = 0;
  SdpProtocol protocol = SdpProtocol::other;
  SdpConnection connection;  // the section's own; connection_of() knows the session's, too

  // Attribute values without white space around them; the first of a name. Where RFC 4975 allows one line and peers
  // write several, each_type() reads them all (R4566-2).
  Span path;  // "" when there is none
  Span accept_types;
  Span accept_wrapped_types;
  Span fingerprint;
  Span chatroom;
  Span file_selector;
  Span file_transfer_id;
  Span file_disposition;
  Span file_date;
  Span file_icon;
  Span file_range;
  bool has_accept_types = false;  // an empty list differs from none
  bool has_accept_wrapped_types = false;
  bool has_chatroom = false;
  bool has_file_selector = false;
  bool msrp_cema = false;
  bool msrp_acm = false;  // what came before msrp-cema (T-43)
  bool has_max_size = false;
  std::uint64_t max_size = 0;
  SdpSetup setup = SdpSetup::absent;
  SdpDirection direction = SdpDirection::absent;
};

inline constexpr std::uint8_t sdp_media_max = 16;  // a chat and a file for each of several; the rest is room

// What a strict reader would refuse.
struct SdpQuirks {
  bool line_feed_only = false;
  bool last_line_open = false;  // no line end at the end
  bool order = false;           // lines not in the order of the text
  bool no_time = false;
  bool no_session_name = false;  // no s= at all
  bool empty_session_name = false;
  bool origin_numbers = false;  // ids that are no numbers
  bool blanks = false;          // more or other white space than asked for
  bool unknown_line = false;    // a letter RFC 4566 does not know
  bool repeated = false;        // an attribute that may stand once stood twice

  [[nodiscard]] bool any() const {
    return line_feed_only || last_line_open || order || no_time || no_session_name || empty_session_name ||
           origin_numbers || blanks || unknown_line || repeated;
  }
};

struct Sdp {
  Span session;  // lines before the first m=
  SdpOrigin origin;
  SdpConnection connection;
  Span name;  // s=
  Span time;  // t= value, for the echo in an answer (R3264-1)
  SdpDirection direction = SdpDirection::absent;
  SdpSetup setup = SdpSetup::absent;
  Span fingerprint;
  SdpQuirks quirks;
  std::uint8_t media_count = 0;
  std::array<SdpMedia, sdp_media_max> media;
};

enum class SdpError : std::uint8_t {
  none,
  syntax,      // a line that is no letter=value, or a control character
  version,     // does not begin with v=0
  origin,      // o= missing, not six words, or there twice
  connection,  // c= that is not three words
  media,       // m= that is not media, port (0 to 65535), protocol and formats
  too_many_media,
  too_long,
  strict,  // a quirk where SdpLimits allow none
};
std::string_view to_string(SdpError error);

struct SdpLimits {
  std::uint32_t bytes_max = 64 * 1024;  // a description; as much as a datagram can hold
  bool strict = false;                  // any quirk is an error
};

struct SdpVerdict {
  SdpError error = SdpError::none;
  std::uint32_t offset = 0;  // of the line's byte that showed it
  [[nodiscard]] bool ok() const { return error == SdpError::none; }
};

// `out` is of use after ok() only.
[[nodiscard]] SdpVerdict parse_sdp(std::string_view text, const SdpLimits& limits, Sdp& out);

// The connection line that holds for a section: its own, else the session's.
[[nodiscard]] const SdpConnection& connection_of(const Sdp& sdp, const SdpMedia& media);
// The direction that holds for a section: its own, else the session's, else sendrecv.
[[nodiscard]] SdpDirection direction_of(const Sdp& sdp, const SdpMedia& media);
// The same for setup; absent means active for an offerer (R6135-1).
[[nodiscard]] SdpSetup setup_of(const Sdp& sdp, const SdpMedia& media);

struct SdpAttribute {
  std::string_view name;
  std::string_view value;  // without white space around it
  bool has_value = false;  // "a=name:" has one, which is empty
};

// Walks the a= lines of a section (or of `session`).
class SdpAttributes {
 public:
  explicit SdpAttributes(std::string_view section) : rest_(section) {}
  [[nodiscard]] bool next(SdpAttribute& out);

 private:
  std::string_view rest_;
};

// Walks the words of a value: types, path URIs, selectors of a room.
class SdpWords {
 public:
  explicit SdpWords(std::string_view value) : rest_(value) {}
  [[nodiscard]] bool next(std::string_view& word);

 private:
  std::string_view rest_;
};

// The first and the last URI of a path: where a peer connects to, and whose address c= and m= repeat (R4975-14).
[[nodiscard]] std::string_view first_word(std::string_view value);
[[nodiscard]] std::string_view last_word(std::string_view value);

}  // namespace parley::sip
