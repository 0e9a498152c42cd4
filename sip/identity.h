// sip/identity.h - who a request is from, as far as its headers may be believed, and what has to change in them where
// trust ends (RFC 3325, RFC 3323, RFC 5876).
//
// Reads heads and makes lists of edits for sip/writer.h; decides nothing about trust: the caller knows which peers are
// trusted and which user has proved himself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/check.h"
#include "sip/address.h"
#include "sip/head.h"
#include "sip/privacy.h"
#include "sip/writer.h"

namespace parley::sip {

// P-Asserted-Identity has no meaning in these (R3325-2).
[[nodiscard]] constexpr bool may_assert_identity(Method method) {
  return method != Method::ack && method != Method::cancel;
}

// R3325-1, T-5: the first sip or sips URI and the first tel URI, from one header or several. Further values, other
// schemes and what is no address do not count. Empty uri: none.
struct AssertedIdentity {
  Address sip;
  Address tel;
  [[nodiscard]] bool any() const { return !sip.uri.empty() || !tel.uri.empty(); }
  // The one to name the sender by.
  [[nodiscard]] const Address& best() const { return sip.uri.empty() ? tel : sip; }
};
[[nodiscard]] AssertedIdentity asserted_identity(const Head& head, std::string_view bytes);

// Which of the user's own identities a request is sent under: what P-Preferred-Identity asks for if it is among them,
// else From if it is, else the first. T-8: a tel URI and a sip URI with user=phone for the same number are one
// identity. `own` are URIs; not empty. The answer points into `own`.
[[nodiscard]] std::string_view chosen_identity(const Head& head, std::string_view bytes,
                                               std::span<const std::string> own);

// Whether two URIs name one user (R3261-15, T-8): the keys of their addresses of record are equal; of a number also
// with and without a domain.
[[nodiscard]] bool same_user(std::string_view uri_a, std::string_view uri_b);

// The value of a Privacy header as it governs a message: all of its headers; `none` beside others, or what is no token,
// counts as not said. Absent: nothing is wanted.
[[nodiscard]] Privacy privacy_of(const Head& head, std::string_view bytes);

// P-Served-User (RFC 5502): whom a serving core asks a server to serve, and on which side of a session; to be believed
// from the trust domain alone. Empty uri: it does not say.
struct ServedUser {
  enum class Side : std::uint8_t { unsaid, originating, terminating };
  std::string_view uri;
  Side side = Side::unsaid;
};
[[nodiscard]] ServedUser served_user(const Head& head, std::string_view bytes);

// Edits and the texts they hold. Scratch: kept and reused.
class Edits {
 public:
  void clear();
  void remove(HeaderId id);
  void remove(std::string_view name);
  void replace(HeaderId id, std::string_view value);
  void append(HeaderId id, std::string_view value);
  // For ForwardText. Valid until something is added or cleared.
  [[nodiscard]] std::span<const HeaderEdit> list() LIFETIME_BOUND;

 private:
  struct Item {
    HeaderEdit::Kind kind = HeaderEdit::Kind::remove;
    HeaderId id = HeaderId::other;
    std::uint32_t name_bytes = 0;  // the name of another header stands before the value
    std::uint32_t offset = 0;
  };
  void add(HeaderEdit::Kind kind, HeaderId id, std::string_view name, std::string_view value);
  std::string text_;
  std::vector<Item> items_;
  std::vector<HeaderEdit> edits_;
};

// From somebody who is not trusted: his assertions go, and with them what else only the trust domain may say
// (P-Charging-Vector, P-Served-User and their like); ours come. `identities` are addresses or URIs in brackets as
// they are to stand in P-Asserted-Identity; none when he has not proved who he is.
void edit_from_untrusted(const Head& head, std::string_view bytes, std::span<const std::string_view> identities,
                         Edits& edits);

struct UntrustedConfig {
  bool keep_identity = true;  // P-Asserted-Identity goes out when Privacy says neither id nor none (RFC 3325 section 7)
};
// To somebody who is not trusted: P-Asserted-Identity goes when it is to be private and stays with `none` (R3325-1,
// T-7). The `id` of Privacy is served by that and goes (R3323-1). From is never touched here: only an end of the dialog
// can change it. What the trust domain keeps to itself (charging, access network) stays inside.
void edit_to_untrusted(const Head& head, std::string_view bytes, const UntrustedConfig& config, Edits& edits);
// To somebody who is trusted: P-Preferred-Identity never goes on.
void edit_to_trusted(const Head& head, Edits& edits);

// R3323-2, for an end of the dialog that serves `user` and `header`: what the next request must not carry over.
// Identities are anonymised by the composer, with these:
inline constexpr std::string_view anonymous_address = "\"Anonymous\" <sip:anonymous@anonymous.invalid>";
inline constexpr std::string_view anonymous_uri = "sip:anonymous@anonymous.invalid";
[[nodiscard]] bool is_private_header(const Privacy& privacy, HeaderId id);
// Privacy and Proxy-Require after `served` was done: tokens that are left stay, and headers without tokens go. With a
// token that is not known nothing is touched (R3323-1).
void edit_served_privacy(const Head& head, std::string_view bytes, const Privacy& served, Edits& edits);

}  // namespace parley::sip
