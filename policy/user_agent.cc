// policy/user_agent.cc - see user_agent.h.
#include "policy/user_agent.h"

#include <utility>

#include "core/id_text.h"
#include "core/text.h"
#include "core/text_out.h"
#include "policy/own_names.h"
#include "sip/content_type.h"
#include "sip/dialog_headers.h"
#include "sip/response_route.h"
#include "sip/writer.h"

namespace parley::policy {

using core::Metric;
using sip::HeaderId;

UserAgent::UserAgent(const Parts& parts)
    : shard_(parts.shard),
      pool_(parts.pool),
      metrics_(parts.metrics),
      random_(parts.random),
      name_key_(parts.name_key),
      transactions_(parts.transactions),
      transport_(parts.transport),
      home_(parts.home),
      users_(parts.users),
      config_(parts.config),
      invite_config_{.t1 = parts.config->transactions.t1, .t2 = parts.config->transactions.t2},
      ways_(parts.shard, parts.transport) {}

std::optional<CallName> UserAgent::named(const Received& request) const {
  const sip::Essentials& e = request.essentials;
  if (e.to_tag.empty()) return std::nullopt;
  const auto name = named(e.to_tag);
  return name ? name : named(e.uri.user);
}

std::optional<CallName> UserAgent::named_beside(const Received& request) const {
  sip::Replaces replaced;
  sip::TargetDialog target;
  const std::string_view bytes = request.bytes;
  for (const HeaderId id : {HeaderId::replaces, HeaderId::join}) {
    if (!sip::parse_replaces(request.head.value(id, bytes), replaced)) continue;
    if (const auto name = named(replaced.to_tag)) return name;
  }
  return sip::parse_target_dialog(request.head.value(HeaderId::target_dialog, bytes), target) ? named(target.local_tag)
                                                                                              : std::nullopt;
}

bool UserAgent::next_errand(Errand& errand) {
  if (errands_.empty()) return false;
  errand = std::move(errands_.front());
  errands_.pop_front();
  return true;
}

void UserAgent::add_all(const Received& message, HeaderId id) {
  for (const sip::Header* header = message.head.first(id); header != nullptr; header = message.head.next(*header)) {
    add(id, header->value.of(message.bytes));
  }
}

void UserAgent::add_contact(std::string_view user, const sip::Flow& flow, bool secure, std::string_view features) {
  contact_ = "<";
  put_listener_uri(contact_, flow.transport, transport_.listener(flow), user, secure);
  contact_ += ">";
  contact_ += features;
  add(HeaderId::contact, contact_);
}

void UserAgent::add_timer(const sip::TimerAsk& ask) {
  if (ask.on) {
    expires_.resize(sip::session_expires_chars);
    expires_.resize(sip::session_expires_text(ask.expires, expires_.data()).size());
    add(HeaderId::session_expires, expires_);
  }
  if (ask.min_se != 0) {
    min_se_.clear();
    put_number(min_se_, ask.min_se);
    add(HeaderId::min_se, min_se_);
  }
}

void UserAgent::add_grant(const sip::TimerGrant& grant) {
  if (!grant.on) return;
  expires_.resize(sip::session_expires_chars);
  expires_.resize(sip::session_expires_text(grant.expires, expires_.data()).size());
  add(HeaderId::session_expires, expires_);
  if (grant.require) add(HeaderId::require, "timer");  // R4028-2
}

void UserAgent::compose(const Received& request, std::uint16_t status, std::string_view reason, std::string_view tag,
                        bool copy_record_route, std::string_view body) {
  sip::ReceivedText room;
  const sip::ResponseText text{.status = status,
                               .reason = reason,
                               .to_tag = request.essentials.to_tag.empty() ? tag : std::string_view{},
                               .copy_record_route = copy_record_route,
                               .stamp = sip::via_stamp(request.essentials.via, request.flow, room),
                               .headers = texts_,
                               .body_bytes = static_cast<std::uint32_t>(body.size())};
  const std::string_view head = request.bytes.substr(0, request.head.length);
  text_.resize(sip::response_bytes(request.head, head, text));
  core::TextOut out(text_.data());
  sip::put_response(out, request.head, head, text);
  text_ += body;
}

bool UserAgent::give_response(sip::TransactionId server, std::uint16_t status, std::string_view tag,
                              std::string_view reason, std::string_view body) {
  const Received* const request = stored(server);
  if (request == nullptr) return false;
  compose(*request, status, reason, tag, false, body);
  if (transactions_.respond(server, status, text_, now_) == sip::Responded::not_sent) {
    metrics_.add(Metric::sip_responses_unsent);
  }
  return true;
}

const sip::Received* UserAgent::stored(sip::TransactionId server) {
  const std::string_view bytes = transactions_.request_of(server);
  return bytes.empty() ? nullptr : stored_.read(bytes, transactions_.flow_of(server));
}

void UserAgent::put_call_id(std::string& out) {
  char letters[2 * core::letters64_chars];
  core::letters_encode64(random_.next(), letters);
  core::letters_encode64(random_.next(), letters + core::letters64_chars);
  out.assign(letters, sizeof letters);
}

void UserAgent::begin_own_message(std::string_view uri, std::string_view us, std::string_view content_type) {
  put_call_id(call_id_);
  us_.assign("<").append(us).append(">");
  message_.begin({.uri = uri,
                  .from = us_,
                  .from_tag = random_.next(),
                  .call_id = call_id_,
                  .user_agent = config_->im.product,
                  .asserted = us_});
  message_.add(HeaderId::accept_contact, "*;+g.oma.sip-im");
  message_.add(HeaderId::content_type, content_type);
}

void UserAgent::refuse_change(sip::TransactionId server, const sip::ChangeStep& step) {
  texts_.clear();
  const bool later = (step.actions & sip::change_do::answer_500) != 0;
  if (later) {
    min_se_.clear();
    put_number(min_se_, step.retry_after_seconds);
    add(HeaderId::retry_after, min_se_);
  }
  (void)give_response(server, later ? 500 : 491, {});
}

bool UserAgent::grant_change(sip::SessionTimer& timer, sip::TimerGrant& grant, const Received& request,
                             sip::TransactionId server) {
  grant = timer.grant(config_->calls.timer, sip::read_timer(request.head, request.bytes));
  if (!grant.refuse) return true;
  texts_.clear();
  min_se_.clear();
  put_number(min_se_, grant.min_se);
  add(HeaderId::min_se, min_se_);
  (void)give_response(server, 422, {});
  return false;
}

bool UserAgent::has_sdp(const Received& message) {
  if (message.body.empty()) return false;
  sip::ContentType type;
  if (!sip::parse_content_type(message.head.value(HeaderId::content_type, message.bytes), type)) return false;
  return sip::is_type(type, "application", "sdp") || core::equal_ignore_case(type.type, "multipart");
}

bool UserAgent::take_allow(const Received& message, std::string& text, sip::MethodSet& methods) {
  text.clear();
  methods = {};
  const sip::Header* line = message.head.first(HeaderId::allow);
  const bool there = line != nullptr;
  for (; line != nullptr; line = message.head.next(*line)) {
    const std::string_view value = line->value.of(message.bytes);
    sip::add_methods(value, methods);
    if (!text.empty() && !value.empty()) text += ", ";
    text += value;
  }
  return there;
}

void UserAgent::keep_way(const Way& way, std::uint32_t interval_seconds) {
  if (!way.back || !way.flow.reliable()) return;
  Errand errand;
  errand.kind = Errand::Kind::keep;
  errand.flow = way.flow;
  errand.until = now_ + 2 * std::chrono::seconds(interval_seconds);
  errands_.push_back(std::move(errand));
}

void UserAgent::put_ack(Errand errand, std::string_view text) {
  errand.kind = Errand::Kind::ack;
  errand.method = Method::ack;
  errand.text = text;
  errands_.push_back(std::move(errand));
}

std::uint32_t UserAgent::end_surplus(const Errand& way, sip::EarlyDialog& other, std::uint32_t invite_cseq,
                                     std::uint32_t number) {
  other.dialog.write({.method = "ACK", .cseq = invite_cseq}, text_);
  put_ack(way, text_);
  if (other.dialog.state() == sip::DialogState::terminated) return 0;
  metrics_.add(core::Metric::sip_calls_surplus);
  Errand errand = way;
  errand.number = number;
  errand.method = Method::bye;
  const std::uint32_t cseq = other.dialog.next_cseq();
  other.dialog.write({.method = "BYE", .cseq = cseq}, errand.text);
  other.dialog.terminate();
  errands_.push_back(std::move(errand));
  return cseq;
}

}  // namespace parley::policy
