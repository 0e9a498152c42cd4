// policy/participating.h - the checks of the participating functions (SEED4-6.1.1.1, SEED4-6.1.2.1): what originating.h
// and terminating.h ask about a request is gathered here, from the operator's policy, what users have written and how
// often they have sent; and what a refusal says.
//
// One per shard, core-local. It answers nothing itself: who asks sends what it says, before asking again.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/metrics.h"
#include "core/random.h"
#include "core/time.h"
#include "policy/content_policy.h"
#include "policy/home.h"
#include "policy/im_request.h"
#include "policy/originating.h"
#include "policy/overdue_answers.h"
#include "policy/settings.h"
#include "policy/sip_config.h"
#include "policy/terminating.h"
#include "policy/user_documents.h"
#include "policy/user_rates.h"
#include "policy/user_sessions.h"
#include "sip/flow.h"
#include "sip/header_lines.h"
#include "sip/transport.h"

namespace parley::policy {

class Participating {
 public:
  struct Parts {
    const Home& home;
    const ExternalLists& lists;  // that rules name
    const sip::Transport& transport;
    const UserSessions& sessions;
    core::Random& random;
    core::Metrics& metrics;
    std::shared_ptr<const SipConfig> config;
  };
  explicit Participating(const Parts& parts);
  void reload(std::shared_ptr<const SipConfig> config) { config_ = std::move(config); }
  void take(std::shared_ptr<const UserDocuments> documents) { user_documents_ = std::move(documents); }
  void begin(const core::Now& now) { now_ = now; }

  // --- what is asked about a request
  // False: nobody has said anything that requests have to be looked at for.
  [[nodiscard]] bool judges_requests() const;
  // Whether it is one for the participating functions: outside any dialog that was let in, and of the IM service. A
  // MESSAGE can be read without any dialog, so its To tag proves nothing.
  [[nodiscard]] std::optional<ImKind> im_request(const sip::Received& request, bool let_in = false) const;
  // Who sends it, by the keys of what is proven or asserted: at most a SIP address and a number of each (Home::put_keys).
  void senders_of(const sip::Received& request, std::string_view user, bool asserted,
                  std::vector<std::string>& keys) const;
  [[nodiscard]] UserPolicy policy_of(std::string_view user) const;
  [[nodiscard]] OverdueAnswers& overdue_answers() { return overdue_answers_; }
  // Whether one of its senders does, by whichever of our names he goes (SEED4-6.1.1.1-2, OMA-SYS-5).
  [[nodiscard]] bool owes_answer(std::span<const std::string> senders, const sip::Received& request) const;

  // --- whether it may go on: null when it may. Each request is asked about once: it counts.
  // OMA-POL-5, of what a user asks of this server itself.
  [[nodiscard]] const OriginatingCheck* rate_refusal(const sip::Received& request, std::string_view user);
  // With what is asked of any request of his.
  [[nodiscard]] const OriginatingCheck* originating_refusal(const sip::Received& request, std::string_view user,
                                                            OriginatingFacts facts);
  struct Arrival {          // whose request it is
    std::string_view user;  // of our realm, who has proved to be that; or
    bool asserted = false;  // somebody whom its P-Asserted-Identity may name
    bool deferred = false;  // somebody who may be a deferred messaging function
  };
  // To the user `aor` of ours, whose settings are these.
  [[nodiscard]] const TerminatingCheck* terminating_refusal(const sip::Received& request, const Arrival& arrival,
                                                            ImKind kind, std::string_view aor,
                                                            const ImSettings& settings);
  // Of a file in a dialog that was let in.
  [[nodiscard]] const TerminatingCheck* file_refusal(const sip::Received& request, std::string_view user,
                                                     std::span<const std::string> senders);

  // --- what the last refusal says beside its status
  [[nodiscard]] std::span<const sip::HeaderText> headers() { return lines_.headers(); }
  [[nodiscard]] std::string_view body() const { return body_; }
  // One that no check has led to.
  void put_warning(const sip::Received& request, std::string_view text);

 private:
  struct Told {
    Tells tells = Tells::nothing;
    std::string_view text;
    std::string_view page;
  };
  // Counted, and put into words.
  template <class Check>
  const Check* refused(const Check* check, const UserPolicy& policy, const ContentVerdict& content, ImKind kind,
                       const sip::Received& request);
  void put_refusal(const Told& told, const UserPolicy& policy, const ContentVerdict& content, ImKind kind,
                   const sip::Received& request);
  [[nodiscard]] bool within_rate(std::string_view user, sip::Method method);
  // Of a user; null: there are none.
  [[nodiscard]] std::shared_ptr<const AccessRules> rules_of(std::string_view user) const;
  [[nodiscard]] TerminatingFacts terminating_facts(const sip::Received& request, ImKind kind, std::string_view user,
                                                   std::span<const std::string> senders, const ImSettings& settings,
                                                   ContentVerdict& content) const;
  [[nodiscard]] bool is_deferred_delivery(const sip::Received& request, bool from_trusted) const;

  const Home& home_;
  const ExternalLists& lists_;
  const sip::Transport& transport_;
  const UserSessions& sessions_;
  core::Random& random_;
  core::Metrics& metrics_;
  std::shared_ptr<const SipConfig> config_;
  std::shared_ptr<const UserDocuments> user_documents_ = std::make_shared<UserDocuments>();
  core::Now now_;
  UserRates rates_;
  OverdueAnswers overdue_answers_;
  std::vector<std::string> senders_;
  sip::HeaderLines lines_;
  std::string body_;
};

}  // namespace parley::policy
