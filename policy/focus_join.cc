// policy/focus_join.cc - INVITEs without To tag: the facts for the checks, sessions that begin, who comes in
// (OMA-SES-1 to -3, OMA-SES-9, OMA-GRP-4 to -9, OMA-ID-9, OMA-ALIAS-1). See focus.h.
#include <algorithm>
#include <utility>

#include "core/text.h"
#include "policy/entry_headers.h"
#include "policy/focus.h"
#include "policy/focus_newcomer.h"
#include "policy/im_request.h"
#include "policy/own_names.h"
#include "policy/owner.h"
#include "policy/user_key.h"
#include "sip/address.h"
#include "sip/dialog_headers.h"
#include "sip/feature_tags.h"
#include "sip/identity.h"
#include "sip/leg_pair.h"
#include "sip/params.h"

namespace parley::policy {

using core::Metric;
using sip::HeaderId;
using Target = Focus::Invitation::Target;

namespace {

// Without quotes and what they escape.
std::string plain_text(std::string_view display) {
  const bool quoted = display.size() >= 2 && display.front() == '"' && display.back() == '"';
  if (!quoted) return std::string(display);
  std::string text;
  for (std::size_t i = 1; i + 1 < display.size(); ++i) {
    if (display[i] == '\\' && i + 2 < display.size()) ++i;
    text += display[i];
  }
  return text;
}

// OMA-ID-4: the first product decides. Who does not say is one of the clients that this service is for.
bool is_oma(std::string_view product) {
  if (product.empty()) return true;
  for (const std::string_view name : {"IM-client/", "IM-serv/"}) {
    if (core::equal_ignore_case(product.substr(0, name.size()), name)) return true;
  }
  return false;
}

// The address that says what a Refer-To or list entry is about, without the headers behind '?'.
std::string_view bare(std::string_view uri) { return uri.substr(0, uri.find('?')); }

// OMA-ID-9: the OMA and the PoC spelling. Empty: not said.
std::string_view session_type(const sip::Uri& uri) {
  const std::string_view type = sip::uri_parameter(uri, "sessiontype");
  return type.data() != nullptr ? type : sip::uri_parameter(uri, "session");
}

}  // namespace

void Focus::read_newcomer(const Received& request, const Invitation& invitation, Newcomer& who) const {
  who.uri = invitation.identity;
  who.key = user_key(who.uri);
  home_.put_keys(who.uri, who.keys);
  const sip::Privacy privacy = sip::privacy_of(request.head, request.bytes);
  who.anonymous = privacy.id && !privacy.none;
  // OMA-ALIAS-1: the alias of somebody anonymous, else his name.
  const std::string_view asserted = sip::asserted_identity(request.head, request.bytes).best().display;
  const std::string_view from = request.essentials.from.display;
  who.display = plain_text(who.anonymous || asserted.empty() ? from : asserted);
  if (who.anonymous && core::equal_ignore_case(who.display, "Anonymous")) who.display.clear();
  who.instance = instance_of(request);
  who.recorder = invitation.recorder;
  who.oma_client = is_oma(request.head.value(HeaderId::user_agent, request.bytes));
}

void Focus::read_recipients(const Received& request, const Invitation& invitation, Newcomer& who) const {
  if (invitation.target == Target::user) {
    (void)who.recipients.add(bare(invitation.uri), CopyControl::to);
    return;
  }
  if (invitation.target != Target::factory) return;
  std::vector<ResourceList> lists;
  for (const BodyPart& part : who.body.lists) {
    lists.emplace_back();
    if (parse_resource_list(part.body, lists.back())) who.list_wrong = true;
  }
  if (who.list_wrong) return;
  who.recipients = recipients_of(lists, config_->focus.list);
  // T-51: neither himself nor us.
  for (const std::string& key : who.keys) (void)who.recipients.remove(key);
  (void)who.recipients.remove(user_key(config_->focus.factory));
  sip::Uri to;
  const bool other = who.body.lists.empty() && sip::parse_uri(request.essentials.to.uri, to) &&
                     user_key(request.essentials.to.uri) != user_key(config_->focus.factory);
  if (other) (void)who.recipients.add(bare(request.essentials.to.uri), CopyControl::to);
}

void Focus::judge_group(const Invitation& invitation, Newcomer& who, JoinFacts& facts) const {
  const Group& group = *invitation.group;
  const Group::Asker asker{
      .keys = who.keys, .anonymous = who.anonymous, .wall_ms = wall_ms_, .lists = lists_};
  facts.understood = group.not_understood().empty();
  const GroupVerdict join = group.judge(asker, GroupAction::join);
  facts.member = join != GroupVerdict::forbidden;
  facts.anonymity_disallowed = join == GroupVerdict::anonymity_disallowed;
  facts.chat_room = !group.invites_members();
  facts.scheduled = group.session_policy().scheduled_at(wall_ms_);
  facts.active = who.session != nullptr;
  facts.may_begin = group.judge(asker, GroupAction::initiate_conference) == GroupVerdict::allowed;
}

JoinFacts Focus::facts_of(const Received& request, const Invitation& invitation, Newcomer& who) {
  JoinFacts facts;
  read_newcomer(request, invitation, who);
  who.body = read_invite_body(request);
  facts.body_status = who.body.refusal;
  read_recipients(request, invitation, who);

  sip::Uri uri;
  const std::string_view type =
      sip::parse_uri(invitation.uri, uri) ? session_type(uri) : std::string_view{};
  const auto is = [type](std::string_view name) { return core::equal_ignore_case(type, name); };
  const NumberKeys numbers = home_.numbers_of(who.recipients.list);
  const auto others = std::count_if(who.recipients.list.begin(), who.recipients.list.end(),
                                    [&numbers](const Recipient& one) { return !numbers.contains(one.key); });
  if (who.body.has_sdp) {
    who.sdp_status = read_terms(who.body.sdp, true, who.terms);
    facts.sdp_wrong = who.sdp_status == 400;
    facts.sdp_useless = who.sdp_status == 488;
  } else {
    facts.sdp_useless = media_ == nullptr;
  }
  switch (invitation.target) {
    case Target::user:
      who.kind = SessionKind::one_to_one;
      facts.known = others == 1;
      break;
    case Target::factory:
      facts.known = !config_->focus.factory.empty();
      who.kind = (is("1-1") || (type.empty() && who.body.lists.empty())) && others == 1 ? SessionKind::one_to_one
                                                                                         : SessionKind::adhoc;
      facts.kind_known = type.empty() || is("adhoc") || is("ad-hoc") || is("1-1");
      break;
    case Target::group:
      facts.kind_known = type.empty() || is("prearranged") || is("chat") || is("group");
      who.session = sessions_.get(invitation.session);
      if (who.session != nullptr && who.session->ending) who.session = nullptr;
      who.kind = invitation.group->invites_members() ? SessionKind::prearranged : SessionKind::chat_room;
      break;
    case Target::session:
      who.session = sessions_.get(invitation.session);
      facts.session_alive =
          who.session != nullptr && !who.session->ending && who.session->begun && !who.session->distribution;
      if (invitation.left != nullptr && !is_one_way(request, who)) {
        facts.session_alive = true;
        who.left = &invitation.left->row;
        who.kind = SessionKind::adhoc;
        break;
      }
      if (!facts.session_alive) return facts;
      who.kind = who.session->kind;
      break;
  }
  read_distribution(request, invitation, who);
  if (who.distribution) facts.sdp_useless = facts.sdp_useless || !who.terms.may_send;  // nobody here has a file to give

  sip::OptionSet required;
  for (const sip::Header* line = request.head.first(HeaderId::require); line != nullptr;
       line = request.head.next(*line)) {
    sip::add_options(line->value.of(request.bytes), required);
  }
  facts.list_required = required.has(sip::OptionTag::recipient_list_invite);
  facts.list_there = !who.body.lists.empty();
  facts.list_wrong = who.list_wrong;
  facts.list_useless = who.recipients.all_failed();
  facts.list_too_long = invitation.target == Target::factory &&
                        (others > std::ptrdiff_t{config_->focus.adhoc_max} || who.recipients.left_out != 0);

  const Group* const group = who.distribution         ? who.group
                             : who.session != nullptr ? who.session->group
                                                      : invitation.group;
  if (group != nullptr) {
    Invitation of_group = invitation;
    of_group.group = group;
    judge_group(of_group, who, facts);
    facts.active = facts.active || who.distribution;  // it begins no session of the group
    facts.member = facts.member || (who.among != nullptr && is_in(*who.among, who.keys));
  } else if (who.among != nullptr) {  // OMA-PAG-3
    facts.member = is_in(*who.among, who.keys);
  } else if (who.left != nullptr) {
    facts.member = was_named(*who.left, who.keys);
  } else if (who.session != nullptr) {  // OMA-SES-9: who was in it, or was to be
    FocusSession& s = *who.session;
    const auto& list = s.recipients.list;
    facts.member = who.is(user_key(s.originator_uri)) ||
                   std::any_of(list.begin(), list.end(), [&](const Recipient& r) { return who.is(r.key); });
  }
  if (who.session != nullptr) {
    FocusSession& s = *who.session;
    const bool there = is_in(s, who.keys);
    const std::uint32_t max = s.group == nullptr ? config_->focus.participants_per_session_max
                                                 : s.group->max_participants().value_or(
                                                       config_->focus.participants_per_session_max);
    facts.full = !there && s.in + s.inviting >= (s.of_two() ? 2 : max);
    find_named(request, who);
  }
  return facts;
}

bool Focus::is_in(const FocusSession& s, std::span<const std::string> keys) const {
  return std::any_of(s.participants.begin(), s.participants.end(), [&](core::SlotId id) {
    const Participant* const p = participants_.get(id);
    return p != nullptr && p->stand == Participant::Stand::in && has_key(keys, p->key);
  });
}

bool Focus::is_one_way(const Received& request, const Newcomer& who) {
  return has_tag(request.head, request.bytes, large_message_tag) || !who.terms.file_section.empty();
}

// OMA-FT-7, OMA-LRG-3: to a list, to the members of a group, or to those who are in a session just now. It is no part of
// a chat, so it joins none and begins none.
void Focus::read_distribution(const Received& request, const Invitation& invitation, Newcomer& who) const {
  who.large_message = has_tag(request.head, request.bytes, large_message_tag);
  if (!is_one_way(request, who) || invitation.target == Target::user) return;
  if (invitation.target == Target::factory) {
    who.distribution = who.kind != SessionKind::one_to_one;
    return;
  }
  who.distribution = true;
  who.kind = SessionKind::adhoc;
  who.among = std::exchange(who.session, nullptr);
  who.group = invitation.group != nullptr ? invitation.group : who.among->group;
  // Who is invited by his group need not be in its session. A room that everybody enters by himself has nobody else.
  if (invitation.group != nullptr && invitation.group->invites_members()) {
    for (const GroupMember& member : invitation.group->members()) {
      if (!who.is(member.key)) (void)who.recipients.add(member.uri, CopyControl::bcc);  // nobody is told who is in it
    }
    return;
  }
  if (who.among == nullptr) return;
  for (const core::SlotId id : who.among->participants) {
    const Participant* const p = participants_.get(id);
    if (p == nullptr || p->stand != Participant::Stand::in || who.is(p->key)) continue;
    (void)who.recipients.add(p->uri, CopyControl::bcc);  // OMA-ALIAS-4: some of them may be anonymous
  }
}

// Replaces and Join: his own dialog in that session (OMA-SES-9).
void Focus::find_named(const Received& request, Newcomer& who) {
  sip::Replaces named;
  for (const HeaderId id : {HeaderId::replaces, HeaderId::join}) {
    const std::string_view value = request.head.value(id, request.bytes);
    if (value.empty()) continue;
    const bool read = sip::parse_replaces(value, named);
    const auto name = read ? this->named(named.to_tag) : std::nullopt;
    Participant* const p =
        name && name->kind == NameKind::participant && name->shard == shard_ ? participants_.get(name->call) : nullptr;
    const bool his = p != nullptr && p->session == who.session->self && p->stand == Participant::Stand::in &&
                     p->dialog->is(named.call_id, named.to_tag, named.from_tag) && who.is(p->key);
    if (!his) {
      who.named_unknown = true;
    } else if (id == HeaderId::replaces) {
      who.replaced = p;
    }
  }
}

std::uint16_t Focus::refuse_join(const JoinRefusal& why, bool of_two, std::string_view offer) {
  metrics_.add(Metric::sip_sessions_refused);
  if (!why.warning.empty()) {
    std::string text(why.warning);
    if (text.ends_with(' ')) put_number(text, recipients_max());  // OMA-GRP-5
    put_warning(text);
    lines_.add(HeaderId::warning, warning_);
    warning_.clear();
  }
  if (why.status == 415) {
    lines_.add(HeaderId::accept, invite_body_types);
    lines_.add(HeaderId::accept_encoding, "identity");
  }
  if (why.status == 488) {
    lines_.add(HeaderId::content_type, "application/sdp");
    put_capabilities(of_two, offer, refusal_body_);
  }
  return why.status;
}

std::uint16_t Focus::no_room(Metric metric) {
  metrics_.add(metric);
  return 503;
}

std::uint16_t Focus::invite(const Received& request, const sip::RequestMatch& match, const Invitation& invitation) {
  lines_.clear();
  refusal_body_.clear();
  Newcomer who;
  const JoinFacts facts = facts_of(request, invitation, who);
  if (const JoinRefusal* const why = first_refusal(facts)) {
    return refuse_join(*why, who.kind == SessionKind::one_to_one || who.distribution, who.body.sdp);
  }
  if (who.named_unknown) return 481;
  sip::SessionTimer timers;
  const sip::TimerGrant grant =
      timers.grant(config_->calls.timer, sip::read_timer(request.head, request.bytes));
  if (grant.refuse) {  // R4028-1
    put_number(lines_.begin(HeaderId::min_se), grant.min_se);
    return 422;
  }
  FocusSession* s = who.session;
  const bool begins = s == nullptr;
  if (begins) s = open_session(request, invitation, who);
  if (s == nullptr) return 503;
  const auto cancel = [&](std::uint16_t status) {
    if (begins) drop_session(*s);
    return status;
  };
  std::uint16_t status = 0;
  const Admission how{.timers = timers, .grant = grant, .trusted = invitation.from_trusted};
  Participant* const p = admit(*s, request, who, how, status);
  if (p == nullptr) return cancel(status);
  const auto close = [&](std::uint16_t why) {
    media_->close(p->end);
    std::erase(s->participants, p->self);
    participants_.erase(p->self);
    return cancel(why);
  };
  p->server = transactions_.open_server(request, match, owner_number(Owner::participant, p->self), now_);
  if (!p->server.valid()) return close(503);
  if (!transactions_.claim(p->server, request)) {  // R3261-4: by another way it is here already
    respond_plain(p->server, 482);
    (void)close(0);
    return 0;
  }
  take_way(*p, p->way, request, !p->dialog->route_set().empty());
  const core::SlotId self = p->self;
  const core::SlotId session = s->self;
  const bool shown = show(*s, *p, EndpointStatus::dialing_in);
  if (!begins) {
    if (s->begun && who.is(user_key(s->originator_uri))) s->originator = p->self;
    if (!shown) {
      p->refusal = 486;
      use(*p, p->usage.on(sip::InviteEvent::refuse, now_), {.status = 486});
    } else if (answer_or_refuse(*p) && who.replaced != nullptr) {
      hang_up(*who.replaced, "SIP;cause=200;text=\"Replaced\"");
      settle(*who.replaced);
    }
  } else {
    s->originator = p->self;
    metrics_.add(Metric::sip_sessions);
    metrics_.add(Metric::sip_sessions_begun);
    begin_session(*s, *p);
  }
  if (Participant* const left = participants_.get(self)) settle(*left);
  settle(session);
  return 0;
}

// He who sends this INVITE, with an MSRP session for him. Null: `status` says why, and nothing stays.
Participant* Focus::admit(FocusSession& s, const Received& request, const Newcomer& who, const Admission& how,
                          std::uint16_t& status) {
  sip::OfferTrack offers;
  (void)offers.received(sip::SdpCarrier::invite, who.body.has_sdp);
  Participant* const p = add_participant(s, sip::InviteUsage::Side::invited, request.essentials.cseq.number, offers);
  status = 503;
  if (p == nullptr) return nullptr;
  const auto drop = [&](std::uint16_t why) -> Participant* {
    status = why;
    std::erase(s.participants, p->self);
    participants_.erase(p->self);
    return nullptr;
  };
  p->timers = how.timers;
  p->grant = how.grant;
  p->uri = who.uri;
  p->key = who.key;
  p->display = who.display;
  p->instance = who.instance;
  p->anonymous = who.anonymous;
  p->oma_client = who.oma_client;
  p->recorder = who.recorder;
  p->trusted = how.trusted;
  p->features = features_toward(s, who.oma_client);
  p->invite_cseq = request.essentials.cseq.number;
  p->rel = sip::rel_wish(request.head, request.bytes);
  (void)take_allow(request, p->allow, p->allows);  // SEED2-7.2.1.1-1
  const sip::DialogFault fault =
      p->dialog->accept(request.head, request.bytes, request.essentials, p->tag, request.secure());
  if (fault != sip::DialogFault::none) return drop(sip::refusal(fault));
  p->dialog->begin_usage();
  if (who.body.has_sdp) {
    p->terms = who.terms;
    if (!p->offer.keep(pool_, who.body.sdp)) return drop(503);
  }
  const bool secure = who.body.has_sdp ? who.terms.secure : !media_->serves(false);
  if (!open_end(s, *p, secure)) return drop(no_room(Metric::sip_sessions_media_limit));
  return p;
}

// OMA-SES-3, OMA-X-5: who has nobody to wait for is answered at once, others when somebody has come.
void Focus::begin_session(FocusSession& s, Participant& originator) {
  const core::SlotId self = originator.self;
  const bool at_once = !s.distribution && (s.waiting.empty() ||
                                           (config_->focus.answer == FocusAnswer::immediate && !s.of_two()));
  if (at_once && !answer_or_refuse(originator)) return;
  invite_more(s);
  if (Participant* const p = participants_.get(self)) nobody_came(s, *p);
}

FocusSession* Focus::open_session(const Received& request, const Invitation& invitation, Newcomer& who) {
  const core::SlotId id = sessions_.emplace();
  if (!id.valid()) {
    metrics_.add(Metric::sip_sessions_limit);
    return nullptr;
  }
  FocusSession& s = *sessions_.get(id);
  s.self = id;
  s.timer.owner = id.packed();
  s.timer.kind = session_timer;
  s.began = now_;
  s.kind = who.kind;
  s.name = make_call_name({static_cast<std::uint16_t>(shard_), id, NameKind::session}, name_key_, random_);
  put_listener_uri(s.identity, request.flow.transport, transport_.listener(request.flow), s.name, request.secure());
  s.subject = request.head.value(HeaderId::subject, request.bytes);
  s.originator_uri = who.uri;
  const sip::Privacy privacy = sip::privacy_of(request.head, request.bytes);
  const bool anonymous = who.anonymous || (who.large_message && privacy.user && !privacy.none);  // OMA-DEF-15
  s.originator_anonymous = anonymous;
  s.originator_oma = who.oma_client;
  s.originator_trusted = invitation.from_trusted;
  // SEED2-7.2.1.1-5a, -5b, DEC-25
  const Group* const group = who.distribution ? who.group : invitation.group;
  s.asserted = "<" + (group != nullptr ? group->uri() : config_->focus.factory) + ">";
  s.distribution = who.distribution;
  s.large_message = who.large_message;
  if (s.distribution) s.gather_until = now_ + config_->focus.distribution_wait;
  // R3323-2: for `user` and `id` in the open he has said himself how he wants to be called.
  const sip::Address& from = request.essentials.from;
  if (anonymous) {
    s.originator_from = (from.display.empty() ? std::string("\"Anonymous\"") : std::string(from.display)) + " <" +
                        std::string(sip::anonymous_uri) + ">";
  } else {
    if (!from.display.empty()) s.originator_from.append(from.display).append(" ");
    s.originator_from.append("<").append(who.uri).append(">");
  }
  s.recipients = std::move(who.recipients);
  if (invitation.group != nullptr && !s.distribution) {
    s.group_owner = invitation.group_owner;
    s.group = invitation.group;
    if (s.subject.empty()) s.subject = s.group->subject();
    const auto& policy = s.group->session_policy();
    if (policy.max_duration_seconds) s.ends = now_ + std::chrono::seconds(*policy.max_duration_seconds);
    if (s.group->invites_members()) {
      const NumberKeys numbers = home_.numbers_of(s.group->members());
      for (const GroupMember& member : s.group->members()) {
        if (who.is(member.key) || numbers.contains(member.key)) continue;
        (void)s.recipients.add(member.uri, CopyControl::bcc);  // nobody is told who is in it
        s.waiting.push_back({.uri = member.uri, .key = member.key, .display = member.display_name});
      }
    }
  } else {
    const NumberKeys numbers = home_.numbers_of(s.recipients.list);
    for (const Recipient& recipient : s.recipients.list) {
      const auto is_he = [&recipient](const Invitee& invitee) { return invitee.key == recipient.key; };
      if (numbers.contains(recipient.key) || std::any_of(s.waiting.begin(), s.waiting.end(), is_he)) continue;
      s.waiting.push_back(
          {.uri = entry_target(recipient.uri),
           .headers = recipient.uri.substr(bare(recipient.uri).size()),
           .key = recipient.key,
           .display = recipient.display_name});
    }
  }
  if (who.left != nullptr) take_up(s, *who.left);
  s.peopled = !s.waiting.empty();
  take_passed(s, request, who.body);
  const RoomKind room = s.distribution                   ? RoomKind::distribution
                        : !s.of_two()                    ? RoomKind::group
                        : who.terms.file_section.empty() ? RoomKind::one_to_one
                                                         : RoomKind::exchange;
  if (!furnish(s, room)) {
    sessions_.erase(id);
    return nullptr;
  }
  if (s.group != nullptr) by_group_.insert_or_assign(s.group->key(), id);
  return &s;
}

// Its roster and its room.
bool Focus::furnish(FocusSession& s, RoomKind kind) {
  std::vector<std::string> uris{s.identity};
  if (s.group != nullptr) uris.push_back(s.group->uri());
  s.roster = std::make_unique<Roster>(
      s.identity,
      ConferenceDescription{.subject = s.subject,
                            .display_text = s.group == nullptr ? std::string() : s.group->display_name(),
                            .maximum_user_count = s.group == nullptr ? 0 : s.group->max_participants().value_or(0),
                            .conf_uris = uris});
  RoomTraits traits;
  traits.identity = s.identity;
  traits.kind = kind;
  if (s.group != nullptr) traits.other_identities.push_back(s.group->uri());
  traits.message_bytes_max = config_->focus.message_bytes_max;
  traits.idle = config_->focus.idle;
  traits.owner = s.self.packed();
  s.room = rooms_ == nullptr ? RoomHandle{} : rooms_->open(std::move(traits));
  if (!s.room.valid()) metrics_.add(Metric::sip_sessions_limit);
  return s.room.valid();
}

// Nothing has become of it.
void Focus::drop_session(FocusSession& s) {
  if (s.group != nullptr) by_group_.erase(s.group->key());
  left_.is_on(s.name, {});
  rooms_->end(s.room);
  end_talk(s);
  wheel_.cancel(s.timer);
  sessions_.erase(s.self);
}

Participant* Focus::add_participant(FocusSession& s, sip::InviteUsage::Side side, std::uint32_t invite_cseq,
                                    const sip::OfferTrack& offers) {
  const core::SlotId id =
      participants_.emplace(pool_, side, invite_config_, random_, invite_cseq, offers, now_);
  if (!id.valid()) {
    metrics_.add(Metric::sip_session_participants_limit);
    return nullptr;
  }
  Participant& p = *participants_.get(id);
  p.self = id;
  p.session = s.self;
  p.timer.owner = id.packed();
  p.timer.kind = participant_timer;
  p.tag = make_call_name({static_cast<std::uint16_t>(shard_), id, NameKind::participant}, name_key_, random_);
  s.participants.push_back(id);
  return &p;
}

// What of his INVITE goes on to whom he invites: T-9, T-90. Bounded by the message it came in.
void Focus::take_passed(FocusSession& s, const Received& request, const InviteBody& body) const {
  const auto pass = [&](const sip::Header& header) {
    s.passed.push_back({.id = header.id,
                        .name = std::string(header.name.of(request.bytes)),
                        .value = std::string(header.value.of(request.bytes))});
  };
  for (std::size_t i = 0; i < request.head.header_count; ++i) {
    const sip::Header& header = request.head.headers[i];
    const std::string_view name = header.name.of(request.bytes);
    switch (header.id) {
      case HeaderId::accept:
      case HeaderId::accept_encoding:
      case HeaderId::reason:
      case HeaderId::warning:
      case HeaderId::error_info:
      case HeaderId::retry_after: continue;
      // SEED2-7.2.1.1-IMS: the charge for the session is one, and its service. Only a core says so, and only a core hears it.
      case HeaderId::p_charging_vector:
      case HeaderId::p_charging_function_addresses:
      case HeaderId::p_asserted_service:
        if (s.originator_trusted) pass(header);
        continue;
      default: break;
    }
    if (sip::header_pass(header.id, name, config_->calls.pass_unknown) != sip::HeaderPass::pass) continue;
    if (s.originator_anonymous && (header.id == HeaderId::call_info || header.id == HeaderId::organization)) continue;
    pass(header);
  }
  for (const BodyPart& part : body.others) s.others.push_back({std::string(part.headers), std::string(part.body)});
}

}  // namespace parley::policy
