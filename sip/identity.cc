// sip/identity.cc - see identity.h.
#include "sip/identity.h"

#include <algorithm>
#include <array>

#include "core/text.h"
#include "sip/params.h"
#include "sip/uri.h"
#include "sip/value.h"

namespace parley::sip {
namespace {

using Key = std::array<char, 512>;

bool is_global_number(const Uri& uri) { return uri.user.starts_with('+'); }

bool is_phone(const Uri& uri) {
  return (uri.scheme == Scheme::sip || uri.scheme == Scheme::sips) && is_global_number(uri) &&
         core::equal_ignore_case(uri_parameter(uri, "user"), "phone");
}

// The digits of a global number, out of the key of its address of record: "tel:+49..." or "sip:+49...@host".
std::string_view number_of(const Uri& uri, Key& key) {
  std::string_view text = aor_key(uri, key.data(), key.size());
  if (text.empty()) return {};
  text.remove_prefix(4);
  return text.substr(0, text.find('@'));
}

void remove_if_there(const Head& head, HeaderId id, Edits& edits) {
  if (head.first(id) != nullptr) edits.remove(id);
}

}  // namespace

AssertedIdentity asserted_identity(const Head& head, std::string_view bytes) {
  AssertedIdentity found;
  for (const Header* h = head.first(HeaderId::p_asserted_identity); h != nullptr; h = head.next(*h)) {
    Items items(h->value.of(bytes));
    for (std::string_view item; items.next(item);) {
      Address address;
      Uri uri;
      if (!parse_address(item, address) || !parse_uri(address.uri, uri)) continue;
      const bool is_tel = uri.scheme == Scheme::tel;
      if (!is_tel && uri.scheme != Scheme::sip && uri.scheme != Scheme::sips) continue;
      Address& place = is_tel ? found.tel : found.sip;
      if (place.uri.empty()) place = address;
    }
  }
  return found;
}

bool same_user(std::string_view uri_a, std::string_view uri_b) {
  Uri a;
  Uri b;
  if (!parse_uri(uri_a, a) || !parse_uri(uri_b, b)) return false;
  // A number without '+' means something in its context only, which no key holds.
  if (a.scheme == Scheme::tel && b.scheme == Scheme::tel && !is_global_number(a)) return same_uri(a, b);
  Key key_a;
  Key key_b;
  if ((a.scheme == Scheme::tel) != (b.scheme == Scheme::tel)) {
    const Uri& tel = a.scheme == Scheme::tel ? a : b;
    const Uri& other = a.scheme == Scheme::tel ? b : a;
    if (!is_global_number(tel) || !is_phone(other)) return false;
    const std::string_view number = number_of(tel, key_a);
    return !number.empty() && number == number_of(other, key_b);
  }
  const std::string_view key = aor_key(a, key_a.data(), key_a.size());
  return !key.empty() && key == aor_key(b, key_b.data(), key_b.size());
}

std::string_view chosen_identity(const Head& head, std::string_view bytes, std::span<const std::string> own) {
  if (own.empty()) return {};
  const auto one_of_own = [own](std::string_view item) -> std::string_view {
    Address address;
    if (!parse_address(item, address)) return {};
    const auto found =
        std::find_if(own.begin(), own.end(), [&](const std::string& uri) { return same_user(uri, address.uri); });
    return found == own.end() ? std::string_view{} : std::string_view(*found);
  };
  for (const Header* h = head.first(HeaderId::p_preferred_identity); h != nullptr; h = head.next(*h)) {
    Items items(h->value.of(bytes));
    for (std::string_view item; items.next(item);) {
      if (const std::string_view chosen = one_of_own(item); !chosen.empty()) return chosen;
    }
  }
  const std::string_view from = one_of_own(head.value(HeaderId::from, bytes));
  return from.empty() ? std::string_view(own.front()) : from;
}

Privacy privacy_of(const Head& head, std::string_view bytes) {
  Privacy all;
  for (const Header* h = head.first(HeaderId::privacy); h != nullptr; h = head.next(*h)) {
    Privacy one;
    // Where it breaks a rule, what could be read of it still counts: who asks badly for privacy asks for privacy.
    (void)parse_privacy(h->value.of(bytes), one);
    all.none |= one.none;
    all.header |= one.header;
    all.session |= one.session;
    all.user |= one.user;
    all.id |= one.id;
    all.history |= one.history;
    all.critical |= one.critical;
    all.other |= one.other;
  }
  if (all.wanted()) all.none = false;
  return all;
}

void Edits::clear() {
  text_.clear();
  items_.clear();
}

void Edits::add(HeaderEdit::Kind kind, HeaderId id, std::string_view name, std::string_view value) {
  items_.push_back({.kind = kind,
                    .id = id,
                    .name_bytes = static_cast<std::uint32_t>(name.size()),
                    .offset = static_cast<std::uint32_t>(text_.size())});
  text_.append(name).append(value);
}

void Edits::remove(HeaderId id) { add(HeaderEdit::Kind::remove, id, {}, {}); }
void Edits::remove(std::string_view name) { add(HeaderEdit::Kind::remove, HeaderId::other, name, {}); }
void Edits::replace(HeaderId id, std::string_view value) { add(HeaderEdit::Kind::replace, id, {}, value); }
void Edits::append(HeaderId id, std::string_view value) { add(HeaderEdit::Kind::append, id, {}, value); }

std::span<const HeaderEdit> Edits::list() {
  edits_.clear();
  const std::string_view text = text_;
  for (std::size_t i = 0; i < items_.size(); ++i) {
    const Item& item = items_[i];
    const std::size_t end = i + 1 < items_.size() ? items_[i + 1].offset : text.size();
    const std::string_view whole = text.substr(item.offset, end - item.offset);
    edits_.push_back(
        {.kind = item.kind,
         .header = {.id = item.id, .value = whole.substr(item.name_bytes), .name = whole.substr(0, item.name_bytes)}});
  }
  return edits_;
}

namespace {

// What only members of the trust domain may say, and only to each other (RFC 7315 sections 4.5, 4.6; RFC 6050). Where a
// device is (P-Access-Network-Info) it tells itself, and nobody outside needs to know.
constexpr std::string_view served_user_name = "P-Served-User";
constexpr std::array trusted_only = {HeaderId::p_charging_vector, HeaderId::p_charging_function_addresses,
                                     HeaderId::p_asserted_service, HeaderId::p_visited_network_id};

const Header* find_served_user(const Head& head, std::string_view bytes) {
  for (const Header* h = head.first(HeaderId::other); h != nullptr; h = head.next(*h)) {
    if (core::equal_ignore_case(h->name.of(bytes), served_user_name)) return h;
  }
  return nullptr;
}

void remove_trusted_only(const Head& head, std::string_view bytes, Edits& edits) {
  for (const HeaderId id : trusted_only) remove_if_there(head, id, edits);
  if (find_served_user(head, bytes) != nullptr) edits.remove(served_user_name);
}

}  // namespace

ServedUser served_user(const Head& head, std::string_view bytes) {
  const Header* const header = find_served_user(head, bytes);
  Address address;
  if (header == nullptr || !parse_address(header->value.of(bytes), address)) return {};
  const std::string_view side = param_value(address.params, "sescase");
  return {.uri = address.uri,
          .side = core::equal_ignore_case(side, "orig")   ? ServedUser::Side::originating
                  : core::equal_ignore_case(side, "term") ? ServedUser::Side::terminating
                                                          : ServedUser::Side::unsaid};
}

void edit_from_untrusted(const Head& head, std::string_view bytes, std::span<const std::string_view> identities,
                         Edits& edits) {
  remove_if_there(head, HeaderId::p_asserted_identity, edits);
  remove_if_there(head, HeaderId::p_preferred_identity, edits);
  remove_trusted_only(head, bytes, edits);
  if (!may_assert_identity(head.method)) return;
  for (const std::string_view identity : identities) edits.append(HeaderId::p_asserted_identity, identity);
}

void edit_to_trusted(const Head& head, Edits& edits) { remove_if_there(head, HeaderId::p_preferred_identity, edits); }

void edit_to_untrusted(const Head& head, std::string_view bytes, const UntrustedConfig& config, Edits& edits) {
  remove_if_there(head, HeaderId::p_preferred_identity, edits);
  remove_if_there(head, HeaderId::p_access_network_info, edits);
  remove_trusted_only(head, bytes, edits);
  if (head.first(HeaderId::p_asserted_identity) == nullptr) return;
  const Privacy privacy = privacy_of(head, bytes);
  if (privacy.none) return;
  if (!privacy.id && !privacy.user && !privacy.header && config.keep_identity) return;
  edits.remove(HeaderId::p_asserted_identity);
  if (privacy.id) edit_served_privacy(head, bytes, Privacy{.id = true}, edits);
}

bool is_private_header(const Privacy& privacy, HeaderId id) {
  switch (id) {
    case HeaderId::p_asserted_identity: return privacy.id || privacy.user || privacy.header;
    case HeaderId::history_info: return privacy.history || privacy.header;
    case HeaderId::subject:
    case HeaderId::reply_to:
    case HeaderId::in_reply_to: return privacy.user;
    case HeaderId::call_info:
    case HeaderId::organization:
    case HeaderId::user_agent: return privacy.user || privacy.header;
    case HeaderId::server: return privacy.header;
    default: return false;
  }
}

void edit_served_privacy(const Head& head, std::string_view bytes, const Privacy& served, Edits& edits) {
  Privacy left = privacy_of(head, bytes);
  if (left.none || left.other || !left.wanted()) return;
  left.header = left.header && !served.header;
  left.session = left.session && !served.session;
  left.user = left.user && !served.user;
  left.id = left.id && !served.id;
  left.history = left.history && !served.history;
  if (left.wanted()) {
    std::array<char, privacy_bytes_max> text;
    core::TextOut out(text.data());
    put_privacy(out, left);
    edits.replace(HeaderId::privacy, {text.data(), out.size()});
    return;
  }
  edits.remove(HeaderId::privacy);
  // R3323-1: nobody further on has to know `privacy` then.
  if (head.first(HeaderId::proxy_require) == nullptr) return;
  std::string rest;
  bool had = false;
  for (const Header* h = head.first(HeaderId::proxy_require); h != nullptr; h = head.next(*h)) {
    Items items(h->value.of(bytes));
    for (std::string_view item; items.next(item);) {
      if (core::equal_ignore_case(item, "privacy")) {
        had = true;
        continue;
      }
      if (!rest.empty()) rest.append(", ");
      rest.append(item);
    }
  }
  if (!had) return;
  if (rest.empty()) {
    edits.remove(HeaderId::proxy_require);
  } else {
    edits.replace(HeaderId::proxy_require, rest);
  }
}

}  // namespace parley::sip
