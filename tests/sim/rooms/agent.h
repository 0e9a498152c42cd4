// tests/sim/rooms/agent.h - one device of a user of sessions: it registers, invites, is invited, joins, says things and
// hears them, leaves, makes others come and go, watches.
//
// The parts:
//   agent.cc            registration, what arrives, connections of MSRP
//   agent_session.cc    INVITE both ways, BYE, CANCEL, changes, session timers
//   agent_media.cc      what is said, nicknames, connections that break
//   agent_conference.cc REFER and what is told of it, SUBSCRIBE to the roster
//   liar.cc             hostile acts
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/policy/conference_reader.h"
#include "tests/sim/rooms/media.h"
#include "tests/sim/rooms/phone.h"

namespace parley::sim::rooms {

struct AgentTraits {
  bool stream = false;                 // SIP over TCP
  bool anonymous = false;              // whatever it joins
  bool passive = false;                // waits to be connected to
  bool deaf = false;                   // and nobody listens there, now and then
  bool timer = false;                  // asks for session timers
  std::uint32_t lapse_permille = 0;    // that it does not refresh
  std::uint32_t decline_permille = 0;  // invitations
  std::uint32_t silent_permille = 0;   // that it never answers
  std::uint32_t cancel_permille = 0;   // invitations of its own that it gives up
  Duration answer_max{};
  MediaTraits media;
};

class Agent final : public Phone, public LineOwner, public TalkOwner, public Acceptor {
 public:
  Agent(World& world, Place& place, Book& book, std::uint32_t number, std::string user, const core::Address& own,
        const core::Address& server_udp, const AgentTraits& traits);
  ~Agent() override;

  // --- what a scenario lets it do
  void enrol(std::uint32_t expires);
  void call(const std::string& user, bool* done = nullptr);
  void gather(const std::vector<std::string>& users);    // an ad-hoc group
  void join(const std::string& uri, bool* done = nullptr);  // of a group or a session
  void say(std::uint64_t draw, Said** said = nullptr);   // to all, in one of its sessions
  void whisper(std::uint64_t draw);                      // to one
  void rename(std::uint64_t draw);
  void quit(std::uint64_t draw);                         // leaves one of its sessions
  void change(std::uint64_t draw);                       // re-INVITE: hold, back again, another path
  void break_media(std::uint64_t draw);
  void stall_media(std::uint64_t draw);
  void expel(std::uint64_t draw);
  void bring(std::uint64_t draw);                        // by REFER
  void watch(std::uint64_t draw);
  void come_back(std::uint64_t draw);                    // to a session that it has been in
  void cut() { wire_.cut(); }
  void lie(std::uint64_t draw);

  // The troubles are over: it answers, and does no harm. Then: what is broken is mended.
  void behave();
  void mend();
  // Ends what lasts.
  void wind_up();
  // What it knows of the rosters it watches agrees with the Book.
  void check_rosters();

  [[nodiscard]] const std::string& user() const { return user_; }
  [[nodiscard]] const AgentTraits& traits() const { return traits_; }
  [[nodiscard]] bool in_any() const;

  // Phone
  void on_lost(std::uint32_t connection) override;
  // LineOwner, Acceptor, TalkOwner
  void on_frame(Line& line, const Frame& frame) override;
  void on_line_lost(Line& line) override;
  void accepted(Stream* stream, const core::Address& from) override;
  void on_up(Talk& talk) override;
  void on_down(Talk& talk) override;
  void on_status(Talk& talk, const std::string& what, int status) override;

 private:
  // One participation.
  struct Party {
    enum class State : std::uint8_t { calling, ringing, up, gone };
    std::uint32_t number = 0;
    State state = State::calling;
    Seat* seat = nullptr;
    Dialog dialog;
    std::string invite;      // key of the server transaction that it came by, or ""
    std::unique_ptr<Talk> talk;
    std::string setup;       // ours
    std::string direction;   // ours
    unsigned version = 1;
    bool active = true;      // we connect
    bool changing = false;   // a re-INVITE of ours is open
    bool held = false;
    bool expelled = false;   // by us, or asked to
    std::uint32_t interval = 0;  // session timer, seconds
    bool we_refresh = false;
    unsigned round = 0;
    std::string focus;       // Contact of the focus: the session identity as we know it
    std::string target;      // whom we have called
    std::string other;       // of two: the other one's address of record
    std::vector<std::string> named;  // users we have called
    std::string next_own;    // path of ours that a re-INVITE has named
    bool switching = false;  // to it
    bool group = false;      // target is a group
    bool* done = nullptr;
  };
  // The roster of one session.
  struct Watch {
    Party* party = nullptr;
    const Room* foreign = nullptr;  // a session that nobody had named it for when it asked
    Dialog dialog;
    bool over = false;
    bool answered = false;
    bool refreshing = false;  // it has been sent, or will be
    unsigned life = 0;
    unsigned last_seq = 0;
    Instant began{};
    tests::ConferenceReader reader;
    std::map<unsigned, std::string> bodies;  // by version
  };

  // agent.cc
  void on_request(const std::string& key) override;
  void on_ack(const std::string& key, const Message& ack) override;
  void on_no_ack(const std::string& key) override;
  void on_provisional(const Client& c, const Message& response) override;
  void see(const Message& m, std::string_view bytes) override;
  void send_register(std::uint32_t expires);
  [[nodiscard]] Party* party_of(const Message& m);
  [[nodiscard]] Party* any_up(std::uint64_t draw);
  [[nodiscard]] Party* party_of(const Talk& talk);
  Party& add_party();
  [[nodiscard]] std::string own_uri();
  Line* add_line(Stream& stream, Side side);
  void connect(Party& p);
  void let_go(Party& p);  // of its connection, which ends when it carries no other session
  [[nodiscard]] std::vector<Talk*> talks_of(const Line& line) const;

  // agent_session.cc
  void invite(Party& p, Message m);
  void invited(const std::string& key);
  void accept(const std::string& key, std::uint32_t party);
  void answered(Party& p, const Message* m);
  void entered(Party& p);
  void leave(Party& p, bool at_once = false);
  void send_bye(std::uint32_t party, int tries);
  void over(Party& p);
  void on_bye(const std::string& key);
  void on_cancel(const std::string& key);
  void on_change(const std::string& key);
  void re_invite(Party& p, std::string direction, bool other_path);
  void changed(std::uint32_t party, const std::string& was, const Message* m);
  void switch_path(Party& p);
  void run_timer(Party& p, const Message& m, bool we_called);
  void refresh(std::uint32_t party, unsigned round);
  void add_abilities(Message& m);
  [[nodiscard]] std::string description(Party& p);
  void check_reason(const Party& p, const std::string& reason);

  // agent_media.cc
  void say_in(Party& p, const std::string& to, Said** said);
  void lie_in(Party& p, std::uint64_t draw);
  void reconnect(std::uint32_t party);

  // agent_conference.cc
  void refer(Party& p, const std::string& target, Done done);
  void on_notify(const std::string& key);
  void on_conference(Watch& w, const std::string& key);
  void subscribe(const std::string& identity, Party* p, const Room* foreign);
  [[nodiscard]] bool may_watch(const Watch& w) const;
  void refresh_watch(Watch& w, Duration delay);
  void send_refresh(Watch& w);
  void unwatch(Watch& w);
  [[nodiscard]] const Room* foreign(std::uint64_t draw) const;
  [[nodiscard]] bool may_expel(const Party& p, const std::string& user) const;

  AgentTraits traits_;
  Place& place_;
  core::Address media_;  // where it waits for connections
  std::uint16_t next_port_ = 30000;
  std::uint32_t next_line_ = 1;
  std::vector<std::unique_ptr<Party>> parties_;
  std::vector<std::unique_ptr<Watch>> watches_;
  std::map<std::string, std::string> refers_;  // Call-ID and tag of a subscription by REFER -> last state
  std::vector<std::unique_ptr<Line>> lines_;
  std::vector<std::unique_ptr<Line>> dead_lines_;
  std::set<const Line*> strange_;  // over which something was sent to others' sessions
  std::uint64_t next_session_ = 1;
  bool ending_ = false;
  bool calm_ = false;

  std::string reg_call_id_;
  unsigned reg_seq_ = 0, reg_round_ = 0;
  std::uint32_t reg_expires_ = 0;
  bool reg_open_ = false, reg_again_ = false;
};

}  // namespace parley::sim::rooms
