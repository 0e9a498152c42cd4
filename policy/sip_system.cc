// policy/sip_system.cc - between the system message function (system_messages.h) and the messages of SipService: orders of
// operators, answers of users, and who is held back on all shards. See sip_service.h.
#include <algorithm>
#include <charconv>
#include <utility>

#include "core/json_text.h"
#include "policy/documents.h"
#include "policy/service_mail.h"
#include "policy/sip_service.h"
#include "policy/user_key.h"

namespace parley::policy {

using core::Metric;
using sip::HeaderId;
using sip::Method;

namespace {

std::uint64_t number_of(std::string_view text, std::uint64_t otherwise) {
  (void)std::from_chars(text.data(), text.data() + text.size(), otherwise);
  return otherwise;
}

std::string error(std::string_view why) {
  std::string json = "{\"error\":";
  core::put_json_string(json, why);
  return json.append("}");
}

}  // namespace

// --- operators

// Empty: it is answered later.
std::string SipService::answer_system(const core::AdminRequest& request) {
  using Kind = core::AdminRequest::Kind;
  if (request.kind == Kind::list_system_messages) return system_.list(number_of(request.argument, 1000));
  if (request.kind == Kind::close_system_message) {
    const bool closed = system_.close(number_of(request.argument, 0));
    tell_system();
    return closed ? "{\"closed\":true}" : "{\"closed\":false}";
  }
  if (!config_->im.participating) return error("system messages need the role participating");
  auto order = read_order(request.argument);
  if (!order) return error("it can not be read");
  const std::string uri =
      completed_uri(order->user, config_->domains.empty() ? std::string_view(config_->realm) : config_->domains.front());
  sip::Uri user;
  const bool ours =
      sip::parse_uri(uri, user) && !user.user.empty() && (user.scheme == sip::Scheme::tel || home_.names_us(user));
  if (ours) order->user = std::string(home_.aor_of(user, aor_));
  if (!ours || order->user.empty()) return error("that is no user of ours");
  if (!home_.has(order->user)) return "{}";  // another one answers
  system_.order(request.id, std::move(*order));
  return {};
}

// --- answers of users

// To the system identity, whoever sends it and whatever its shape.
bool SipService::about_system(const Received& request, const Routing& routing) {
  if (!config_->im.participating || request.head.method != Method::message || !routing.local || routing.token) return false;
  if (!routing.next_route.empty() && routing.own_routes == 0) return false;
  sip::Uri own;
  if (!sip::parse_uri(config_->im.system.uri, own) || !sip::same_escaped(own.user, routing.parsed.user)) return false;
  std::string known;
  return home_.aor_of(routing.parsed, aor_) == home_.aor_of(own, known);
}

// OMA-SYS-3, OMA-SYS-7. No check of the participating functions comes before it but the rate: what answers is never held
// back (DEC-22).
void SipService::on_system_answer(const Received& request, const sip::RequestMatch& match, const Sender& sender) {
  if (!uas_checks(request) || !asks_within_rate(request, sender)) return;
  const sip::TransactionId server = claimed(request, match);
  if (!server.valid()) return;
  sip::Uri uri;
  std::string aor;
  if (sender.kind == Sender::Kind::unknown || !sip::parse_uri(parties_.identity_of(request, sender), uri) ||
      home_.aor_of(uri, aor).empty()) {
    finish_answer(server, request, 403);
    return;
  }
  SystemAnswer given;
  const SystemAnswerError error = read_system_answer(request, given);
  if (error != SystemAnswerError::none) {
    count(Metric::im_system_bad_answers);
    finish_answer(server, request, error == SystemAnswerError::type ? 415 : 400);
    return;
  }
  if (!may_ask()) {
    finish_answer(server, request, 503);
    return;
  }
  const std::uint32_t owner_shard = home_.shard_of(aor);
  if (owner_shard != shard_) {
    asked(true, server);
    MailWriter(mail_, ServiceMail::answer).put(server.packed()).text(aor).text(given.id).text(given.option);
    transport_.send_mail(owner_shard, mail_);
    return;
  }
  const std::uint16_t status = system_.answer(
      {.aor = aor, .id = given.id, .option = given.option, .shard = shard_, .server = server.packed()});
  if (status != 0) finish_answer(server, request, status);
  tell_system();
}

void SipService::finish_answer(sip::TransactionId server, const Received& request, std::uint16_t status) {
  lines_.clear();
  lines_.add(HeaderId::server, config_->im.product);
  if (status == 415) lines_.add(HeaderId::accept, system_message_type);
  responder_.answer(request, server, status, lines_.headers());
}

void SipService::finish_answer(std::uint64_t packed, std::uint16_t status) {
  const auto server = core::SlotId::unpack(packed);
  const Received* const request = replay(server, transactions_.flow_of(server));
  if (request != nullptr) finish_answer(server, *request, status);
}

void SipService::on_system_mail(std::uint32_t from, std::string_view mail) {
  MailReader in(mail);
  switch (in.take<ServiceMail>()) {
    case ServiceMail::answer: {
      const auto server = in.take<std::uint64_t>();
      const std::string_view aor = in.text();
      const std::string_view id = in.text();
      const std::string_view option = in.text();
      if (!in.good()) return;
      const std::uint16_t status =
          system_.answer({.aor = aor, .id = id, .option = option, .shard = from, .server = server});
      if (status != 0) tell_answered({.shard = from, .server = server, .status = status});
      tell_system();
      return;
    }
    case ServiceMail::answered: {
      const auto server = in.take<std::uint64_t>();
      const auto status = in.take<std::uint16_t>();
      if (in.good()) finish_answer(server, status);
      return;
    }
    case ServiceMail::held: {
      const bool back = in.take<bool>();
      const std::string_view aor = in.text();
      if (in.good()) hold_back(aor, back);
      return;
    }
    default: return;
  }
}

void SipService::tell_answered(const SystemMessages::Answered& answered) {
  if (answered.shard == shard_) {
    finish_answer(answered.server, answered.status);
    return;
  }
  MailWriter(mail_, ServiceMail::answered).put(answered.server).put(answered.status);
  transport_.send_mail(answered.shard, mail_);
}

// What has come of orders, answers and time. Who is held back is so wherever his requests arrive; that mail is not lost, and
// there are no more of it than messages.
void SipService::tell_system() {
  for (SystemMessages::Held held; system_.next_held(held);) {
    hold_back(held.aor, held.back);
    for (std::uint32_t other = 0; other < shard_count_; ++other) {
      if (other == shard_) continue;
      MailWriter(mail_, ServiceMail::held).put(held.back).text(held.aor);
      transport_.send_mail(other, mail_, true);
    }
  }
  for (SystemMessages::Answered answered; system_.next_answered(answered);) tell_answered(answered);
}

// --- who is held back

// What merely names one of our messages (In-Reply-To) may go anywhere, so it is no answer: the way to us is.
void SipService::hold_back(std::string_view aor, bool back) {
  const std::string user = user_key(aor);
  if (!back) {
    participating_.overdue_answers().clear(user);
  } else if (!participating_.overdue_answers().mark(user, config_->im.system.uri, {})) {
    count(Metric::im_system_unheld);
  }
}

}  // namespace parley::policy
