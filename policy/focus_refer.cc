// policy/focus_refer.cc - REFER to the focus: who is brought in and who is made to go (RFC 3515, RFC 4488, RFC 4579
// section 5, RFC 5368; OMA-SES-6, OMA-SES-7, R3515-1, R5368-1, T-50). MESSAGE to it (OMA-SES-10). See focus.h.
#include <algorithm>
#include <utility>

#include "core/text.h"
#include "policy/entry_headers.h"
#include "policy/focus.h"
#include "policy/own_names.h"
#include "policy/owner.h"
#include "policy/user_key.h"
#include "sip/address.h"
#include "sip/dialog_headers.h"
#include "sip/multipart.h"
#include "sip/value.h"

namespace parley::policy {

using core::Metric;
using sip::HeaderId;

namespace {

bool names_part(std::string_view cid, const BodyPart& part) {
  return !part.content_id.empty() && sip::same_content_id(part.content_id, cid);
}

}  // namespace

struct Focus::Referral {
  std::uint16_t status = 0;  // of the refusal
  std::string warning;
  bool expels = false;
  bool himself = false;      // and he is its sender
  bool subscribes = true;    // its sender is to hear of the outcome
  bool echoes = false;       // Refer-Sub: false
  Recipients targets;
  std::vector<std::string> by;  // keys of its sender
};

std::uint16_t Focus::judge_refer(const FocusSession& s, const Received& request, std::string_view identity,
                                 bool anonymous, Referral& referral) {
  const auto refuse = [&referral](std::uint16_t status, std::string warning = {}) {
    referral.warning = std::move(warning);
    return status;
  };
  const auto too_many = [&] {  // OMA-GRP-5
    return refuse(403, "too many recipients, at most " + std::to_string(recipients_max()));
  };
  referral.by = home_.keys_of(identity);
  const sip::Header* const line = request.head.first(HeaderId::refer_to);
  sip::Address target;
  if (line == nullptr || request.head.next(*line) != nullptr ||
      !sip::parse_address(line->value.of(request.bytes), target)) {
    return refuse(400);  // R3515-1: exactly one
  }
  // RFC 4488: both say so, or there is a subscription.
  const std::string_view said = sip::trim(request.head.value(HeaderId::refer_sub, request.bytes));
  referral.echoes = core::equal_ignore_case(said.substr(0, 5), "false");
  referral.subscribes = !referral.echoes;

  constexpr std::string_view cid = "cid:";
  if (core::equal_ignore_case(target.uri.substr(0, cid.size()), cid)) {
    const InviteBody body = read_invite_body(request);
    if (body.refusal != 0) return refuse(body.refusal);
    std::vector<ResourceList> lists;
    for (const BodyPart& part : body.lists) {
      // T-50: the only list is the one that is meant, whatever its name.
      if (body.lists.size() > 1 && !names_part(target.uri.substr(cid.size()), part)) continue;
      lists.emplace_back();
      if (parse_resource_list(part.body, lists.back())) return refuse(400, "recipient list can not be read");
    }
    if (lists.empty()) return refuse(400, "no recipient list");
    referral.targets = recipients_of(lists, config_->focus.list);
    referral.targets.join(home_.numbers_of(referral.targets.list));
    if (referral.targets.left_out != 0) return too_many();
    if (referral.targets.all_failed()) return refuse(404);
    referral.subscribes = false;  // R5368-1
    referral.echoes = true;
  } else {
    sip::Uri uri;
    if (!sip::parse_uri(target.uri, uri)) return refuse(400);
    if (uri.scheme == sip::Scheme::other) return refuse(416);
    const std::string_view method = sip::uri_parameter(uri, "method");
    referral.expels = method == "BYE";
    if (!method.empty() && method != "INVITE" && !referral.expels) return refuse(403, "no such REFER");
    (void)referral.targets.add(entry_target(target.uri), CopyControl::to);
    if (referral.targets.list.empty()) return refuse(404);  // OMA-GRP-8: nobody who can be named
  }

  const bool starter = has_key(referral.by, user_key(s.originator_uri));
  const auto may = [&](GroupAction action) { return group_lets(s, referral.by, anonymous, action); };
  if (referral.expels) {  // OMA-SES-7: to leave oneself is no expulsion
    referral.himself = has_key(referral.by, referral.targets.list.front().key);
    const bool allowed = referral.himself || starter || (s.group != nullptr && may(GroupAction::expelling));
    return allowed ? std::uint16_t{0} : refuse(403, "not allowed to expel");
  }
  if (s.of_two()) return refuse(403, "a session of two");  // OMA-SES-12
  if (s.distribution) return refuse(403, "it goes to whom it was sent");
  if (s.group != nullptr && !may(GroupAction::invite_users_dynamically)) return refuse(403, "not allowed to invite");
  const std::uint32_t max =
      s.group == nullptr ? config_->focus.participants_per_session_max
                         : s.group->max_participants().value_or(config_->focus.participants_per_session_max);
  if (s.in + s.inviting + s.waiting.size() + referral.targets.list.size() > max) {
    return refuse(403, "session is full");
  }
  if (referral.targets.list.size() > recipients_max()) return too_many();
  return 0;
}

// In the dialog of a participant.
void Focus::on_refer(Participant& p, const Received& request, sip::TransactionId server) {
  FocusSession& s = session_of(p);
  Referral referral;
  const std::uint16_t refusal = p.stand == Participant::Stand::in
                                    ? judge_refer(s, request, p.uri, p.anonymous, referral)
                                    : std::uint16_t{403};
  texts_.clear();
  if (refusal != 0) {
    if (!referral.warning.empty()) {
      put_warning(referral.warning);
      add(HeaderId::warning, warning_);
    }
    respond(server, refusal);
    warning_.clear();
    return;
  }
  if (referral.subscribes && s.refers.size() >= config_->focus.refers_max) {
    metrics_.add(Metric::sip_session_refers_limit);
    add(HeaderId::retry_after, "10");
    respond(server, 500);  // T-86
    return;
  }
  (void)p.dialog->refresh(request.head, request.bytes);
  add_contact(s.name, p.way.flow, p.dialog->secure(), p.features);
  add(HeaderId::server, config_->im.product);
  if (referral.echoes) add(HeaderId::refer_sub, "false");
  respond(server, referral.subscribes ? 202 : 200);
  FocusRefer* told = nullptr;
  if (referral.subscribes) {
    s.refers.push_back({.number = ++s.numbers,
                        .cseq = request.essentials.cseq.number,
                        .by = p.self,
                        .dialog = p.dialog,
                        .until = now_ + refer_duration_max});
    told = &s.refers.back();
    told->event = "refer";
    if (p.refers++ != 0) {  // R3515-1
      told->event += ";id=";
      put_number(told->event, request.essentials.cseq.number);
    }
  }
  carry_out_refer(s, referral, told);
}

std::uint16_t Focus::refer(const Received& request, const sip::RequestMatch& match, const Outside& outside) {
  lines_.clear();
  refusal_body_.clear();
  FocusSession* const s = sessions_.get(outside.session);
  if (s == nullptr || s->ending) return 404;
  Participant* const p = participant_of(*s, request, outside.identity);
  if (p == nullptr) return 403;
  Referral referral;
  if (const std::uint16_t status = judge_refer(*s, request, p->uri, p->anonymous, referral); status != 0) {
    if (!referral.warning.empty()) {
      put_warning(referral.warning);
      lines_.add(HeaderId::warning, warning_);
      warning_.clear();
    }
    return status;
  }
  if (referral.subscribes && s->refers.size() >= config_->focus.refers_max) {
    metrics_.add(Metric::sip_session_refers_limit);
    return busy();
  }
  FocusRefer refer{.number = ++s->numbers,
                   .cseq = request.essentials.cseq.number,
                   .event = "refer",
                   .until = now_ + refer_duration_max};
  refer.tag = make_call_name({static_cast<std::uint16_t>(shard_), s->self, NameKind::session}, name_key_, random_);
  refer.dialog = std::make_shared<sip::Dialog>(pool_);
  if (referral.subscribes) {
    const sip::DialogFault fault =
        refer.dialog->accept(request.head, request.bytes, request.essentials, refer.tag, request.secure());
    if (fault != sip::DialogFault::none) return sip::refusal(fault);
    refer.dialog->confirm();
    refer.way = {.flow = request.flow, .back = request.flow.reliable()};
    if (!refer.way.back) refer.way.flow.shard = static_cast<std::uint16_t>(shard_);
  }
  const sip::TransactionId server = transactions_.open_server(request, match, 0, now_);
  if (!server.valid()) return 503;
  texts_.clear();
  add_contact(s->name, request.flow, request.secure(), features_toward(*s, p->oma_client));
  add(HeaderId::server, config_->im.product);
  if (referral.echoes) add(HeaderId::refer_sub, "false");
  respond(server, referral.subscribes ? 202 : 200, refer.tag);
  FocusRefer* told = nullptr;
  if (referral.subscribes) {
    s->refers.push_back(std::move(refer));
    told = &s->refers.back();
  }
  carry_out_refer(*s, referral, told);
  settle(*s);
  return 0;
}

// Who sends a request to the session identity: one of his dialogs, that which Target-Dialog names if it does. Its ids
// alone prove nothing here: everybody on the way of that dialog has seen them (RFC 4538 section 8, R4538-1).
Participant* Focus::participant_of(FocusSession& s, const Received& request, std::string_view identity) {
  const std::vector<std::string> keys = home_.keys_of(identity);
  sip::TargetDialog target;
  const bool named = sip::parse_target_dialog(request.head.value(HeaderId::target_dialog, request.bytes), target);
  Participant* found = nullptr;
  for (const core::SlotId id : s.participants) {
    Participant* const p = participants_.get(id);
    if (p == nullptr || p->stand != Participant::Stand::in || !has_key(keys, p->key)) continue;
    if (named && p->dialog->is(target.call_id, target.local_tag, target.remote_tag)) return p;
    // By the name that he gives now before another one of his: he may be in by both, and hidden by one.
    if (found == nullptr || (found->key != keys.front() && p->key == keys.front())) found = p;
  }
  return found;
}

// `told` may be null: nobody asks. References into the session's REFERs end here.
void Focus::carry_out_refer(FocusSession& s, const Referral& referral, FocusRefer* told) {
  const std::uint32_t number = told == nullptr ? 0 : told->number;
  if (told != nullptr) {
    told->open = static_cast<std::uint32_t>(referral.targets.list.size());
    send_refer_notify(s, *told, 100);  // first
  }
  if (referral.expels) {
    const std::vector<std::string> keys =
        referral.himself ? referral.by : home_.keys_of(referral.targets.list.front().uri);
    // OMA-SES-9 is for those who have left: he comes in again when he is named again. By whichever of his names he was.
    const auto is_he = [&](const Recipient& recipient) { return home_.same_user(keys, recipient.key); };
    if (!referral.himself && std::erase_if(s.recipients.list, is_he) != 0) store(s);
    expel(s, keys, number);
    return;
  }
  for (const Recipient& target : referral.targets.list) {
    if (is_here(s, home_.keys_of(target.uri))) {  // T-51
      if (number != 0) refer_outcome(s, number, 200);
      continue;
    }
    forget_recipients(s);
    (void)s.recipients.add(target.uri, target.copy);
    s.peopled = true;
    s.waiting.push_back({.uri = entry_target(target.uri),
                         .headers = target.uri.substr(std::min(target.uri.find('?'), target.uri.size())),
                         .key = target.key,
                         .display = target.display_name,
                         .refer = number});
  }
  store(s);
  invite_more(s);
}

// Whoever was named once may come again (OMA-SES-9); when there are too many, the first of those who are not here may not.
void Focus::forget_recipients(FocusSession& s) {
  auto& list = s.recipients.list;
  if (list.size() < config_->focus.participants_per_session_max) return;
  metrics_.add(Metric::sip_session_refers_limit);
  const auto absent = std::find_if(list.begin(), list.end(), [&](const Recipient& recipient) {
    return !is_here(s, home_.keys_of(recipient.uri));
  });
  if (absent != list.end()) list.erase(absent);
}

bool Focus::is_here(const FocusSession& s, std::span<const std::string> keys) const {
  const auto waits = [&](const Invitee& invitee) { return home_.same_user(keys, invitee.key); };
  const auto there = [&](core::SlotId id) {
    const Participant* const p = participants_.get(id);
    return p != nullptr && p->stand != Participant::Stand::gone && home_.same_user(keys, p->key);
  };
  return std::any_of(s.waiting.begin(), s.waiting.end(), waits) ||
         std::any_of(s.participants.begin(), s.participants.end(), there);
}

// Who was still to be called is not called any more; whoever named him hears `status`. False: he did not wait.
bool Focus::forget_waiting(FocusSession& s, std::span<const std::string> keys, std::uint16_t status) {
  std::vector<std::uint32_t> named_by;
  const auto forgotten = std::erase_if(s.waiting, [&](const Invitee& invitee) {
    if (!home_.same_user(keys, invitee.key)) return false;
    named_by.push_back(invitee.refer);
    return true;
  });
  for (const std::uint32_t number : named_by) {
    if (number != 0) refer_outcome(s, number, status);
  }
  return forgotten != 0;
}

// OMA-SES-7.
void Focus::expel(FocusSession& s, std::span<const std::string> keys, std::uint32_t number) {
  const bool waited = forget_waiting(s, keys, 487);  // as a call that is given up
  bool any = false;
  const std::vector<core::SlotId> all = s.participants;
  for (const core::SlotId id : all) {
    Participant* const p = participants_.get(id);
    if (p == nullptr || p->stand == Participant::Stand::gone || !home_.same_user(keys, p->key)) continue;
    p->booted = true;
    p->refusal = p->stand == Participant::Stand::in ? std::uint16_t{0} : std::uint16_t{487};
    if (!any && p->expelled_by == 0) {
      p->expelled_by = number;
    } else if (!any && number != 0) {
      refer_outcome(s, number, 200);  // he is on his way out
    }
    any = true;
    hang_up(*p, "SIP;cause=200;text=\"Booted by focus\"");
    if (Participant* const left = participants_.get(id)) settle(*left);
  }
  if (!any && number != 0) refer_outcome(s, number, waited ? 200 : 404);
}

// --- MESSAGE

void Focus::on_message(Participant& p, const Received& request, sip::TransactionId server) {
  post(p, request, server, {});
}

std::uint16_t Focus::message(const Received& request, const sip::RequestMatch& match, const Outside& outside) {
  lines_.clear();
  refusal_body_.clear();
  FocusSession* const s = sessions_.get(outside.session);
  if (s == nullptr || s->ending) return 404;
  Participant* const p = participant_of(*s, request, outside.identity);
  if (p == nullptr) return 403;
  const sip::TransactionId server = transactions_.open_server(request, match, 0, now_);
  if (!server.valid()) return 503;
  post(*p, request, server, "im");
  return 0;
}

// What he says goes to the others as if he had said it by MSRP.
void Focus::post(const Participant& p, const Received& request, sip::TransactionId server, std::string_view tag) {
  texts_.clear();
  add(HeaderId::server, config_->im.product);
  const std::string_view type = request.head.value(HeaderId::content_type, request.bytes);
  if (!p.member.valid()) {
    respond(server, 403, tag);
    return;
  }
  if (type.empty() || request.body.empty()) {
    respond(server, 400, tag);
    return;
  }
  const std::uint16_t status = rooms_->post(p.member, type, request.body);
  const std::string types = status == 415 ? rooms_->types_of_others(p.member) : std::string();
  if (!types.empty()) add(HeaderId::accept, types);
  respond(server, status == 200 ? std::uint16_t{202} : status, tag);  // OMA-PAG-1: taken for the others
}

}  // namespace parley::policy
