// tools/parley/client.h - an IM client: the OMA SIMPLE IM client procedures over SIP and MSRP, as a Worker's logic.
//
// One per process, one thread. What the user wants comes in as calls, what the network brings as Inputs; what the user
// is to learn is fetched as Events. No descriptor, no clock, no disk: those are the front's (front.h). Everything that
// waits has a limit in ClientConfig and a time after which it has failed.
//
//   client.cc            steps, who a request is for, registration, the end
//   client_invite.cc     sessions of ours: INVITE and what comes of it
//   client_invited.cc    sessions we are invited to
//   client_dialog.cc     in a session: its own requests and theirs, time
//   client_media.cc      MSRP: messages, files
//   client_message.cc    pager mode, choice of mode, notifications of disposition
//   client_content.cc    what a message has brought: told, or kept as files
//   client_events.cc     subscriptions, settings, inviting and expelling others
//   client_stored.cc     what the server keeps for the user: messages that wait, records of conversations
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/metrics.h"
#include "core/pool.h"
#include "core/random.h"
#include "core/seam.h"
#include "sip/subscriber.h"
#include "tools/parley/content.h"
#include "tools/parley/event.h"
#include "tools/parley/file_store.h"
#include "tools/parley/im_session.h"
#include "tools/parley/msrp_client.h"
#include "tools/parley/requests.h"
#include "tools/parley/roster.h"
#include "tools/parley/stored_list.h"
#include "tools/parley/user_agent.h"
#include "tools/parley/xcap_client.h"

namespace parley::client {

struct ClientConfig {
  Self self{};
  UserAgentConfig agent{};
  MsrpConfig msrp{};
  std::string host{};                        // ours for SDP, IPv6 without brackets
  std::string registrar{};                   // "sip:example.org"
  std::string factory{};                     // conference factory; empty: none is known
  std::vector<std::string> deferred_uris{};  // DEC-1: functions that are let in always
  bool trust_asserted = true;                // the server's P-Asserted-Identity is believed (RFC 3325 section 4)
  std::uint32_t register_seconds = 3600;
  std::uint32_t publish_seconds = 600'000;  // SEED3-5.2.4-7: as the registration timer of a core
  std::uint32_t conference_seconds = 3600;
  sip::SessionTimerConfig timer{.ask = sip::Refresher::uac};  // SEED1-7.1.1.1-7
  sip::InviteConfig invite{};
  bool auto_accept = true;                  // sessions one is invited to; else the user says
  bool tells_bytes = false;  // what is no text and has no place for files is in the events; else it is refused
  bool answer_delivered = true;             // IMDN of what arrived, where it was asked for
  bool answer_displayed = false;            // and that it was shown
  std::uint32_t pager_bytes = 1300;         // SEED3-8.1-1, DEC-12: a MESSAGE of this size is too long
  std::uint32_t sessions_max = 16;          // at one time; more are answered 486
  std::uint64_t file_bytes_max = 1U << 30;  // of one received
  std::uint64_t saved_bytes_max = 1U << 30;  // of messages that are saved in files
  std::uint32_t waiting_max = 256;          // messages that wait for their session, and receipts waited for
  std::uint32_t subscriptions_max = 32;
  core::Duration receipt_wait = std::chrono::minutes(5);  // SEED3-8.1.1-N3: how long an IMDN is known again
  core::Duration report_wait =
      std::chrono::seconds(30);                         // MSRP REPORT of a large message or file, once all of it is out
  core::Duration leave_wait = std::chrono::seconds(4);  // for what is under way at the end
};

struct SendWish {
  std::vector<std::string> to{};
  std::string content_type = "text/plain";
  std::shared_ptr<const ByteSource> body{};
  bool want_delivery = false;
  bool want_display = false;
};

class Client {
 public:
  struct Parts {
    core::Pool& pool;
    core::Metrics& metrics;
    core::Seed seed;
    core::Instant start{};
    FileStore& files;    // of what others send
    FileStore& fetched;  // of what the user has fetched
    XcapClient* xcap = nullptr;  // null: none is known
    ClientConfig config;
  };
  explicit Client(Parts parts);

  // --- what the user wants; between begin() and end(). Tickets and session numbers are never 0 and never used again.

  void enrol();
  // SEED3-8.1: a MESSAGE or a session of its own for it. Events: sent, delivery.
  std::uint32_t send(SendWish wish);
  std::uint32_t send_file(std::string to, FileOffer file, std::shared_ptr<const ByteSource> body);
  // A chat with one, with a group, or with those invited by the factory.
  std::uint32_t open_session(std::string to, std::vector<std::string> recipients, std::string subject, bool group);
  // Events: sent, delivery. 0: no such session, or too much waits.
  std::uint32_t say(std::uint32_t session, std::string text, bool want_receipts);
  void accept(std::uint32_t session);
  void decline(std::uint32_t session, std::uint16_t status);
  void leave(std::uint32_t session);
  void add_users(std::uint32_t session, std::vector<std::string> users);
  void expel(std::uint32_t session, std::string user);
  // SEED3-5.2.4. Events: published, settings.
  void publish(std::string document, bool offline_delivery = true);
  void fetch();
  // Events: deferred.
  void fetch_deferred_messages();
  // What the server keeps for him. Events: entry, list; fetch, session, message; deleted.
  void list_stored(Stored what);
  // `id`: as lists have it.
  void fetch_stored(Stored what, std::string id);
  // False: no XCAP server is known, or too much is under way.
  [[nodiscard]] bool delete_stored(Stored what, std::string id);
  // By XcapClient::erase; 0: the server does not answer.
  void on_erased(std::uint32_t ticket, std::uint16_t status);
  // Ends sessions and registration; afterwards over().
  void stop();
  [[nodiscard]] bool over() const { return stopping_ && (now_.mono >= leave_ends_ || nothing_left()); }

  // --- steps

  void begin(const core::Now& now, core::Outbox& out);
  void take(const core::Input& input, std::string_view bytes);
  void end();
  [[nodiscard]] bool next(Event& event);
  [[nodiscard]] core::Instant next_deadline() const;

  [[nodiscard]] const ImSession* session(std::uint32_t number) const;

 private:
  using Received = sip::Received;
  // What an exchange of the user agent is for.
  struct Errand {
    enum class Kind : std::uint8_t {
      enrol,
      leave_registrar,
      message,
      notification,
      invite,
      bye,
      refresh,
      other_bye,
      subscribe,
      publish,
      refer
    };
    Kind kind = Kind::enrol;
    std::uint32_t owner = 0;  // session, subscription or ticket
    sip::TimerAsk asked{};
  };
  struct Waiting {  // for an IMDN or an MSRP report
    std::uint32_t ticket = 0;
    std::string message_id{};
    core::Instant until{};
    bool answered = false;
  };
  struct Subscription {
    std::uint32_t number = 0;
    enum class Kind : std::uint8_t { conference, settings, deferred, stored } kind = Kind::conference;
    std::uint32_t session = 0;  // of a conference
    sip::Subscriber rules;
    sip::Dialog dialog;
    Request request{};  // the first one
    Envelope envelope{};
    std::uint32_t exchange = 0;
    bool made = false;
    Roster roster{};
    Stored stored = Stored::deferred;  // stored: which list,
    std::string id{};                  // and what of it is to be fetched; empty: it is to be shown
    bool told = false;                 // what became of it
  };
  // What has become of a message that came.
  enum class Kept : std::uint8_t { yes, no_place, failed };
  struct Arrived {
    Kept kept = Kept::yes;  // whether the user has all of it
    bool seen = true;       // no part of it went into a file
  };
  // Where what is no text goes.
  struct Place {
    FileStore& store;
    std::uint32_t session;  // it came in; 0: outside of sessions
    std::string_view stem;  // of its file's name
  };
  struct Erasing {
    Stored what = Stored::deferred;
    std::string id{};
  };

  // client.cc
  void settle();  // facts of the user agent and of MSRP until there are none
  void on_request(const UaFact& fact);
  void on_ack(const Received& ack);
  void on_response(const UaFact& fact, std::uint16_t status, const Received* message);
  void on_register_response(std::uint16_t status, const Received* message);
  void answer(sip::TransactionId server, std::uint16_t status) { answer(server, status, answer_lines(self())); }
  void answer(sip::TransactionId server, std::uint16_t status, const Lines& lines);
  [[nodiscard]] const Self& self() const { return config_.self; }
  [[nodiscard]] Envelope new_envelope();
  [[nodiscard]] std::string new_tag();
  [[nodiscard]] bool nothing_left() const;
  void tell(Event event);
  void run_timers();

  // client_invite.cc
  ImSession& make_session(SessionKind kind, bool outgoing);
  void send_invite(ImSession& session);
  void on_invite_response(ImSession& session, const UaFact& fact, std::uint16_t status, const Received* message,
                          const sip::TimerAsk& asked);
  void take_answer(ImSession& session, const Received& response);
  void remember_peer(ImSession& session, const Received& message);
  void send_ack(ImSession& session);
  void end_other(ImSession& session, const Received& response);

  // client_invited.cc
  void on_invite(const UaFact& fact);
  [[nodiscard]] bool is_deferred_function(const Received& invite) const;
  void answer_invite(ImSession& session);
  void refuse_invite(ImSession& session, std::uint16_t status, std::string_view why = {});

  // client_dialog.cc
  void carry_out(ImSession& session, std::uint32_t actions, const UaFact* fact);
  void on_dialog_request(ImSession& session, const UaFact& fact);
  void on_reinvite(ImSession& session, const UaFact& fact);
  void on_update(ImSession& session, const UaFact& fact);
  void carry_change(ImSession& session, const sip::ChangeStep& step, const UaFact* fact);
  void take_new_offer(ImSession& session, const Received& message);
  void send_refresh(ImSession& session);
  void on_refresh_response(ImSession& session, const Errand& errand, std::uint16_t status, const Received* message);
  std::uint32_t send_in_dialog(ImSession& session, sip::Method method, std::string_view name, const Lines& lines,
                               Errand errand);
  void run_timers_of(ImSession& session);
  void end_session(ImSession& session);
  void tell_session(const ImSession& session, std::string_view state);
  void drop_dead_sessions();

  // client_media.cc
  void on_media(const MsrpFact& fact);
  void media_ready(ImSession& session);
  // Without what it may bring.
  [[nodiscard]] SdpWish own_media(const ImSession& session) const;
  void connect_media(ImSession& session);
  void flush(ImSession& session);
  void on_message(ImSession& session, const MsrpFact& fact);
  void on_file_piece(ImSession& session, const MsrpFact& fact);

  // client_message.cc
  void send_pager(SendWish& wish, std::uint32_t ticket);
  void on_pager(const UaFact& fact, ImSession* session);
  [[nodiscard]] CpimWish own_cpim(std::string to, std::string content_type, std::string body) const;
  // The message asks for the receipts that `wish` names.
  [[nodiscard]] std::string asking(const SendWish& wish, const std::string& imdn_id, std::string body) const;
  Arrived show(const Content& content, std::string_view sender, ImSession* session, std::string_view mode);
  void answer_receipts(const Content& content, std::string_view sender, ImSession* session, const Arrived& arrived);
  void send_notification(const Content& content, std::string_view to, ImSession* session, Disposition disposition);
  void await_receipt(std::uint32_t ticket, std::string message_id);
  void on_notification(const Imdn& imdn, ImSession* session);
  [[nodiscard]] std::string new_message_id();

  // client_events.cc
  void subscribe(ImSession& session);
  void start_fetch(Subscription::Kind kind, Request request, Stored stored = {}, std::string id = {});
  void tell_subscription_failed(Subscription& subscription, std::uint16_t status);
  void show_document(Subscription& subscription, std::string_view body);
  void carry_subscription(Subscription& subscription, const sip::SubscriberStep& step);
  void on_subscribe_response(std::uint32_t number, std::uint16_t status, const Received* message);
  void on_notify(const UaFact& fact, ImSession* session);
  void on_publish_response(std::uint16_t status, const Received* message);

  // client_stored.cc
  void start_list(Stored what, std::string id);
  void take_list(Subscription& subscription, std::string_view document);
  void tell_list_failed(Stored what, std::string_view id, std::uint16_t status);
  void open_stored(Stored what, const StoredEntry& entry);
  void tell_list(Stored what, StoredList list);
  Arrived show_stored(ImSession& session, const MsrpFact& fact);

  // client_content.cc
  // `event` says who and when. A part that can not be kept is told alone, with its reason.
  Arrived tell_message(Event event, const Content& content, const Place& place);
  [[nodiscard]] Kept keep(const ContentPart& part, const Place& place, Event& event);

  core::Random random_;
  ClientConfig config_;
  core::Pool& pool_;
  core::Metrics& metrics_;
  FileStore& files_;
  FileStore& fetched_;
  XcapClient* const xcap_;
  UserAgent agent_;
  MsrpClient msrp_;
  core::Now now_;

  std::map<std::uint32_t, ImSession> sessions_;
  std::map<std::uint32_t, Errand> errands_;  // by exchange
  std::map<std::uint32_t, Subscription> subscriptions_;
  std::map<std::uint32_t, Erasing> erasing_;  // by ticket
  std::deque<Waiting> receipts_;
  std::uint64_t saved_bytes_ = 0;  // in files_, by messages
  std::deque<Event> events_;
  std::uint32_t next_number_ = 1;

  Envelope enrolment_;  // RFC 3261 section 10.2: one Call-ID for all
  bool wanted_ = false;
  bool enrolled_ = false;
  core::Instant enrol_again_ = core::never;
  std::uint32_t enrol_failures_ = 0;
  std::string etag_;
  std::string published_;
  bool fetch_after_publish_ = false;
  core::Instant publish_again_ = core::never;
  bool stopping_ = false;
  core::Instant leave_ends_ = core::never;
};

}  // namespace parley::client
