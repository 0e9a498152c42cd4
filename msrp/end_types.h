// msrp/end_types.h - the values that pass between sessions that end here and who opened them (msrp/ends.h).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

#include "core/pool.h"
#include "core/slot_map.h"
#include "msrp/head.h"

namespace parley::msrp {

using EndHandle = core::SlotId;  // one session, on this shard; a stale one is allowed everywhere and finds nothing

// The other side, as SDP says.
struct EndPeer {
  std::string path;         // a=path: 1 to 8 URIs (RFC 4975 section 8.2); the first is where its requests come from
  bool we_connect = false;  // we are the active side (RFC 6135)
  // From-Path need not be `path`, only its last URI's session-id must: the peer announced msrp-cema or msrp-acm, or is
  // known to sit behind an ALG (T-43, RFC 6714).
  bool loose = false;
  // "host:port" to connect to where that is not what the path says (OMA-MSRP-2); empty: the path says it. For msrp alone: a
  // certificate has to name the path's host.
  std::string address{};
};

// What a SEND or NICKNAME is answered with. A value: nothing waits for it below, and it may be kept as long as the answer
// takes. Of one whose connection has gone the answer goes nowhere.
class EndToken {
 public:
  [[nodiscard]] bool pending() const { return tid_length_ != 0; }
  // For who answers on another shard: appended as bytes, which are good in this process; and from them. Of the two one
  // is to be answered, the other one let go.
  void put(std::string& out) const;
  [[nodiscard]] static EndToken read(std::string_view bytes);
  void let_go() { tid_length_ = 0; }

 private:
  friend class Ends;
  EndHandle end_;
  core::SlotId conn_;
  std::array<char, tid_bytes_max> tid_{};
  std::uint8_t tid_length_ = 0;  // 0: answered, or there is nothing to answer
  Method method_ = Method::send;
  FailureReport failure_ = FailureReport::yes;
  std::array<char, message_id_bytes_max> report_id_{};  // Message-ID, where an error goes as a report
  std::uint8_t report_id_length_ = 0;
  std::uint64_t start_ = 1;
};

static_assert(std::is_trivially_copyable_v<EndToken>);  // several are made for each message

// Views, head and body are valid until the next call of next_fact(); the body's block until then holds a reference of
// the fact's own.
struct EndFact {
  enum class Kind : std::uint8_t {
    connected,  // bound to a connection: SENDs may go. May come again after `closed`, when the peer comes back (T-69)
    failed,     // nobody came in time, the dial failed or the peer refused us; status says what. Nothing but close() is left
    piece,      // bytes of a SEND
    nickname,   // NICKNAME (RFC 7701 section 7): `nickname`, `token`
    answered,   // a SEND or NICKNAME of ours got its response: mark, status; 408: none came in time, or the connection went first
    report,     // REPORT: message_id, range, status (0: its Status cannot be read)
    writable,   // send() had said `full`, and half of --msrp-end-queue-max is free again
    closed,     // the connection is gone, `#` pieces of open SENDs came before. The session stays until close()
    unsent,     // of one on another shard (policy/far_legs.h): what send() had called `sent` was not written after all
  };
  Kind kind = Kind::closed;
  EndHandle end;
  std::uint64_t owner = 0;  // what open() was given
  EndToken token;           // piece (the same in all pieces of one SEND), nickname

  // piece: `first` and `last` of its SEND; one that is there as a whole is one fact with both. The SENDs of one session
  // come one after the other, their messages perhaps mixed (T-68).
  bool first = false;
  bool last = false;
  Flag flag = Flag::end;  // when last: '$' end of the message, '+' more follows in another SEND, '#' it is aborted
  const Head* head = nullptr;        // of the SEND or NICKNAME; Spans count from head_bytes
  std::string_view head_bytes;
  std::uint64_t start = 1;           // number of this piece's first byte in the message, from 1
  std::uint64_t total = ByteRange::unknown;  // as the sender says; with '$' what it turned out to be
  core::Slice body;                  // no buffer when there are no bytes

  std::uint64_t mark = 0;            // answered
  std::uint16_t status = 0;          // answered, report, failed
  std::string_view message_id;       // piece, report
  ByteRange range;                   // report
  std::string_view nickname;         // without its quotes and escapes; empty: removal (R7701-3)

  [[nodiscard]] std::string_view operator()(Span span) const { return span.of(head_bytes); }
};

// One SEND, the same for all legs. Nothing of it is kept but what the connections are given.
struct EndSend {
  // Header lines with their CRLFs, Content-Type last when there is a body: Message-ID, Success-Report, Failure-Report
  // (which must say what `failure` says), what came with a forwarded message. Without Byte-Range.
  std::string_view headers{};
  FailureReport failure = FailureReport::yes;  // no: nobody answers. partial: errors only, and silence is none (R4975-8)
  std::uint64_t mark = 0;    // comes back in `answered`
  bool tell_200 = true;      // `answered` also for 200; false: for errors and 408 alone
  bool has_body = true;      // false: headers without Content-Type, and no bytes
  std::uint64_t start = 1;   // number of the first byte
  std::uint64_t total = ByteRange::unknown;
  bool with_range = true;    // whole messages may go without (R4975-5)
  std::string_view prefix{};  // the body is prefix and then `body`; copied
  core::Slice body{};        // by reference above 1 KiB
  Flag flag = Flag::end;
  // The session whose bytes these are, passed on as they come: it is not read while this peer is slow. What had been read
  // of it by then is written beyond the limits on what may wait (its connection must not carry others' sessions, too).
  EndHandle source{};
};

}  // namespace parley::msrp
