// policy/exploder.cc - see exploder.h.
#include "policy/exploder.h"

#include <algorithm>
#include <utility>

#include "core/check.h"
#include "core/id_text.h"
#include "policy/own_names.h"
#include "policy/user_key.h"
#include "sip/identity.h"
#include "sip/leg_pair.h"
#include "sip/tokens.h"

namespace parley::policy {

using core::Metric;
using sip::HeaderId;

namespace {

// What a recipient's URI has behind '?' is no part of whom it names.
std::string bare_uri(std::string_view uri) { return std::string(uri.substr(0, uri.find('?'))); }

}  // namespace

ListMessageFacts Exploder::facts_of(const Received& request, const To& to, const ListMessage& message,
                                    Recipients& recipients) const {
  ListMessageFacts facts;
  facts.body_status = message.refusal;
  facts.of_group = to.group != nullptr;
  facts.list_there = !message.lists.empty();
  facts.content =
      std::any_of(message.parts.begin(), message.parts.end(), [](const BodyPart& part) { return !part.body.empty(); });
  sip::OptionSet required;
  for (const sip::Header* line = request.head.first(HeaderId::require); line != nullptr;
       line = request.head.next(*line)) {
    sip::add_options(line->value.of(request.bytes), required);
  }
  facts.list_required = required.has(sip::OptionTag::recipient_list_message);
  const std::string key = user_key(to.identity);
  if (to.group == nullptr) {
    std::vector<ResourceList> lists;
    for (const std::string_view list : message.lists) {
      lists.emplace_back();
      if (parse_resource_list(list, lists.back())) facts.list_wrong = true;
    }
    if (!facts.list_wrong) recipients = recipients_of(lists, config_->focus.list);
    facts.list_too_long = recipients.left_out != 0 || recipients.count_without(key) > config_->focus.adhoc_max;
    facts.list_useless = recipients.all_failed();
    (void)recipients.remove(user_key(config_->focus.factory));
  } else {
    const sip::Privacy privacy = sip::privacy_of(request.head, request.bytes);
    const Group::Asker asker{.uri = to.identity,
                             .anonymous = privacy.id && !privacy.none,
                             .wall_ms = to.wall_ms,
                             .lists = config_->documents == nullptr ? nullptr : &config_->documents->lists};
    const GroupVerdict verdict = to.group->judge(asker, GroupAction::join);
    facts.understood = to.group->not_understood().empty();
    facts.member = verdict != GroupVerdict::forbidden;
    facts.anonymity_disallowed = verdict == GroupVerdict::anonymity_disallowed;
    for (const GroupMember& member : to.group->members()) (void)recipients.add(member.uri, CopyControl::to);
  }
  (void)recipients.remove(key);  // OMA-PAG-3: the sender gets no copy
  facts.anybody = !recipients.list.empty();
  return facts;
}

std::uint16_t Exploder::message(const Received& request, const sip::RequestMatch& match, const To& to) {
  lines_.clear();
  const ListMessage message = read_list_message(request, to.group == nullptr);
  Recipients recipients;
  const ListMessageFacts facts = facts_of(request, to, message, recipients);
  if (const ListMessageRefusal* const why = first_refusal(facts)) {
    if (!why->warning.empty()) {
      std::string& line = lines_.begin(HeaderId::warning);
      line.append("399 ");
      line.append(config_->domains.empty() ? std::string_view("parley") : std::string_view(config_->domains.front()));
      line.append(" \"").append(why->warning);
      if (why->warning.ends_with(' ')) put_number(line, config_->focus.adhoc_max);  // OMA-GRP-5
      line.append("\"");
    }
    if (why->status == 415) lines_.add(HeaderId::accept_encoding, "identity");
    lines_.add(HeaderId::server, config_->im.product);
    return why->status;
  }
  const core::SlotId id =
      waiting_ + recipients.list.size() > config_->focus.list_copies_max ? core::SlotId{} : sendings_.emplace();
  if (!id.valid()) {
    metrics_.add(Metric::im_list_copies_limit);
    return 503;
  }
  const sip::TransactionId server = transactions_.open_server(request, match, 0, now_);
  if (!server.valid()) {
    sendings_.erase(id);
    return 503;
  }
  texts_.clear();
  add(HeaderId::server, config_->im.product);
  if (!transactions_.claim(server, request)) {  // R3261-4: by another way it is here already
    (void)give_response(server, 482, "im");
    sendings_.erase(id);
    return 0;
  }
  Sending& s = *sendings_.get(id);
  s.self = id;
  s.sender = to.identity;
  s.list = to.group != nullptr ? to.group->uri() : config_->focus.factory;
  s.hidden = to.group != nullptr;
  s.wall_ms = to.wall_ms;
  const sip::Address& from = request.essentials.from;
  if (!from.display.empty()) s.from.append(from.display).append(" ");
  s.from.append("<").append(from.uri).append(">");
  take_lines(s, request);
  char boundary[core::letters64_chars];
  core::letters_encode64(random_.next(), boundary);
  const std::vector<ListEntry> history = to.group != nullptr ? std::vector<ListEntry>{} : recipient_history(recipients);
  s.copy = copy_of(message, s.list, history, {boundary, sizeof boundary});
  for (const Recipient& recipient : recipients.list) s.waiting.push_back(bare_uri(recipient.uri));
  waiting_ += s.waiting.size();
  (void)give_response(server, 202, "im");  // OMA-PAG-1: it is ours to bring from here on
  metrics_.add(Metric::im_list_messages);
  send_more(s);
  return 0;
}

// What goes on beside what a request of ours says itself (OMA-PAG-2).
void Exploder::take_lines(Sending& s, const Received& request) const {
  for (std::size_t i = 0; i < request.head.header_count; ++i) {
    const sip::Header& header = request.head.headers[i];
    const std::string_view name = header.name.of(request.bytes);
    const bool privacy = header.id == HeaderId::privacy;
    const bool ours = header.id == HeaderId::user_agent || header.id == HeaderId::require;
    if (ours || (!privacy && sip::header_pass(header.id, name, config_->calls.pass_unknown) != sip::HeaderPass::pass)) {
      continue;
    }
    s.lines.push_back({header.id, std::string(name), std::string(header.value.of(request.bytes))});
  }
}

void Exploder::send_more(Sending& s) {
  while (!s.waiting.empty() && s.running.size() < config_->focus.invite_parallel) {
    std::string uri = std::move(s.waiting.front());
    s.waiting.pop_front();
    --waiting_;
    send(s, std::move(uri), s.copy.type, s.copy.body, false);
  }
}

// OMA-PAG-2, R5365-1: a request of its own, from the same user.
void Exploder::send(Sending& s, std::string uri, std::string_view type, std::string_view body, bool notice) {
  std::string call_id;
  put_call_id(call_id);
  char tag[core::letters64_chars];
  core::letters_encode64(random_.next(), tag);
  std::string from = notice ? "<" + s.list + ">" : s.from;
  from.append(";tag=").append(tag, sizeof tag);
  const std::string to = "<" + uri + ">";
  const std::string asserted = "<" + (notice ? s.list : s.sender) + ">";
  texts_.clear();
  add(HeaderId::max_forwards, "70");
  add(HeaderId::from, from);
  add(HeaderId::to, to);
  add(HeaderId::call_id, call_id);
  add(HeaderId::cseq, "1 MESSAGE");
  add(HeaderId::user_agent, config_->im.product);
  add(HeaderId::p_asserted_identity, asserted);
  bool tagged = false;
  if (!notice) {
    for (const Line& line : s.lines) {
      texts_.push_back({.id = line.id, .value = line.value, .name = line.name});
      tagged = tagged || line.id == HeaderId::accept_contact;
    }
  }
  if (!tagged) add(HeaderId::accept_contact, "*;+g.oma.sip-im");
  add(HeaderId::content_type, type);
  Errand errand;
  errand.client = Errand::Client::copy;
  errand.call = s.self;
  errand.number = ++s.numbers;
  errand.method = Method::message;
  put_opening("MESSAGE", uri, texts_, body, errand.text);
  errand.by_uri = true;
  errand.in_dialog = false;
  errand.from_trusted = true;
  s.running.push_back({.number = errand.number, .uri = std::move(uri), .notice = notice});
  errands_.push_back(std::move(errand));
}

// R5438-2: it was taken, so its failure is told, once for each who did not get it.
void Exploder::on_response(core::SlotId id, std::uint32_t number, std::uint16_t status) {
  Sending* const s = sendings_.get(id);
  if (s == nullptr || status < 200) return;
  const auto found = std::find_if(s->running.begin(), s->running.end(),
                                  [number](const Running& running) { return running.number == number; });
  if (found == s->running.end()) return;
  const Running done = std::move(*found);
  s->running.erase(found);
  if (done.notice) return;
  if (status < 300) {
    metrics_.add(Metric::im_list_copies);
    return;
  }
  metrics_.add(Metric::im_list_copies_failed);
  if (!s->copy.notice.negative || s->copy.notice.message_id.empty()) return;
  std::string own_id;
  put_call_id(own_id);
  std::string text;
  put_failure_notice({.from = s->list,
                      .to = s->sender,
                      .message_id = s->copy.notice.message_id,
                      .own_id = own_id,
                      .recipient = s->hidden ? std::string_view{} : std::string_view(done.uri),
                      .wall_ms = s->wall_ms},
                     text);
  send(*s, s->sender, "message/cpim", text, true);
}

void Exploder::on_over(core::SlotId id, std::uint32_t number) {
  on_response(id, number, 408);  // unless it has been answered
  Sending* const s = sendings_.get(id);
  if (s == nullptr) return;
  send_more(*s);
  if (s->waiting.empty() && s->running.empty()) sendings_.erase(id);
}

}  // namespace parley::policy
