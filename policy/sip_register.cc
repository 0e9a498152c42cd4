// policy/sip_register.cc - REGISTER, and look-ups of bindings, on this shard or the one that owns the address of
// record. See sip_service.h.
#include <algorithm>
#include <utility>

#include "policy/service_mail.h"
#include "policy/sip_service.h"
#include "sip/address.h"
#include "sip/uri.h"

namespace parley::policy {

using core::Metric;
using sip::HeaderId;
using sip::Method;

// --- REGISTER

void SipService::on_register(const Received& request, const sip::RequestMatch& match, const Sender& sender) {
  if (!uas_checks(request)) return;
  sip::Uri to;
  if (!sip::parse_uri(request.essentials.to.uri, to)) {
    responder_.refuse(request, 400, {}, "Bad To");
    return;
  }
  if (!home_.names_us(to) || to.user.empty()) {  // RFC 3261 section 10.3 step 5
    responder_.refuse(request, 404);
    return;
  }
  if (sender.kind == Sender::Kind::user && !sip::same_escaped(to.user, sender.user)) {  // step 4
    responder_.refuse(request, 403);
    return;
  }
  if (home_.aor_of(to, aor_).empty()) {
    responder_.refuse(request, 404);
    return;
  }
  // TS 24.229 section 5.4.1.7: From is the S-CSCF that speaks for the user in To.
  const bool third_party =
      sender.kind == Sender::Kind::trusted && !sip::same_user(request.essentials.from.uri, request.essentials.to.uri);
  const std::uint32_t owner_shard = home_.shard_of(aor_);
  if (owner_shard != shard_ && !may_ask()) {
    responder_.refuse(request, 503);
    return;
  }
  const sip::TransactionId server = claimed(request, match);
  if (!server.valid()) return;
  if (owner_shard != shard_) {
    asked(true, server);
    MailWriter(mail_, ServiceMail::register_)
        .put(server.packed())
        .put(request.flow)
        .put(third_party)
        .text(aor_)
        .text(request.bytes);
    transport_.send_mail(owner_shard, mail_);
    return;
  }
  register_here(request, aor_, third_party);
  sip::RegisterAnswer& a = register_answer_;
  finish_register(server, request, {a.status, a.granted_s, a.flow_timer_s}, a.headers.headers());
}

void SipService::register_here(const Received& request, std::string_view aor, bool third_party) {
  sip::register_bindings({.aor = aor,
                          .head = request.head,
                          .bytes = request.bytes,
                          .essentials = request.essentials,
                          .flow = request.flow,
                          .associated = associated_,
                          .third_party = third_party},
                         config_->registrar, now_, location_, metrics_, register_answer_);
}

void SipService::finish_register(sip::TransactionId server, const Received& request, const Registered& done,
                                 std::span<const sip::HeaderText> headers) {
  if (done.status == 200 && done.granted_s != 0) {
    // R5626-3: half as long again as it was told. Pages in browsers do not know of it: they can not send keep-alives.
    const bool promised =
        request.flow.transport == core::Transport::tcp || request.flow.transport == core::Transport::tls;
    keep(request.flow, now_.mono + std::chrono::seconds(done.granted_s) + config_->transport.idle,
         promised ? std::chrono::milliseconds(1500) * done.flow_timer_s : core::Duration{});
    admission_.granted(request, done.granted_s);
  }
  if (done.status == 200) count(Metric::sip_registered);
  responder_.answer(request, server, done.status, headers);
}

// Somebody relies on this connection, of whichever shard.
void SipService::keep(const Flow& flow, core::Instant until, core::Duration silence_max) {
  if (!flow.reliable()) return;
  if (flow.shard == shard_) {
    transport_.keep_until(flow, until, silence_max);
    return;
  }
  MailWriter(mail_, ServiceMail::keep).put(flow).put(until).put(silence_max);
  transport_.send_mail(flow.shard, mail_);
}

// --- look-ups

void SipService::look_up(Proxied& p, const Received& request) {
  const std::uint32_t owner_shard = home_.shard_of(p.aor);
  const bool keeps = config_->im.deferred.on && ((p.im == ImKind::pager && p.method == Method::message) ||
                                                 (p.im == ImKind::large_message && p.method == Method::invite));
  if (owner_shard == shard_) {
    on_bindings(p, request, location_.bindings(p.aor), settings_.of(p.aor),
                keeps && deferred_.users() != 0 && deferred_.comes_after_others(p.aor, message_sender(p, request)));
    return;
  }
  if (!may_ask()) {
    if (!later(p)) final_of_ours(p, 503);
    drop(p);
    return;
  }
  p.waits_for_bindings = true;
  asked(false, p.self);
  const std::string_view sender = keeps ? message_sender(p, request) : std::string_view{};
  MailWriter(mail_, ServiceMail::look_up).put(p.self.packed()).text(p.aor).text(sender);
  transport_.send_mail(owner_shard, mail_);
}

// Of the user who begins a call. The call does not wait: an answer that never comes is a history that is not kept.
void SipService::ask_settings(core::SlotId call, std::string_view aor) {
  const std::uint32_t owner_shard = home_.shard_of(aor);
  if (owner_shard == shard_) {
    calls_.on_settings(call, Leg::a, settings_.of(aor));
    return;
  }
  MailWriter(mail_, ServiceMail::settings).put(call.packed()).text(aor);
  transport_.send_mail(owner_shard, mail_);
}

void SipService::tell_flow_closed(std::uint32_t shard, const Flow& flow) {
  MailWriter(mail_, ServiceMail::flow_closed).put(flow);
  transport_.send_mail(shard, mail_);
}

void SipService::on_service_mail(std::uint32_t from, std::string_view mail) {
  MailReader in(mail);
  switch (in.take<ServiceMail>()) {
    case ServiceMail::look_up: {
      const auto context = in.take<std::uint64_t>();
      const std::string_view aor = in.text();
      const std::string_view sender = in.text();
      if (!in.good()) return;
      value_.clear();
      sip::encode_bindings(value_, location_.bindings(aor));
      MailWriter(mail_, ServiceMail::bindings)
          .put(context)
          .put(settings_.of(aor))
          .put(!sender.empty() && deferred_.comes_after_others(aor, sender))
          .text(value_);
      transport_.send_mail(from, mail_);
      return;
    }
    case ServiceMail::bindings: {
      Proxied* const p = proxied_.get(core::SlotId::unpack(in.take<std::uint64_t>()));
      const auto settings = in.take<ImSettings>();
      const bool others_wait = in.take<bool>();
      const std::string_view encoded = in.text();
      if (p == nullptr || !p->waits_for_bindings || !in.good()) return;
      p->waits_for_bindings = false;
      const Received* const request = request_of(*p);
      if (request == nullptr) {
        drop(*p);
        return;
      }
      if (!sip::decode_bindings(encoded, decoded_)) decoded_.clear();
      on_bindings(*p, *request, decoded_, settings, others_wait);
      return;
    }
    case ServiceMail::register_: {
      const auto server = in.take<std::uint64_t>();
      const auto flow = in.take<Flow>();
      const bool third_party = in.take<bool>();
      const std::string_view aor = in.text();
      const std::string_view bytes = in.text();
      const Received* const request = in.good() ? read_again(bytes, flow) : nullptr;
      if (request == nullptr) return;
      register_here(*request, aor, third_party);
      MailWriter out(mail_, ServiceMail::registered);
      sip::RegisterAnswer& a = register_answer_;
      out.put(server).put(Registered{a.status, a.granted_s, a.flow_timer_s});
      for (const sip::HeaderText& header : register_answer_.headers.headers()) out.put(header.id).text(header.value);
      transport_.send_mail(from, mail_);
      return;
    }
    case ServiceMail::registered: {
      const auto server = core::SlotId::unpack(in.take<std::uint64_t>());
      const auto done = in.take<Registered>();
      lines_.clear();
      while (!in.empty() && in.good()) {
        const auto id = in.take<HeaderId>();
        lines_.add(id, in.text());
      }
      const Received* const request = replay(server, transactions_.flow_of(server));
      if (request == nullptr || !in.good()) return;
      finish_register(server, *request, done, lines_.headers());
      return;
    }
    case ServiceMail::flow_closed: {
      const auto flow = in.take<Flow>();
      if (in.good()) lose(flow);
      return;
    }
    case ServiceMail::keep: {
      const auto flow = in.take<Flow>();
      const auto until = in.take<core::Instant>();
      const auto silence_max = in.take<core::Duration>();
      if (in.good()) transport_.keep_until(flow, until, silence_max);
      return;
    }
    case ServiceMail::settings: {
      const auto call = in.take<std::uint64_t>();
      const std::string_view aor = in.text();
      if (!in.good()) return;
      MailWriter(mail_, ServiceMail::settled).put(call).put(settings_.of(aor));
      transport_.send_mail(from, mail_);
      return;
    }
    case ServiceMail::settled: {
      const auto call = core::SlotId::unpack(in.take<std::uint64_t>());
      const auto settings = in.take<ImSettings>();
      if (in.good()) calls_.on_settings(call, Leg::a, settings);
      return;
    }
    case ServiceMail::deferred: {
      const bool tried = in.take<bool>();
      const std::string_view aor = in.text();
      const std::string_view sender = in.text();
      if (!in.good()) return;
      deferred_.added(aor, sender, tried);
      watch_.changed(aor);
      return;
    }
    case ServiceMail::history_changed: {
      const std::string_view aor = in.text();
      if (in.good()) history_lists_.changed(aor);
      return;
    }
    case ServiceMail::list_changed: {
      const bool reminds = in.take<bool>();
      const std::string_view aor = in.text();
      if (in.good()) news_.list_changed(aor, reminds);
      return;
    }
    case ServiceMail::fetched: {
      const auto id = in.take<std::uint64_t>();
      const std::string_view aor = in.text();
      if (in.good()) news_.fetched(aor, id);
      return;
    }
    case ServiceMail::answer:
    case ServiceMail::answered:
    case ServiceMail::held: on_system_mail(from, mail); return;
  }
}

// --- stored requests

const sip::Received* SipService::read_again(std::string_view bytes, const Flow& flow) {
  return reader_->read(bytes, flow, config_->transport.head);
}

// Null when it has been answered, or its transaction is gone.
const sip::Received* SipService::replay(sip::TransactionId server, const Flow& source) {
  const std::string_view bytes = transactions_.request_of(server);
  return bytes.empty() ? nullptr : read_again(bytes, source);
}

}  // namespace parley::policy
