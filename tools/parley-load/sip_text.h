// tools/parley-load/sip_text.h - just enough reading and writing of SIP for a load; nothing of sip/ is used, so that
// what the server writes is not judged by its own code (RFC 3261 sections 7, 18.3).
#pragma once

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace parley::load {

inline constexpr size_t kSipHeadBytesMax = 16 * 1024;

enum class SipMethod : uint8_t { response, register_, message, invite, ack, bye, options, other };

// Views into the bytes that were parsed.
struct SipMessage {
  SipMethod method = SipMethod::response;
  unsigned status = 0;   // responses
  std::string_view uri;  // requests
  std::string_view from;
  std::string_view to;
  std::string_view call_id;
  std::string_view cseq;  // "1 MESSAGE"
  std::string_view contact;
  std::string_view content_type;
  std::string_view head;                  // all of it
  std::array<std::string_view, 16> vias;  // header values in order, each perhaps with several Vias
  size_t via_count = 0;                   // header lines, not Vias
  std::array<std::string_view, 8> record_routes;
  size_t record_route_count = 0;
  std::array<std::string_view, 4> challenges;  // WWW-Authenticate or Proxy-Authenticate, whichever came
  size_t challenge_count = 0;
  bool has_length = false;
  std::string_view body;
  size_t size_bytes = 0;  // head and body
};

enum class SipResult : uint8_t { more, bad, done };
// The message at the front of `data`. On a stream more: the end has not arrived. A datagram holds one message, and its
// body ends with it when there is no Content-Length.
SipResult parse_sip(std::string_view data, bool datagram, SipMessage& message, const char** why);

// What is behind `;branch=` of the topmost Via.
std::string_view branch_of(const SipMessage& message);
// "sip:a@b" of `"A" <sip:a@b>;x=y` or of `sip:a@b;x=y`.
std::string_view uri_of(std::string_view address);
// The Route lines of a caller, from the Record-Route of the answer (RFC 3261 section 12.1.2).
std::string routes_of(const SipMessage& answer);

// Transactions carry what they are about, so an answer needs no table: run (8 hex digits: differs from run to run and
// thread to thread), slot (6), serial (10), attempt (2). A Call-ID is the same without the attempt.
struct SipId {
  uint32_t slot = 0;
  uint64_t serial = 0;
  uint32_t attempt = 0;
};
inline constexpr std::string_view kBranchCookie = "z9hG4bK";
inline constexpr size_t kCallIdDigits = 24;
inline constexpr size_t kBranchDigits = 26;
bool take_sip_id(std::string_view text, std::string_view run, bool with_attempt, SipId& id);

// Writes into memory that is large enough: kSipHeadBytesMax and what the caller adds.
class SipText {
 public:
  explicit SipText(char* at) : begin_(at), at_(at) {}
  SipText& put(std::string_view text) {
    if (!text.empty()) std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
    return *this;
  }
  SipText& hex(uint64_t value, size_t digits) {
    static constexpr char kHex[] = "0123456789abcdef";
    for (size_t i = digits; i-- > 0; value >>= 4) at_[i] = kHex[value & 15];
    at_ += digits;
    return *this;
  }
  SipText& number(uint64_t value) {
    at_ = std::to_chars(at_, at_ + 20, value).ptr;
    return *this;
  }
  SipText& call_id(std::string_view run, const SipId& id) { return put(run).hex(id.slot, 6).hex(id.serial, 10); }
  SipText& branch(std::string_view run, const SipId& id) { return call_id(run, id).hex(id.attempt, 2); }
  size_t size() const { return static_cast<size_t>(at_ - begin_); }
  std::string_view view() const { return {begin_, size()}; }

 private:
  char* begin_;
  char* at_;
};

// The answer to a request: its Vias, From, To, Call-ID and CSeq as they stand; `to_tag` when the To has none; `more`
// holds whole header lines.
void put_answer(SipText& out, const SipMessage& request, std::string_view status_line, std::string_view to_tag,
                std::string_view more, std::string_view body);

}  // namespace parley::load
