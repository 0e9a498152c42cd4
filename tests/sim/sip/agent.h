// tests/sim/sip/agent.h - one independent SIP user agent: its own transactions, dialogs, registration and subscription,
// on UDP, TCP or WebSocket.
//
// It keeps to RFC 3261 as a client and a server, reads strictly, and ends the run at anything the server may not do.
// What it is like (slow, silent, declining, lying, vanishing) is a set of traits. The parts:
//   agent.cc            what arrives, requests and responses in general
//   agent_client.cc     client transactions, and what is checked of their responses
//   agent_server.cc     server transactions, and what is checked of requests that arrive
//   agent_register.cc   digest, registration, subscription to it
//   agent_call.cc       calls: INVITE, CANCEL, ACK, BYE, re-INVITE
//   agent_change.cc     what else happens in a call: UPDATE, INFO, reliable responses
//   agent_timer.cc      session timers
//   agent_refer.cc      REFER within a call, and the subscription it makes
//   agent_rude.cc       what comes too early, too late, again, or across something else
//   agent_leg.cc        what has to be seen of a server that carries calls leg to leg
//   liar.cc             hostile acts
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/sip/book.h"
#include "tests/sim/sip/credentials.h"
#include "tests/sim/sip/message.h"
#include "tests/sim/sip/wire.h"

namespace parley::sim::sip {

inline constexpr Duration t1 = 500ms;
inline constexpr Duration t2 = 4s;
inline constexpr Duration t1_64 = 32s;
inline constexpr const char* plain_sdp =
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n";

struct AgentTraits {
  bool stream = false;                 // TCP, or
  bool websocket = false;              // WebSocket alone: it can be reached by nothing but its connection (RFC 7118)
  bool outbound = false;               // registers a flow (RFC 5626)
  bool twice = false;                  // registers a contact for each transport: what is for it comes twice
  bool sha256 = true;                  // else MD5
  bool no_accept = false;              // nobody can connect to it
  Duration answer_max{};               // how long it takes to answer
  std::uint32_t silent_permille = 0;   // requests that get no answer
  std::uint32_t decline_permille = 0;  // and those that get a bad one
  std::uint32_t late_ok_permille = 0;  // calls answered although they were cancelled, or twice
  std::uint32_t cancel_permille = 0;   // calls it gives up before they are answered
  bool old_ack = false;                // acknowledges a 2xx on the INVITE's branch
  bool liar = false;
  // Where Book::timers:
  bool timer = false;                     // knows session timers
  std::uint32_t asks = 0;                 // for one of so many seconds; 0: none
  const char* refresher = "";             // and for that one to refresh
  std::uint32_t min_se = 0;               // accepts no shorter one
  bool update = false;                    // knows UPDATE (RFC 3311)
  std::uint32_t lapse_permille = 0;       // sessions it should refresh and does not
  std::uint32_t long_permille = 0;        // calls that last for minutes
  std::uint32_t change_permille = 0;      // calls in which something is changed, at least once
  bool reliable = false;                  // knows 100rel
  bool requires_reliable = false;         // and insists
  std::uint32_t late_offer_permille = 0;  // INVITEs without a description
  std::uint32_t no_answer_permille =
      0;                              // descriptions that are owed and not given, PRACKs that are not sent or awaited
  std::uint32_t no_ack_permille = 0;  // 2xx that are not acknowledged
  std::uint32_t rude_permille = 0;    // whenever there is an occasion for something of agent_rude.cc
};

class Agent final : public Receiver {
 public:
  Agent(World& world, Place& place, Book& book, std::uint32_t number, std::string user, const core::Address& own,
        const core::Address& server_udp, const AgentTraits& traits);

  // --- what a scenario lets it do
  void enrol(std::uint32_t expires);  // registers, and stays so until leave()
  void leave();                       // removes its bindings
  // `result`: the final status, when it is known; it must live as long as the run.
  void message(const std::string& user, std::size_t bytes, int* result = nullptr);
  void call(const std::string& user, int* result = nullptr, int* bye_result = nullptr);
  void watch(std::uint32_t expires);  // SUBSCRIBE to its own registration
  void options();
  void cut() { wire_.cut(); }
  void vanish();
  void lie();
  // The troubles are over: it answers, and does no harm.
  void behave();
  void take_any_timer() { traits_.min_se = 0; }
  // Ends what lasts: calls, subscription, registration.
  void wind_up();

  [[nodiscard]] const std::string& user() const { return user_; }
  [[nodiscard]] bool gone() const { return gone_; }
  // Its connection broke and it can not be called: dialogs that went over it are lost.
  [[nodiscard]] bool unreachable() const { return traits_.no_accept && lost_; }
  [[nodiscard]] bool registered() const { return registered_until_ > world_.agenda.now(); }
  [[nodiscard]] const AgentTraits& traits() const { return traits_; }
  // A transaction of its own that has neither an answer nor ended; "" when there is none.
  [[nodiscard]] std::string waiting() const;

  void on_bytes(const Way& from, std::string_view bytes) override;
  void on_lost(std::uint32_t connection) override;

 private:
  // A client transaction.
  struct Client {
    Message request;
    std::string bytes;
    Way way;
    Instant began{};
    unsigned life = 0;
    Duration interval = t1;
    int provisional = 0;  // the last one's status
    Instant heard{};
    bool over = false;  // waits for nothing
    bool cancelled = false;
    bool blind = false;  // acknowledged, or another one sent, before it was answered
    std::string early_to, early_target;  // of a 1xx: its To, and whom it said to be
    int status = 0;                      // of the final response
    std::string final_bytes;
    std::map<std::string, std::string> accepted;  // 2xx of an INVITE by To tag
    std::function<void(const Message*)> done;     // each final response; nullptr: none will come
  };
  // A server transaction.
  struct Server {
    Message request;
    std::string bytes;
    Way back;
    std::string tag;
    std::string last;  // response
    int status = 0;
    bool acked = false;
    bool forgotten = false;  // nobody here will answer it
    Instant sent{};
    Duration interval = t1;
    // Where Book::timers:
    bool heard = false;        // something was answered
    unsigned rseq = 0;         // of the last reliable response
    bool waits_prack = false;  // which its PRACK has not come for
    bool holds_sdp = false;    // and it had the description
    std::string reliable;      // its bytes
    std::string answer;        // that a PRACK brought
    bool stubborn = false;     // heeds no CANCEL
  };
  struct Dialog {
    std::string call_id, local, remote;  // the latter two as header values
    std::string target;
    std::vector<std::string> routes;
    unsigned local_seq = 0, remote_seq = 0;
    bool over = false;
    std::string answered;   // key of the server transaction that made it; empty: we called
    bool offering = false;  // an INVITE of ours is open in it
    std::string ack;        // ours, to be repeated
    unsigned ack_seq = 0;
    Way ack_way;
    int* bye_result = nullptr;
    // Where Book::timers:
    std::string ref;             // of the call
    std::size_t side = 0;        // in Book::Call
    std::string given;           // the last description that came
    std::string held;            // the one that held before the last re-INVITE
    bool asked = false;          // a change of theirs has no answer yet
    bool peer_updates = false;   // Allow has UPDATE
    std::uint32_t interval = 0;  // of the session timer; 0: none
    bool we_refresh = false;
    unsigned round = 0;  // refreshes
    Instant refreshed{};
    unsigned tried = 0;       // the round in which the server has last tried to refresh it
    std::string prack;        // RAck of the last one sent
    bool deaf = false;        // sends none
    bool early = true;        // no 2xx yet
    std::uint32_t least = 0;  // seconds, said a 422
    bool counted = true;      // has a side in Book::Call
    bool lasts = false;       // for minutes
    bool forgetful = false;   // knows nothing of this dialog any more
    std::set<unsigned> referred, refers;  // CSeq of the REFERs that we sent and got
  };
  using Done = std::function<void(const Message*)>;

  // agent.cc
  [[nodiscard]] std::string fresh(const char* what);
  [[nodiscard]] Message make(const std::string& method, const std::string& uri, const std::string& to);
  [[nodiscard]] Way usual_way() { return traits_.stream ? wire_.stream() : wire_.datagram(); }
  [[nodiscard]] Way way_of(const std::string& uri);
  [[nodiscard]] std::string contact(bool stream) const;
  // Its host and port, in Contact and Via. A browser knows none (RFC 7118 section 5).
  [[nodiscard]] std::string sent_by() const;
  [[nodiscard]] std::string via(const Way& way, const std::string& branch) const;
  [[nodiscard]] Duration some(Duration most);
  void after(Duration delay, std::function<void()> action);
  void fail(const std::string& what);
  [[nodiscard]] bool excused(const Client& c) const;
  [[nodiscard]] bool missed(const Client& c) const;

  // agent_client.cc
  std::string start(Message request, const Way& way, Done done);
  void note(const Message& request);
  // The same again with an answer to the challenge.
  void start_with_credentials(Message request, const Way& way, Done done, int tries = 0);
  void repeat(const std::string& key);
  void give_up(const std::string& key);
  void end(Client& c);
  void on_response(const Message& m, std::string_view bytes);
  [[nodiscard]] bool echoes(const Client& c, const Message& m);
  void on_final(const std::string& key, Client& c, const Message& m, std::string_view bytes);
  void send_ack(const Client& c, const Message& m);

  // agent_server.cc
  void on_request(const Way& from, const Message& m, std::string_view bytes);
  [[nodiscard]] bool arrived_well(const Way& from, const Message& m);
  [[nodiscard]] bool arrived_once(const Way& from, const Message& m);
  void on_fresh(const std::string& key);
  using Fields = std::vector<std::pair<std::string, std::string>>;
  void respond(const std::string& key, int status, const std::string& body = {}, const Fields& fields = {});
  void send_back(const Server& s);
  void repeat_response(const std::string& key);
  void on_message(const std::string& key);
  void on_ack(const Message& m);
  void check_ack(const Message& m, const Server& invite);

  // agent_register.cc
  void add_credentials(Message& request, const Message& challenge);
  void send_register(std::uint32_t expires);
  void on_registered(const Message* m, std::uint32_t expires, unsigned number);
  void on_notify(const std::string& key);
  void send_subscribe(std::uint32_t expires);

  // agent_call.cc
  void on_invite(const std::string& key);
  void answer_call(const std::string& key);
  void on_cancel(const std::string& key);
  void send_cancel(const std::string& invite);
  void on_bye(const std::string& key);
  void invite(Message m, const Way& way, int* result, int* bye_result);
  void on_call_answer(const Message* m, int* result, int* bye_result);
  void talk(const std::string& dialog);
  void hang_up(const std::string& dialog);
  void over(Dialog& d);
  void re_invite(const std::string& dialog, bool refresh = false, bool rude = false);
  void cancel_call(const std::string& call_id);
  [[nodiscard]] bool end_early(const Message& invite);
  void acknowledge(Dialog& d, unsigned number, const std::string& invite_branch = {}, const std::string& body = {});
  [[nodiscard]] Message in_dialog(const Dialog& d, const std::string& method, unsigned number);
  [[nodiscard]] Way way_in(const Dialog& d);
  void check_cancelled(const std::string& key);
  [[nodiscard]] static std::string dialog_key(const std::string& call_id, const std::string& local,
                                              const std::string& remote) {
    return call_id + " " + tag_of(local) + " " + tag_of(remote);
  }

  // agent_change.cc
  [[nodiscard]] bool lacks() { return rng_.permille(traits_.no_answer_permille); }
  [[nodiscard]] std::string describe();  // a description that nobody else has
  void add_body(Message& m, const std::string& sdp);
  void add_abilities(Message& m) const;
  void talk_more(const std::string& dialog);
  [[nodiscard]] bool may_change(const Dialog& d);
  void update(const std::string& dialog, bool sdp, bool rude = false, const std::string& text = {});
  void inform(const std::string& dialog);
  void changed(const std::string& dialog, const Message& asked, const Message* answer);
  void on_change(const std::string& key);
  void answer_change(const std::string& key, const std::string& dialog);
  void on_reliable(const Message& m, const Client& c);
  void send_prack(const std::string& dialog, const std::string& rack, bool answers);
  void update_early(const std::string& key);
  void on_prack(const std::string& key);
  void ring_reliably(const std::string& key);
  void repeat_reliable(const std::string& key, Duration interval, Instant began);
  [[nodiscard]] std::string dialog_of(const Message& request) const;
  void begin_side(Dialog& d, const std::string& ref);

  // agent_timer.cc
  void ask_timer(Message& m, const Dialog* d, std::uint32_t at_least = 0) const;
  [[nodiscard]] bool too_short(const Message& request) const;
  [[nodiscard]] bool too_short(const Message& asked, std::uint32_t least) const;
  void grant_timer(const Message& request, Fields& fields, const std::string& dialog);
  void timer_answered(const std::string& dialog, const Message& asked, const Message& answer);
  void run_session(const std::string& dialog, std::uint32_t interval, bool we_refresh);
  void refresh(const std::string& dialog, unsigned round);
  void expire(const std::string& dialog, unsigned round);
  [[nodiscard]] bool in_good_times(const Dialog& d);

  // agent_refer.cc
  void refer(const std::string& dialog);
  void renew_refer(const std::string& dialog, unsigned number);
  [[nodiscard]] bool on_refer(const std::string& key, const std::string& dialog);
  void tell_refer(const std::string& dialog, unsigned number, bool last);

  // agent_rude.cc
  [[nodiscard]] bool rude(std::uint64_t of);
  void rudely(Duration delay, std::function<void()> act);
  void acknowledge_some_time(const std::string& dialog, unsigned number, const std::string& branch, std::string body);
  void say_before_ack(const std::string& dialog);
  void ring_rudely(const std::string& key);
  void be_stubborn(const std::string& key);
  [[nodiscard]] std::string early_dialog(const std::string& key);
  void call_rudely(const std::string& call_id);
  void bother(const std::string& dialog);
  void bother_once(const std::string& dialog, std::uint64_t act);
  void say(const std::string& dialog, const std::string& method);
  void cancel_late(const Dialog& d);
  void answer_again(const Dialog& d);
  void acknowledge_early(const Dialog& d);
  void acknowledge_blind(const std::string& invite, Dialog d);
  void overtake(const std::string& call_id);
  void go_blind(const std::string& invite);

  // agent_leg.cc
  [[nodiscard]] bool legs() const { return book_.role == Role::b2bua; }
  [[nodiscard]] bool arrived_on_leg(const Message& m);
  [[nodiscard]] bool of_server_itself(const Message& m, const Dialog* d);
  [[nodiscard]] bool missed_dialog(const Message& m) const;
  [[nodiscard]] bool passed_on(const Message& m, const Message& was, bool body);
  [[nodiscard]] bool answered_on_leg(const Client& c, const Message& m);
  [[nodiscard]] bool contact_of_server(const Message& m);
  [[nodiscard]] bool knows_dialog(const Message& m, const Dialog*& d);

  World& world_;
  Book& book_;
  Rng rng_;
  std::uint32_t number_;
  std::string user_;
  AgentTraits traits_;
  Wire wire_;
  core::Address own_;
  bool gone_ = false;
  bool ending_ = false;
  bool lost_ = false;  // a connection
  const bool liar_;    // or was one
  std::uint64_t next_id_ = 1;

  std::map<std::string, Client> clients_;  // by branch and method
  std::map<std::string, Server> servers_;  // by branch and method
  std::map<std::string, Dialog> dialogs_;
  std::map<std::string, std::set<std::string>>
      seen_;  // requests without To tag, by Call-ID, CSeq and From tag: branches

  // Registration
  std::string reg_call_id_;
  unsigned reg_seq_ = 0;
  unsigned reg_round_ = 0;
  std::uint32_t reg_expires_ = 0;  // that is kept up; 0: none
  bool reg_open_ = false;          // one is under way: the next one waits for it (RFC 3261 section 10.2)
  bool reg_again_ = false;         // and there is a next one
  bool reg_unsure_ = false;        // one had no answer: it may be done some day
  Instant registered_until_{};
  Instant removed_at_ = Instant::max();  // nothing that was sent later may come here
  Credentials credentials_;

  // Subscription
  struct Subscription {
    std::string call_id, local, remote, target;
    unsigned seq = 0;
    bool over = false;
    // What one notifier has said: by its tag. There are two when the server has forgotten the SUBSCRIBE that made one.
    struct Notifier {
      unsigned last_seq = 0;                   // of the NOTIFY that ended it
      std::map<unsigned, std::string> bodies;  // by version
    };
    std::map<std::string, Notifier> notifiers;
  };
  std::map<std::string, Subscription> subscriptions_;  // by Call-ID
  std::string subscription_;                           // the present one
};

}  // namespace parley::sim::sip
