// policy/settings.h - the IM service settings of the users of one shard: what their devices have published (RFC 3903,
// RFC 4354) and what holds of it. OMA-SET-1, OMA-SET-7 to OMA-SET-9, SEED3-5.2.4.
//
// One per shard, used by its thread alone; limits are those of sip/publication.h. Whether a sender may publish is
// settled before. Who watches is told by whoever drains next_change() (reg_events.h).
//
// With a store they outlive the process, like registrations: what a crash loses is the last milliseconds.
//
//   begin()          at the start of each step
//   publish()        a PUBLISH; its answer is the caller's to send
//   next_change()    users whose settings have changed, by a PUBLISH or by time
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/metrics.h"
#include "core/random.h"
#include "core/seam.h"
#include "core/store/store.h"
#include "core/time.h"
#include "policy/history_wishes.h"
#include "policy/poc_settings.h"
#include "policy/sip_config.h"
#include "policy/user_documents.h"
#include "sip/header_lines.h"
#include "sip/publication.h"
#include "sip/transport.h"

namespace parley::policy {

class Settings {
 public:
  struct Parts {
    core::Metrics& metrics;
    core::Random& random;
    std::shared_ptr<const SipConfig> config;
    HistoryWishes* wishes = nullptr;  // told what users of this shard want recorded
  };
  explicit Settings(const Parts& parts);

  void begin(const core::Now& now, core::Outbox& out);
  // Of an earlier process, before the first step.
  void restore(const core::PublicationRow& row, const core::Now& now);

  // What it is to be answered, with headers(). Everything below 300 is done, everything else has changed nothing.
  // `aor` is the key of a user of ours.
  [[nodiscard]] std::uint16_t publish(std::string_view aor, const sip::Received& request);
  [[nodiscard]] std::span<const sip::HeaderText> headers() { return lines_.headers(); }
  [[nodiscard]] std::string_view reason() const { return reason_; }  // phrase of that answer; empty: the usual one

  // What holds for a user.
  [[nodiscard]] const ImSettings& of(std::string_view aor) const;
  // Whether he has such conversations recorded, whichever shard is his (OMA-SET-3).
  [[nodiscard]] bool wants_history(std::string_view aor, HistoryMode mode) const;
  // What those who watch him are told: appended.
  void put_document(std::string_view aor, std::string& out) const;

  // Until there is none. Publications whose time is over by `now` end here.
  [[nodiscard]] bool next_change(std::string& aor);
  [[nodiscard]] core::Instant next_deadline() const;

  void reload(std::shared_ptr<const SipConfig> config);
  // `ours`: the user whose document has changed is of this shard.
  void take(std::shared_ptr<const UserDocuments> documents, bool ours);
  [[nodiscard]] std::uint32_t publications() const { return publications_.size(); }

 private:
  // OMA-SET-7: of who has published nothing; of all, and of one who has written what shall hold then.
  [[nodiscard]] const ImSettings& defaults() const;
  [[nodiscard]] const ImSettings& defaults_of(std::string_view aor) const;
  [[nodiscard]] std::vector<PocEntity> entities(std::string_view aor) const;
  [[nodiscard]] std::uint16_t read_body(const sip::Received& request);
  void settle(std::string_view aor);
  void tell_wish(std::string_view aor);
  void store(std::string_view aor, const sip::Publication& publication);
  void forget(std::string_view aor, std::string_view name);

  std::shared_ptr<const SipConfig> config_;
  HistoryWishes* const wishes_;
  std::shared_ptr<const UserDocuments> user_documents_ = std::make_shared<UserDocuments>();
  sip::Publications publications_;
  std::map<std::string, ImSettings, std::less<>> settled_;  // of who has published
  std::deque<std::string> changes_;
  core::Now now_{};
  core::Outbox* out_ = nullptr;

  sip::HeaderLines lines_;
  std::string reason_;
};

}  // namespace parley::policy
