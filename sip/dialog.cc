// sip/dialog.cc - see dialog.h.
#include "sip/dialog.h"

#include <algorithm>
#include <cstring>

#include "core/check.h"
#include "sip/address.h"
#include "sip/params.h"
#include "sip/uri.h"
#include "sip/value.h"
#include "sip/writer_lines.h"

namespace parley::sip {
namespace {

// The routes of a message in the order in which this side goes through them.
struct Routes {
  std::array<std::string_view, dialog_routes_max> items;
  std::size_t count = 0;
};

// Record-Route from the top down (12.1.1), for a UAC from the bottom up (12.1.2).
DialogFault read_routes(const Head& head, std::string_view bytes, bool reverse, Routes& out) {
  for (const Header* line = head.first(HeaderId::record_route); line != nullptr; line = head.next(*line)) {
    Items items(line->value.of(bytes));
    for (std::string_view item; items.next(item);) {
      Address address;
      Uri uri;
      if (!parse_address(item, address) || !parse_uri(address.uri, uri) || uri.scheme == Scheme::other) {
        return DialogFault::bad_route;
      }
      if (out.count == out.items.size()) return DialogFault::too_long;
      out.items[out.count++] = item;
    }
    if (!items.ok()) return DialogFault::bad_route;
  }
  if (reverse) std::reverse(out.items.begin(), out.items.begin() + static_cast<std::ptrdiff_t>(out.count));
  return DialogFault::none;
}

bool bracketed(std::string_view item) { return item.find('<') != std::string_view::npos; }

// A route without brackets gets them around everything: its ";lr" was meant for the URI.
template <class Out>
void put_route(Out& out, std::string_view item) {
  if (!bracketed(item)) out.put('<');
  put_unfolded(out, item);
  if (!bracketed(item)) out.put('>');
}

template <class Out>
void put_routes(Out& out, const Routes& routes) {
  for (std::size_t i = 0; i < routes.count; ++i) {
    if (i != 0) out.put(", ");
    put_route(out, routes.items[i]);
  }
}

// Without what a Request-URI must not have: the method parameter and headers (RFC 3261 section 19.1.1, table 1).
template <class Out>
void put_request_uri(Out& out, std::string_view text) {
  Uri uri;
  if (!parse_uri(text, uri) || (uri.headers.data() == nullptr && !has_uri_parameter(uri, "method"))) {
    out.put(text);
    return;
  }
  if (uri.headers.data() != nullptr) text = text.substr(0, text.find('?'));
  if (uri.parameters.data() == nullptr) {
    out.put(text);
    return;
  }
  std::string_view rest = text.substr(static_cast<std::size_t>(uri.parameters.data() - text.data()));
  out.put(text.substr(0, text.size() - rest.size() - 1));
  while (!rest.empty()) {
    const std::string_view one = rest.substr(0, rest.find(';'));
    rest.remove_prefix(std::min(rest.size(), one.size() + 1));
    if (!core::equal_ignore_case(one.substr(0, one.find('=')), "method")) out.put(';').put(one);
  }
}

// The first Contact's URI when it is one that requests can be sent to.
std::string_view contact_uri(const Head& head, std::string_view bytes) {
  std::string_view value = head.value(HeaderId::contact, bytes);
  Address address;
  Uri uri;
  if (value.empty() || !take_address(value, address) || address.star) return {};
  return parse_uri(address.uri, uri) && uri.scheme != Scheme::other ? address.uri : std::string_view{};
}

}  // namespace

std::string_view to_string(DialogFault fault) {
  switch (fault) {
    case DialogFault::none: return "none";
    case DialogFault::no_contact: return "no_contact";
    case DialogFault::bad_route: return "bad_route";
    case DialogFault::no_tag: return "no_tag";
    case DialogFault::too_long: return "too_long";
    case DialogFault::no_memory: return "no_memory";
  }
  return "";
}

std::uint16_t refusal(DialogFault fault) {
  switch (fault) {
    case DialogFault::none: return 0;
    case DialogFault::no_contact:
    case DialogFault::bad_route:
    case DialogFault::no_tag: return 400;
    case DialogFault::too_long: return 513;
    case DialogFault::no_memory: return 503;
  }
  return 500;
}

DialogLoss dialog_loss(std::uint16_t status) {
  switch (status) {
    case 404:
    case 410:
    case 416:
    case 482:
    case 483:
    case 484:
    case 485:
    case 502:
    case 604: return DialogLoss::dialog;  // 5057 5.1
    case 405:
    case 480:
    case 481:
    case 489:
    case 501: return DialogLoss::usage;  // 5057 5.1
    case 408: return DialogLoss::usage;  // 5057 5.2: as if no answer had come
    default: return DialogLoss::nothing;
  }
}

bool refreshes_target(Method method) {
  switch (method) {
    case Method::invite:     // 3261 12.2.1.1
    case Method::update:     // 3311 5.1
    case Method::subscribe:  // 6665 4.4.1
    case Method::notify:
    case Method::refer: return true;  // 3515 2.4.4
    default: return false;
  }
}

// What a block is made of. Views into a message, or into the block that it replaces.
struct Dialog::Parts {
  std::string_view call_id;
  std::string_view local;  // header values; a tag is put behind one when it is not empty
  std::string_view remote;
  std::string_view new_local_tag{};
  std::string_view new_remote_tag{};
  std::string_view target;
  Routes routes;
};

// Writes the block, or counts it, and notes where everything stands.
struct Dialog::Composer {
  template <class Out>
  static Span16 note(Out& out, std::uint32_t from) {
    return {static_cast<std::uint16_t>(from), static_cast<std::uint16_t>(out.size() - from)};
  }
  template <class Out, class Put>
  static Span16 piece(Out& out, const Put& put) {
    const std::uint32_t from = out.size();
    put();
    return note(out, from);
  }
  template <class Out>
  static Span16 address(Out& out, std::string_view value, std::string_view tag) {
    return piece(out, [&] {
      put_unfolded(out, value);
      if (!tag.empty()) out.put(";tag=").put(tag);
    });
  }

  template <class Out>
  static void put(Out& out, const Parts& parts, bool strict, Dialog& spans) {
    spans.call_id_ = piece(out, [&] { out.put(parts.call_id); });
    spans.local_ = address(out, parts.local, parts.new_local_tag);
    spans.remote_ = address(out, parts.remote, parts.new_remote_tag);
    out.put('<');
    spans.target_ = piece(out, [&] { out.put(parts.target); });
    out.put('>');
    spans.routes_ = piece(out, [&] { put_routes(out, parts.routes); });
    spans.request_uri_ = piece(out, [&] {
      Address first;
      const bool use_first = strict && parse_address(parts.routes.items[0], first);
      put_request_uri(out, use_first ? first.uri : parts.target);
    });
  }
};

namespace {

bool is_strict(std::string_view item) {
  Address address;
  Uri uri;
  if (!parse_address(item, address)) return false;
  if (!parse_uri(address.uri, uri)) return false;
  if (!bracketed(item)) return !has_param(address.params, "lr");
  return !has_uri_parameter(uri, "lr");
}

}  // namespace

// All or nothing: the old block stays until the new one is whole.
DialogFault Dialog::compose(const Parts& parts) {
  const bool strict = parts.routes.count != 0 && is_strict(parts.routes.items[0]);
  Dialog fresh(*pool_);
  core::TextSize size;
  Composer::put(size, parts, strict, fresh);
  if (size.size() > dialog_bytes_max) return DialogFault::too_long;
  char* const room = fresh.text_.take(*pool_, size.size());
  if (room == nullptr) return DialogFault::no_memory;
  core::TextOut out(room);
  Composer::put(out, parts, strict, fresh);
  CHECK(out.size() == size.size());

  const auto inside = [&](std::string_view view) {
    return Span16{static_cast<std::uint16_t>(view.data() == nullptr ? 0 : view.data() - room),
                  static_cast<std::uint16_t>(view.size())};
  };
  Address local;
  Address remote;
  (void)parse_address(fresh.of(fresh.local_), local);
  (void)parse_address(fresh.of(fresh.remote_), remote);
  local_uri_ = inside(local.uri);
  remote_uri_ = inside(remote.uri);
  local_tag_ = inside(param_value(local.params, "tag"));
  remote_tag_ = inside(param_value(remote.params, "tag"));
  first_ = rest_ = {};
  if (parts.routes.count != 0) {
    std::string_view routes = fresh.of(fresh.routes_);
    Address first;
    (void)take_address(routes, first);
    first_ = inside(first.uri);
    rest_ = inside(trim(routes));
  }
  call_id_ = fresh.call_id_;
  local_ = fresh.local_;
  remote_ = fresh.remote_;
  target_ = fresh.target_;
  routes_ = fresh.routes_;
  request_uri_ = fresh.request_uri_;
  strict_ = strict;
  text_ = std::move(fresh.text_);
  return DialogFault::none;
}

Dialog::Parts Dialog::parts() const {
  Parts parts{.call_id = call_id(), .local = local(), .remote = remote(), .target = remote_target(), .routes = {}};
  Items items(route_set());
  for (std::string_view item; parts.routes.count < dialog_routes_max && items.next(item);) {
    parts.routes.items[parts.routes.count++] = item;
  }
  return parts;
}

DialogFault Dialog::accept(const Head& request, std::string_view bytes, const Essentials& essentials,
                           std::string_view local_tag, bool secure) {
  Parts parts{.call_id = essentials.call_id,
              .local = request.value(HeaderId::to, bytes),
              .remote = request.value(HeaderId::from, bytes),
              .new_local_tag = local_tag,
              .target = contact_uri(request, bytes),
              .routes = {}};
  if (parts.target.empty()) return DialogFault::no_contact;
  DialogFault fault = read_routes(request, bytes, false, parts.routes);
  if (fault == DialogFault::none) fault = compose(parts);
  if (fault != DialogFault::none) return fault;
  secure_ = secure;
  remote_cseq_ = essentials.cseq.number;
  remote_cseq_known_ = true;
  return DialogFault::none;
}

DialogFault Dialog::open(const OpeningRequest& ours, const Head& response, std::string_view bytes,
                         const Essentials& essentials) {
  if (essentials.to_tag.empty() && response.status < 200) return DialogFault::no_tag;
  const std::string_view contact = contact_uri(response, bytes);
  Parts parts{.call_id = ours.call_id,
              .local = ours.from,
              .remote = ours.to,
              .new_remote_tag = essentials.to_tag,
              .target = contact.empty() ? ours.uri : contact,
              .routes = {}};
  DialogFault fault = read_routes(response, bytes, true, parts.routes);
  if (fault == DialogFault::none) fault = compose(parts);
  if (fault != DialogFault::none) return fault;
  secure_ = ours.secure;
  owns_call_id_ = true;
  local_cseq_ = ours.cseq;
  if (response.status >= 200) confirm();
  return DialogFault::none;
}

DialogFault Dialog::open_by_notify(const OpeningRequest& ours, const Head& notify, std::string_view bytes,
                                   const Essentials& essentials) {
  if (essentials.from_tag.empty()) return DialogFault::no_tag;
  Parts parts{.call_id = ours.call_id,
              .local = ours.from,
              .remote = ours.to,
              .new_remote_tag = essentials.from_tag,
              .target = contact_uri(notify, bytes),
              .routes = {}};
  if (parts.target.empty()) return DialogFault::no_contact;
  DialogFault fault = read_routes(notify, bytes, false, parts.routes);  // it is the NOTIFY that we answer: UAS order
  if (fault == DialogFault::none) fault = compose(parts);
  if (fault != DialogFault::none) return fault;
  secure_ = ours.secure;
  owns_call_id_ = true;
  local_cseq_ = ours.cseq;
  remote_cseq_ = essentials.cseq.number;
  remote_cseq_known_ = true;
  confirm();
  return DialogFault::none;
}

DialogFault Dialog::restore(const DialogRecord& record) {
  Parts parts{.call_id = record.call_id,
              .local = record.local,
              .remote = record.remote,
              .target = record.target,
              .routes = {}};
  Uri uri;
  Address local;
  if (!parse_uri(record.target, uri) || uri.scheme == Scheme::other) return DialogFault::no_contact;
  if (record.call_id.empty() || !parse_address(record.local, local) || param_value(local.params, "tag").empty()) {
    return DialogFault::no_tag;
  }
  Items items(record.routes);
  for (std::string_view item; items.next(item);) {
    if (parts.routes.count == parts.routes.items.size()) return DialogFault::too_long;
    parts.routes.items[parts.routes.count++] = item;
  }
  if (!items.ok()) return DialogFault::bad_route;
  const DialogFault fault = compose(parts);
  if (fault != DialogFault::none) return fault;
  secure_ = record.secure;
  remote_cseq_known_ = true;
  go_on_behind(record);
  confirm();
  return DialogFault::none;
}

void Dialog::go_on_behind(const DialogRecord& record) {
  local_cseq_ = std::max(local_cseq_, std::min<std::uint32_t>(record.local_cseq, cseq_max));
  remote_cseq_ = std::max(remote_cseq_, record.remote_cseq);
}

DialogFault Dialog::confirm(const Head& response, std::string_view bytes) {
  const bool was_early = state_ == DialogState::early;
  confirm();
  Parts fresh = parts();
  if (const std::string_view contact = contact_uri(response, bytes); !contact.empty()) fresh.target = contact;
  if (was_early) {
    fresh.routes.count = 0;
    const DialogFault fault = read_routes(response, bytes, true, fresh.routes);
    if (fault != DialogFault::none) return fault;
  }
  return compose(fresh);
}

bool Dialog::is(std::string_view call, std::string_view local, std::string_view remote) const {
  return call_id() == call && local_tag() == local && remote_tag() == remote;
}

DialogCheck Dialog::receive(const Essentials& essentials) {
  if (state_ == DialogState::terminated) return DialogCheck::gone;
  if (remote_cseq_known_ && essentials.cseq.number <= remote_cseq_) return DialogCheck::out_of_order;
  remote_cseq_ = essentials.cseq.number;
  remote_cseq_known_ = true;
  return DialogCheck::ok;
}

bool Dialog::acknowledges(const Essentials& ack, std::uint32_t invite_cseq) const {
  return ack.cseq.method == Method::ack && ack.cseq.number == invite_cseq && is(ack.call_id, ack.to_tag, ack.from_tag);
}

DialogFault Dialog::refresh(const Head& message, std::string_view bytes) {
  const std::string_view contact = contact_uri(message, bytes);
  if (contact.empty() || contact == remote_target()) return DialogFault::none;
  Parts fresh = parts();
  fresh.target = contact;
  return compose(fresh);
}

template <class Out>
void Dialog::put(Out& out, const DialogRequest& request) const {
  out.put(request.method).put(' ').put(of(request_uri_)).put(" SIP/2.0\r\n");
  if (!request.via.empty()) put_line(out, "Via", request.via);
  if (routes_.length != 0) {
    if (!strict_) {
      put_line(out, "Route", of(routes_));  // 12.2.1.1: the first one is a loose router
    } else {
      if (rest_.length != 0) put_line(out, "Route", of(rest_));
      out.put("Route: <").put(of(target_)).put(">\r\n");
    }
  }
  put_line(out, "Max-Forwards", "70");
  put_line(out, "From", of(local_));
  put_line(out, "To", of(remote_));
  put_line(out, "Call-ID", of(call_id_));
  out.put("CSeq: ").number(request.cseq).put(' ').put(request.method).put("\r\n");
  for (const HeaderText& header : request.headers) put_header(out, header);
  if (!request.body.empty()) put_line(out, "Content-Type", request.content_type);
  put_end(out, static_cast<std::uint32_t>(request.body.size()));
  out.put(request.body);
}

void Dialog::write(const DialogRequest& request, std::string& out) const {
  CHECK(made());
  core::TextSize size;
  put(size, request);
  out.resize(size.size());
  core::TextOut text(out.data());
  put(text, request);
}

bool Dialog::end_usage() {
  CHECK(usages_ != 0);
  if (--usages_ != 0) return false;
  terminate();
  return true;
}

std::size_t copy_credentials(const Head& invite, std::string_view bytes, std::span<HeaderText> out) {
  std::size_t count = 0;
  for (const HeaderId id : {HeaderId::authorization, HeaderId::proxy_authorization}) {
    for (const Header* line = invite.first(id); line != nullptr; line = invite.next(*line)) {
      if (count == out.size()) return count;
      out[count++] = {.id = id, .value = line->value.of(bytes)};
    }
  }
  return count;
}

}  // namespace parley::sip
