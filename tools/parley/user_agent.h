// tools/parley/user_agent.h - SIP requests and responses of one client over transport and transactions: which way they
// take, what they are sent again with when a server asks for credentials, and what comes of them.
//
// One per client, one thread. What is sent is named by a number that is never used again. Every request goes to the
// server, or, in a dialog, to the address that its route names (RFC 3261 section 12.2.1.1); names there are the
// server's to look up. Requests too long for a datagram go by TCP first (RFC 3261 section 18.1.1, T-17).
//
//   begin(now, out)
//   take(input)                  for each Input; then: while (next(fact)) ...
//   end()
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/digest_client.h"
#include "core/metrics.h"
#include "core/pool.h"
#include "core/random.h"
#include "policy/message_reader.h"
#include "sip/dialog.h"
#include "sip/transactions.h"
#include "sip/transport.h"
#include "tools/parley/request.h"

namespace parley::client {

struct UserAgentConfig {
  sip::Destination server{};
  std::string user{};  // of the credentials
  std::string password{};
  std::shared_ptr<const sip::TransportConfig> transport{};
  sip::TransactionConfig transactions{};
  std::uint32_t exchanges_max = 1024;
  std::uint32_t datagram_request_bytes_max = 1300;  // RFC 3261 section 18.1.1
};

// What names a request outside dialogs.
struct Envelope {
  std::string call_id{};
  std::string from_tag{};
  std::uint32_t cseq = 1;
};

struct UaFact {
  enum class Kind : std::uint8_t {
    request,     // `message` came and has the server transaction `server`
    ack,         // of a 2xx
    cancelled,   // the INVITE of `server`; the CANCEL has been answered
    response,    // `message` to exchange `number`
    challenged,  // in a dialog: again(number, cseq) sends it with credentials
    failed,      // no response: `status` is 408 or 503
    lost,        // a connection has ended
  };
  Kind kind = Kind::request;
  const sip::Received* message = nullptr;  // valid until the next call of next()
  sip::TransactionId server{};
  std::uint32_t number = 0;
  std::uint16_t status = 0;
  sip::Flow flow{};
};

class UserAgent {
 public:
  UserAgent(core::Pool& pool, core::Metrics& metrics, core::Random& random, core::Instant start,
            UserAgentConfig config);

  void begin(const core::Now& now, core::Outbox& out);
  void take(const core::Input& input) { transport_.take(input); }
  [[nodiscard]] bool next(UaFact& fact);
  void end() { transport_.end(); }
  [[nodiscard]] core::Instant next_deadline() const {
    return std::min(transport_.next_deadline(), transactions_.next_deadline());
  }

  // Outside dialogs. 0: there is no room, or no way; nothing is told of it.
  [[nodiscard]] std::uint32_t send(const Request& request, const Envelope& envelope);
  // SEED1-7.1.1.1-IMS, RFC 3608: the routes that a registrar has named, for everything outside dialogs but REGISTER.
  void set_service_route(std::string routes) { service_route_ = std::move(routes); }
  // Of the request as it will be on the wire, credentials included where they will be asked for (DEC-12).
  [[nodiscard]] std::size_t size_of(const Request& request) const;
  // In a dialog: what Dialog::write made of it.
  [[nodiscard]] std::uint32_t send_in(std::string text, sip::Method method, std::string next_hop);
  // After challenged: once.
  void again(std::uint32_t number, std::uint32_t cseq);
  void cancel(std::uint32_t number);  // T-24
  // The CSeq number it went out with, and the credentials (Authorization and its like) for an ACK.
  [[nodiscard]] std::uint32_t cseq_of(std::uint32_t number) const;
  [[nodiscard]] std::vector<Line> credentials_of(std::uint32_t number) const;
  // Nobody asks for what becomes of it any more.
  void forget(std::uint32_t number) { exchanges_.erase(number); }

  void ack(std::string_view text, std::string_view next_hop);

  // A response to a request that has had none that is final; its text. Empty: the transaction has gone.
  std::string respond(sip::TransactionId server, std::uint16_t status, const Lines& lines, std::string_view to_tag,
                      bool dialog_creating = false);
  void respond_again(sip::TransactionId server, std::uint16_t status, std::string_view text);
  // The request, as long as no final response was sent; null afterwards. Valid until the next call.
  [[nodiscard]] const sip::Received* request_of(sip::TransactionId server);

  void keep(core::Instant until);                       // the server's connection is relied on
  [[nodiscard]] const sip::Listener& listener() const;  // that names us towards the server
  [[nodiscard]] core::Transport transport() const { return config_.server.transport; }
  [[nodiscard]] std::size_t live() const { return exchanges_.size(); }

 private:
  struct Exchange {
    std::uint32_t number = 0;
    sip::Method method = sip::Method::other;
    std::string text{};  // without Via and credentials
    std::string next_hop{};
    std::vector<Line> credentials{};
    std::uint32_t cseq = 0;
    sip::TransactionId transaction{};
    std::uint8_t tries = 0;  // with credentials
    bool in_dialog = false;
    bool by_tcp_first = false;  // a datagram request that was too long: UDP if that fails
    bool final = false;
  };

  [[nodiscard]] std::string write(const Request& request, const Envelope& envelope) const;
  [[nodiscard]] std::uint32_t add(std::string text, sip::Method method, std::string next_hop, bool in_dialog);
  [[nodiscard]] bool start(Exchange& exchange);
  [[nodiscard]] std::optional<sip::Flow> flow_for(std::string_view next_hop, bool tcp);
  [[nodiscard]] std::string with_via(std::string_view text, const sip::Flow& flow, std::string_view branch,
                                     std::uint32_t cseq, const std::vector<Line>& credentials);
  [[nodiscard]] bool on_message(const sip::Received& message, UaFact& fact);
  [[nodiscard]] bool on_response(const sip::Received& response, UaFact& fact);
  [[nodiscard]] bool take_challenge(Exchange& exchange, const sip::Received& response);
  [[nodiscard]] bool on_fact(const sip::TransactionFact& happened, UaFact& fact);
  void respond_without(const sip::Received& request, std::uint16_t status);
  [[nodiscard]] std::string compose(const sip::Received& request, std::uint16_t status, const Lines& lines,
                                    std::string_view to_tag, bool dialog_creating);
  void add_credentials(Exchange& exchange);

  UserAgentConfig config_;
  core::Random& random_;
  sip::Transport transport_;
  sip::Transactions transactions_;
  core::Digest digest_;
  policy::MessageReader reader_;
  policy::MessageReader stored_;
  core::Now now_;
  std::string service_route_;  // values of Route, in their order
  std::map<std::uint32_t, Exchange> exchanges_;
  std::uint32_t next_number_ = 1;
  // Of realms that have asked, so that later requests need not be refused first.
  static constexpr std::size_t realms_max = 4;
  struct Realm {
    sip::HeaderId header = sip::HeaderId::authorization;
    core::DigestAnswer answer;
  };
  std::deque<Realm> realms_;
};

}  // namespace parley::client
