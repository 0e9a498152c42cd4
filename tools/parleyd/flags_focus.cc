// tools/parleyd/flags_focus.cc - the flags of the controlling function, and the checks between them.
#include "tools/parleyd/flags_focus.h"

#include "sip/session_timer.h"
#include "sip/uri.h"

namespace parley::parleyd {

using namespace std::chrono_literals;
using policy::CopyControl;
using policy::FocusAnswer;
using policy::OneToOne;
using policy::OneToOneFocus;
using std::chrono::hours;

void add_focus(FlagTable& flags, Settings& s) {
  auto& c = s.sip.focus;
  flags.group("IM sessions");
  flags.text("--conference-factory", c.factory, "URI",
             "Where clients send the INVITE of a new session with several: sip:factory@example.org. Without it "
             "sip:conference-factory@ and the first domain.");
  flags.choice<OneToOne>("--one-to-one", c.one_to_one, {{"focus", OneToOne::focus}, {"direct", OneToOne::direct}},
                         "Who carries an IM session of two users: this server as its focus, which all messages pass, or "
                         "the two of them.");
  flags.choice<OneToOneFocus>("--one-to-one-isfocus", c.one_to_one_isfocus,
                              {{"always", OneToOneFocus::always},
                               {"never", OneToOneFocus::never},
                               {"oma-clients", OneToOneFocus::oma_clients}},
                              "Toward whom `isfocus` stands in the Contact of a session of two. RCS clients take such a "
                              "session for a group chat; 'oma-clients' asks User-Agent.");
  flags.choice<FocusAnswer>("--focus-answer", c.answer,
                            {{"first", FocusAnswer::first}, {"immediate", FocusAnswer::immediate}},
                            "When who begins a session with several gets his 200: when the first of the others has "
                            "accepted, or at once.");
  flags.choice<CopyControl>("--list-missing-copycontrol", c.list.missing,
                            {{"bcc", CopyControl::bcc}, {"to", CopyControl::to}},
                            "What an entry of a recipient list without copyControl is. RFC 5364 says bcc, clients mean to.");
  flags.count("--im-sessions-max", c.sessions_max, 1, 10'000'000,
              "IM sessions of which a shard is the focus at one time; one more is refused with 503. Each costs about 2 KiB.");
  flags.count("--im-participants-max", c.participants_max, 2, 50'000'000,
              "Participants of all these sessions, per shard. Each costs about 6 KiB.");
  flags.count("--im-participants-per-session-max", c.participants_per_session_max, 2, 100'000,
              "Participants of one session whose group does not say how many; one more is refused with 486. Every message "
              "goes to each.");
  flags.count("--room-spread-min", c.spread_min, 0, 1'000'000,
              "Participants of a session that has more have their MSRP sessions on all shards in turn; the others' are "
              "where the session is. 0: none has.");
  flags.count("--adhoc-members-max", c.adhoc_max, 1, policy::list_entries_max,
              "Others that one INVITE or REFER may name; with more it is refused with 403. Each is sent an INVITE.");
  flags.count("--invite-parallel", c.invite_parallel, 1, 10'000,
              "INVITEs of one session, or copies of one message to several, that wait for an answer at one time; the others "
              "follow.");
  flags.count("--im-list-copies-max", c.list_copies_max, 1, 10'000'000,
              "Copies of pager messages to lists and groups that wait to be sent, per shard; a message beyond that is refused "
              "with 503. Each costs about 100 bytes.");
  flags.duration("--invite-timeout", c.invite_timeout, 1s, 180s,
                 "How long who is invited may ring before he is cancelled. Below Timer C, and above --deferred-after.");
  flags.duration("--distribution-wait", c.distribution_wait, 1s, 180s,
                 "How long all who are to get a file or a large message for several have to accept it; then it begins with "
                 "those who have, and the others are cancelled, or at --invite-timeout if that is shorter. With a store it is above "
                 "--deferred-after and --store-answer-max together.");
  flags.duration("--im-session-idle", c.idle, 0ms, hours(24),
                 "An IM session without a message for this long is ended. 0: never.");
  flags.duration("--im-lost-timeout", c.lost_max, 0ms, hours(24),
                 "How long the dialog of a participant goes on whose MSRP connection is gone; he may come again until then.");
  flags.duration("--im-session-left-max", c.left_max, 0ms, hours(24 * 365),
                 "With a store: how long after its process has ended the identity of an IM session with a list leads its "
                 "participants to it again, when the first one joins.");
  flags.count("--im-session-requests-max", c.requests_max, 4, 1000,
              "Requests to one participant that wait for his answer; then his own are refused with 500.");
  flags.count("--im-session-refers-max", c.refers_max, 1, 10'000,
              "REFERs of one session whose outcome is still to be told; one more is refused with 500.");
  flags.size("--im-message-bytes-max", c.message_bytes_max, 0, std::uint64_t{1} << 40,
             "Largest message of an IM session, as a=max-size says; a larger one is stopped with 413. 0: any size.");
  flags.count("--trace-messages", c.trace_messages, 0, 20'000,
              "How many of the last messages of IM sessions a shard remembers for `parleyctl trace`, and for `parleyctl where` how many "
              "of the last pager messages, and of those in sessions whose messages go through here leg to leg (--pf-media-path): whose, "
              "when, and what became of them, not what they say. Each costs about 250 bytes, of the last two 600. 0: none.");
  flags.count("--where-questions-max", s.sip.where_questions_max, 1, 10'000,
              "Questions of `parleyctl where` that wait for the store at one time, per shard; one more is answered without what "
              "waits in it, and told so.");
}

namespace {

// OMA-LRG-3: for whom nothing answers it is stored, which has to be settled before a session begins without him.
void check_with_deferred(const Settings& s) {
  const auto& c = s.sip.focus;
  const auto& deferred = s.sip.im.deferred;
  if (!deferred.on) return;
  if (!c.on) {
    if (deferred.push_sessions) FlagTable::refuse("--deferred-push-by", "session needs the role controlling, --sip and --msrp");
    return;
  }
  constexpr const char* lost = ": who does not answer would get a large message neither now nor later";
  if (c.distribution_wait <= deferred.answer_max + s.sip.store_answer) {
    FlagTable::refuse("--distribution-wait", std::string("is not longer than --deferred-after and --store-answer-max together") + lost);
  }
  if (c.invite_timeout <= deferred.answer_max) {
    FlagTable::refuse("--invite-timeout", std::string("is not longer than --deferred-after") + lost);
  }
}

}  // namespace

void finish_focus(Settings& s, bool asked) {
  auto& c = s.sip.focus;
  const bool can = !s.sip_listeners.empty() && !s.msrp.empty();
  if (asked && !can) FlagTable::refuse("--roles", "controlling needs --sip and --msrp");
  c.on = asked || (c.on && can);
  if (c.factory.empty()) {
    c.factory = "sip:conference-factory@" + (s.sip.domains.empty() ? s.realm : s.sip.domains.front());
  }
  sip::Uri uri;
  if (!sip::parse_uri(c.factory, uri) || uri.user.empty() ||
      (uri.scheme != sip::Scheme::sip && uri.scheme != sip::Scheme::sips)) {
    FlagTable::refuse("--conference-factory", "'" + c.factory + "' is not a SIP URI with a user");
  }
  check_with_deferred(s);
}

}  // namespace parley::parleyd
