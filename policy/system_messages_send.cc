// policy/system_messages_send.cc - system messages on their way to their users' devices, and what comes of it. See
// system_messages.h.
#include <utility>

#include "core/check.h"
#include "core/id_text.h"
#include "policy/own_names.h"
#include "policy/system_messages.h"

namespace parley::policy {

using core::Metric;
using sip::HeaderId;

void SystemMessages::queue(Message& message) {
  to_send_.push_back(message.self);
  send_more();
}

void SystemMessages::send_more() {
  while (running_ < config_->im.system.parallel && !to_send_.empty() && !draining_) {
    Message* const message = messages_.get(to_send_.front());
    to_send_.pop_front();
    if (message != nullptr && message->state == State::sending) send(*message);
  }
}

// OMA-SYS-1, OMA-SYS-2. The same message has the same Call-ID each time.
void SystemMessages::send(Message& message) {
  const core::SystemMessageRow& row = message.row;
  ++running_;
  ++message.number;
  message.status = 0;
  const SystemMessageOrder order{.user = row.aor,
                                 .text = row.text,
                                 .language = row.language,
                                 .answer_within_s = row.answer_within_s,
                                 .options = read_options(row.options).value_or(std::vector<SystemMessageOption>{})};
  char boundary[core::letters64_chars];
  core::letters_encode64(random_.next(), boundary);
  const SystemMessageBody body = system_message_body(order, std::to_string(row.id), {boundary, sizeof boundary});
  char id[core::letters64_chars];
  core::letters_encode64(row.id, id);
  std::string call_id("system-");
  call_id.append(id, sizeof id).append("@").append(config_->domains.empty() ? config_->realm : config_->domains.front());
  const std::string us = "<" + config_->im.system.uri + ">";
  std::string expires;
  put_number(expires, row.answer_within_s);
  message_.begin({.uri = row.aor,
                  .from = us,
                  .from_tag = random_.next(),
                  .call_id = call_id,
                  .user_agent = config_->im.product,
                  .asserted = us});
  message_.add(HeaderId::accept_contact, "*;+g.oma.sip-im;+g.oma.sip-im.system-message");
  if (row.answer_within_s != 0) message_.add(HeaderId::expires, expires);  // nobody on its way keeps it for longer
  message_.add(HeaderId::content_type, body.type);
  Errand errand;
  errand.client = Errand::Client::system;
  errand.call = message.self;
  errand.number = message.number;
  message_.put(body.body, errand);
  errand.aor = row.aor;
  errand.by_core = true;
  errands_.push_back(std::move(errand));
}

// What one device refuses another may take.
void SystemMessages::on_response(core::SlotId id, std::uint32_t number, std::uint16_t status) {
  Message* const message = messages_.get(id);
  if (message == nullptr || message->number != number || status < 200) return;
  if (message->status >= 200 && message->status < 300) return;
  message->status = status;
  if (status >= 300 || message->state != State::sending) return;
  metrics_.add(Metric::im_system_taken);
  message->row.status = status;
  happens(*message, message->row.answer_within_s == 0 ? Event::taken : Event::taken_to_answer);
}

void SystemMessages::on_over(core::SlotId id, std::uint32_t number) {
  CHECK(running_ != 0);
  --running_;
  Message* const message = messages_.get(id);
  if (message != nullptr && message->number == number && message->state == State::sending) {
    const std::uint16_t status = message->status == 0 ? std::uint16_t{408} : message->status;
    metrics_.add(Metric::im_system_failed);
    message->row.status = status;
    out_->log(core::LogRecord::Level::warn, "system_message_failed id=" + std::to_string(message->row.id) +
                                                " user=" + message->row.aor + " status=" + std::to_string(status));
    happens(*message, Event::not_taken);
  }
  send_more();
}

}  // namespace parley::policy
