// policy/sip_questions.cc - what was asked of other shards. Mail between shards may be lost (core/seam.h), so nothing
// waits for an answer without an end. See sip_service.h.
#include "policy/sip_service.h"

namespace parley::policy {

using core::Metric;

// Each waits for its request, so there are no more than transactions; those of streams end with their answer, though.
bool SipService::may_ask() {
  if (questions_.size() < config_->transactions.transactions_max) return true;
  count(Metric::sip_questions_limit);
  return false;
}

void SipService::asked(bool registers, core::SlotId id) {
  while (!questions_.empty() && answered(questions_.front())) questions_.pop_front();
  questions_.push_back({now_.mono + config_->shard_answer, registers, id});
}

bool SipService::answered(const ShardQuestion& question) {
  if (question.registers) return transactions_.request_of(question.id).empty();
  const Proxied* const p = proxied_.get(question.id);
  return p == nullptr || !p->waits_for_bindings;
}

// What has been promised to several is not given up for trouble of ours. True: it is sent again some time later.
bool SipService::later(const Proxied& p) {
  if (p.errand == nullptr || p.errand->client != Errand::Client::copy) return false;
  exploder_.on_no_room(p.errand->call, p.errand->number);
  return true;
}

void SipService::give_up_questions() {
  while (!questions_.empty()) {
    const ShardQuestion question = questions_.front();
    const bool over = answered(question);
    if (!over && question.until > now_.mono) return;
    questions_.pop_front();
    if (over) continue;
    count(Metric::sip_questions_lost);
    if (question.registers) {
      const Received* const request = replay(question.id, transactions_.flow_of(question.id));
      if (request != nullptr) responder_.answer(*request, question.id, 503);
    } else {
      Proxied& p = *proxied_.get(question.id);
      if (!later(p)) final_of_ours(p, 503);
      drop(p);
    }
  }
}

}  // namespace parley::policy
