// sip/dialog.h - what two peers agree on for all requests that follow the first one: who they are to each other, where
// requests go and in which order they count (RFC 3261 section 12; R3261-5, R3261-8).
//
// State only: nothing is sent and no time passes here. One per peer relation, owned by what uses it (an INVITE, a
// subscription); core-local. Its texts stand in one heap block of the shard's pool, at most dialog_bytes_max.
//
// A usage is a reason for the dialog to exist. Several share a dialog and the last one to end ends it (R6665-5, T-33).
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "core/pool.h"
#include "sip/cseq.h"
#include "sip/head.h"
#include "sip/kept_bytes.h"
#include "sip/verdict.h"
#include "sip/writer.h"

namespace parley::sip {

inline constexpr std::uint32_t dialog_bytes_max = 16 * 1024;  // a route of 64 proxies with 200 bytes each, and the rest
inline constexpr std::size_t dialog_routes_max = 70;          // more hops than Max-Forwards lets a request make

enum class DialogState : std::uint8_t { early, confirmed, terminated };

// Why no dialog was made or changed.
enum class DialogFault : std::uint8_t {
  none,
  no_contact,  // UAS: 400. Or one that is no SIP address
  bad_route,   // a Record-Route that cannot be read: 400
  no_tag,      // a peer without a tag where one has to be
  too_long,    // above dialog_bytes_max or dialog_routes_max: 513
  no_memory,   // 503
};
[[nodiscard]] std::string_view to_string(DialogFault fault);
// What a UAS answers to the request that was to make the dialog; 0: nothing is wrong.
[[nodiscard]] std::uint16_t refusal(DialogFault fault);

// What a request in a dialog deserves before its method is looked at (RFC 3261 section 12.2.2).
enum class DialogCheck : std::uint8_t {
  ok,
  out_of_order,  // 500
  gone,          // 481: the dialog has ended
};

// How much of it a final response to a request of ours ends (RFC 5057 section 5.1; RFC 3261 section 12.2.1.2).
enum class DialogLoss : std::uint8_t { nothing, usage, dialog };
// `status` of a response, or 408 when none came.
[[nodiscard]] DialogLoss dialog_loss(std::uint16_t status);

// INVITE, UPDATE, SUBSCRIBE, NOTIFY, REFER: their Contact, and that of a 2xx to them, moves the remote target.
[[nodiscard]] bool refreshes_target(Method method);

// The request of ours that may open dialogs, as it was sent.
struct OpeningRequest {
  std::string_view call_id;
  std::string_view from;  // header value with our tag
  std::string_view to;    // header value without a tag
  std::string_view uri;
  std::uint32_t cseq = 0;
  bool secure = false;  // to a sips URI and over TLS
};

// A request to write: what the dialog does not know.
struct DialogRequest {
  std::string_view method;
  std::uint32_t cseq = 0;
  std::string_view via{};  // value of our Via with its branch; none: whoever sends it adds it
  std::span<const HeaderText> headers{};
  std::string_view content_type{};  // none without a body
  std::string_view body{};
};

// What another process needs to go on with a dialog: header values with their tags, URIs, routes as route_set() says.
struct DialogRecord {
  std::string_view call_id;
  std::string_view local;
  std::string_view remote;
  std::string_view target;
  std::string_view routes;
  std::uint32_t local_cseq = 0;   // of the last request that may have been sent
  std::uint32_t remote_cseq = 0;  // of the last one that came
  bool secure = false;
};

class Dialog {
 public:
  // The pool outlives the dialog.
  explicit Dialog(core::Pool& pool) : pool_(&pool) {}
  Dialog(Dialog&&) noexcept = default;
  Dialog& operator=(Dialog&&) noexcept = default;

  // --- how it begins and grows ---

  // As UAS (12.1.1): `bytes` is the request without To tag, `local_tag` the tag of our responses. `secure`: it came for
  // a sips URI and over TLS. A From without tag is taken as an empty one (RFC 2543 peers).
  [[nodiscard]] DialogFault accept(const Head& request, std::string_view bytes, const Essentials& essentials,
                                   std::string_view local_tag, bool secure);
  // As UAC (12.1.2), by a 101-199 with To tag or a 2xx. A response without Contact leaves the request's URI as target:
  // the ACK has to go somewhere.
  [[nodiscard]] DialogFault open(const OpeningRequest& ours, const Head& response, std::string_view bytes,
                                 const Essentials& essentials);
  // As the sender of a SUBSCRIBE or REFER whose NOTIFY came first (RFC 6665 section 4.4.1). Confirmed.
  [[nodiscard]] DialogFault open_by_notify(const OpeningRequest& ours, const Head& notify, std::string_view bytes,
                                           const Essentials& essentials);
  // Of an earlier process. Confirmed.
  [[nodiscard]] DialogFault restore(const DialogRecord& record);
  // Another record of the same dialog: numbers go on behind both.
  void go_on_behind(const DialogRecord& record);
  // The 2xx of the request that opened it: early becomes confirmed and the route set is what the 2xx says (13.2.2.4).
  // With a fault the route set stays as it was; it is confirmed all the same.
  DialogFault confirm(const Head& response, std::string_view bytes);
  // Our own 2xx went out.
  void confirm() {
    if (state_ == DialogState::early) state_ = DialogState::confirmed;
  }
  void terminate() { state_ = DialogState::terminated; }

  // --- who it is ---

  [[nodiscard]] DialogState state() const { return state_; }
  [[nodiscard]] bool made() const { return !text_.empty(); }
  [[nodiscard]] bool secure() const { return secure_; }
  [[nodiscard]] bool owns_call_id() const { return owns_call_id_; }
  // Views into the dialog's block: until it next changes.
  [[nodiscard]] std::string_view call_id() const LIFETIME_BOUND { return of(call_id_); }
  [[nodiscard]] std::string_view local() const LIFETIME_BOUND { return of(local_); }    // header value with tag
  [[nodiscard]] std::string_view remote() const LIFETIME_BOUND { return of(remote_); }  // header value with tag
  [[nodiscard]] std::string_view local_tag() const LIFETIME_BOUND { return of(local_tag_); }
  [[nodiscard]] std::string_view remote_tag() const LIFETIME_BOUND { return of(remote_tag_); }
  [[nodiscard]] std::string_view local_uri() const LIFETIME_BOUND { return of(local_uri_); }
  [[nodiscard]] std::string_view remote_uri() const LIFETIME_BOUND { return of(remote_uri_); }
  [[nodiscard]] std::string_view remote_target() const LIFETIME_BOUND { return of(target_); }
  [[nodiscard]] std::string_view route_set() const LIFETIME_BOUND { return of(routes_); }  // "<a;lr>, <b;lr>"
  [[nodiscard]] bool is(std::string_view call_id, std::string_view local_tag, std::string_view remote_tag) const;

  // --- requests received in it ---

  // Of every request but ACK and CANCEL; remembers its CSeq (gaps are fine). An equal number is as bad as a lower one:
  // a repetition of the same request has been met by its transaction.
  [[nodiscard]] DialogCheck receive(const Essentials& essentials);
  // T-25: an ACK belongs to the INVITE of that CSeq in this dialog, whatever its branch, Route or URI.
  [[nodiscard]] bool acknowledges(const Essentials& ack, std::uint32_t invite_cseq) const;
  // The Contact of a request that was answered with 2xx, or of a 2xx to such a request of ours; nothing happens when it
  // has none. Call it only where refreshes_target(method).
  DialogFault refresh(const Head& message, std::string_view bytes);

  // --- requests of ours ---

  // 0 when the numbers are used up (2^31-1): the dialog must end.
  [[nodiscard]] std::uint32_t next_cseq() { return local_cseq_ == cseq_max ? 0 : ++local_cseq_; }
  [[nodiscard]] std::uint32_t local_cseq() const { return local_cseq_; }
  [[nodiscard]] std::uint32_t remote_cseq() const { return remote_cseq_; }
  // Where the next hop is looked up: the first route, else the target (12.2.1.1).
  [[nodiscard]] std::string_view next_hop() const LIFETIME_BOUND {
    return routes_.length == 0 ? of(target_) : of(first_);
  }
  // Writes the whole request into `out`, whose old contents go. An ACK to a 2xx is one like any other, with the CSeq of
  // its INVITE and the credentials of it (R3261-8, copy_credentials).
  void write(const DialogRequest& request, std::string& out) const;

  // --- usages ---

  void begin_usage() { ++usages_; }
  // True: it was the last one, the dialog is terminated.
  [[nodiscard]] bool end_usage();
  [[nodiscard]] std::uint16_t usages() const { return usages_; }

 private:
  struct Span16 {
    std::uint16_t offset = 0;
    std::uint16_t length = 0;
  };
  static_assert(dialog_bytes_max < 65536);
  struct Parts;
  struct Composer;

  [[nodiscard]] std::string_view of(Span16 span) const LIFETIME_BOUND {
    return text_.view().substr(span.offset, span.length);
  }
  [[nodiscard]] DialogFault compose(const Parts& parts);
  [[nodiscard]] Parts parts() const;
  template <class Out>
  void put(Out& out, const DialogRequest& request) const;

  core::Pool* pool_;
  KeptBytes text_;
  Span16 call_id_, local_, remote_, local_tag_, remote_tag_, local_uri_, remote_uri_;
  Span16 target_;       // without brackets; these stand around it in the block
  Span16 routes_;       // as one Route value
  Span16 first_;        // the first route's URI
  Span16 rest_;         // strict first route: the routes behind it
  Span16 request_uri_;  // what goes into the request line
  std::uint32_t local_cseq_ = 0;
  std::uint32_t remote_cseq_ = 0;
  std::uint16_t usages_ = 0;
  DialogState state_ = DialogState::early;
  bool secure_ = false;
  bool owns_call_id_ = false;
  bool remote_cseq_known_ = false;
  bool strict_ = false;  // the first route is no loose router
};

// Authorization and Proxy-Authorization of an INVITE, which its ACK repeats (RFC 3261 section 22.1). How many of `out`.
[[nodiscard]] std::size_t copy_credentials(const Head& invite, std::string_view bytes, std::span<HeaderText> out);

}  // namespace parley::sip
