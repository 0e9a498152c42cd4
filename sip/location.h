// sip/location.h - where the users of one shard can be reached: bindings of addresses of record (RFC 3261 section 10,
// RFC 3327, RFC 5626).
//
// One per shard, used by its thread alone; holds the addresses of record whose hash makes them this shard's. Changes
// come from the registrar as one step that happens whole or not at all. What time, closed connections and the registrar
// do to bindings comes out as facts, for whoever notifies of registrations (RFC 3680).
#pragma once

#include <cstdint>
#include <deque>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "core/metrics.h"
#include "core/random.h"
#include "core/slot_map.h"
#include "core/time.h"
#include "core/timer_wheel.h"
#include "sip/flow.h"

namespace parley::sip {

struct LocationConfig {
  std::uint32_t aors_max = 1'000'000;       // per shard; 8 bytes each are taken at start, the rest when they are used
  std::uint32_t bindings_per_aor_max = 10;  // devices of a user, with two flows for some
  std::uint32_t binding_bytes_max =
      8 * 1024;                          // texts of one: a contact with many feature tags and a path is about 1 KiB
  std::uint64_t bytes_max = 1ULL << 30;  // of all bindings of the shard, texts and records
};

// What last happened to a binding, by the names of RFC 3680 section 5.2.
enum class BindingEvent : std::uint8_t {
  registered,
  refreshed,
  shortened,     // refreshed, with less time than it had
  unregistered,  // by its user
  expired,
  deactivated,  // by us: its connection is gone, or somebody asked for it
};
[[nodiscard]] std::string_view to_string(BindingEvent event);
[[nodiscard]] constexpr bool ends_binding(BindingEvent event) { return event >= BindingEvent::unregistered; }

struct Binding {
  std::uint64_t number = 0;  // names it for its whole life and nothing else ever in this shard
  // Names it among those of its user where it is stored, in other processes too; below 2^63. 0: it is not stored, as its
  // connection is the only way to it (outlives_process).
  std::uint64_t row = 0;
  std::string contact;       // URI as it stood between the brackets
  std::string display;       // as it stood, quotes included
  // Header parameters as they stood, from the first ';' on, without those that the registrar answers for: expires,
  // pub-gruu, temp-gruu. q, +sip.instance, reg-id and feature tags are among them.
  std::string params;
  std::string instance;      // value of +sip.instance between its quotes; empty: none
  std::uint32_t reg_id = 0;  // RFC 5626; 0: not registered as a flow
  std::uint16_t q = 1000;    // thousandths
  std::string call_id;
  std::uint32_t cseq = 0;
  std::string path;  // Path values in their order, as the value of one header: a Route header holds the same (R3327-1)
  Flow flow;         // that its last REGISTER came by
  // Requests for it go over `flow`, whatever its URI says (T-36). Of a stream: it ends with the connection (T-35).
  bool over_flow = false;
  bool server = false;  // the contact is no device but a server that has the user: requests keep their URI
  std::string user_agent;
  std::uint32_t expires_seconds = 0;  // as granted
  core::Instant expires{};
  core::Instant registered{};  // the first time, for duration-registered
  core::Instant refreshed{};   // the last time
  BindingEvent last_event = BindingEvent::registered;
};

// Who is reached over a connection can not be any more when the process that had it is gone: its client connects and
// registers again (RFC 5626 section 4.4).
[[nodiscard]] inline bool outlives_process(const Binding& binding) {
  return !binding.over_flow || !binding.flow.reliable();
}

// What happened to one binding.
struct LocationFact {
  std::string aor;
  BindingEvent event = BindingEvent::registered;
  Binding binding;         // as it is now, or was when it ended
  bool aor_ended = false;      // no binding is left
  std::uint64_t lost_row = 0;  // what is stored of it is no longer true; 0: nothing is
};

// A change the registrar asks for. `put` with a number replaces that binding and keeps its `number` and `registered`.
struct BindingChange {
  enum class Kind : std::uint8_t { put, remove };
  Kind kind = Kind::put;
  std::uint64_t number = 0;  // remove, and put for what is there already
  Binding binding;           // put
};

class Location {
 public:
  Location(const LocationConfig& config, core::Random& random, core::Metrics& metrics, core::Instant now);
  ~Location();

  enum class Applied : std::uint8_t {
    done,
    too_many,   // bindings of this address of record
    too_large,  // one binding
    no_room,    // in this shard
  };
  // All changes or, if the answer is not `done`, none. Each names a binding of `aor` that lives at `now`, no two the
  // same, or none. The facts of it are queued; what was put is moved from.
  [[nodiscard]] Applied apply(std::string_view aor, std::span<BindingChange> changes, core::Instant now);
  // One that an earlier process has stored, with its `row` and its times; no fact comes of it. Before the first apply().
  [[nodiscard]] Applied restore(std::string_view aor, Binding binding);
  // Ends all of them, as an operator may ask. How many there were.
  std::size_t remove_all(std::string_view aor);

  // In the order they were first registered. Valid until the next call that changes something. Bindings whose time is
  // over by `now` may still be among them; next_fact() takes them out.
  [[nodiscard]] std::span<const Binding> bindings(std::string_view aor) const;

  // A connection is gone, of whichever shard. Ends the bindings that are reached over it and nothing else (R5626-2:
  // other flows of the same instance stay). How many there were.
  std::size_t flow_closed(const Flow& flow);
  // Whether some binding is reached over that connection: whoever closes idle connections asks.
  [[nodiscard]] bool flow_in_use(const Flow& flow) const;

  // Facts, oldest first, until there is none. Bindings whose time is over by `now` end here.
  [[nodiscard]] bool next_fact(core::Instant now, LocationFact& fact);
  [[nodiscard]] core::Instant next_deadline() const;

  [[nodiscard]] std::uint32_t aors() const { return records_.size(); }
  [[nodiscard]] std::uint64_t binding_count() const { return binding_count_; }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  // Every address of record with its bindings, for reports: visit(aor, span<const Binding>).
  template <class Visit>
  void for_each(Visit&& visit) {
    records_.for_each([&](core::SlotId, Record& record) {
      visit(std::string_view(record.aor), std::span<const Binding>(record.bindings));
    });
  }

 private:
  struct Record {
    core::SlotId self;
    std::string aor;
    std::vector<Binding> bindings;
    core::Timer timer;  // of the binding that expires first
    core::SlotId next;  // in its bucket
  };
  // connection's shard, connection, record, binding number
  using FlowKey = std::tuple<std::uint16_t, std::uint64_t, std::uint64_t, std::uint64_t>;

  [[nodiscard]] std::size_t bucket(std::string_view aor) const;
  [[nodiscard]] const Record* find(std::string_view aor) const;
  [[nodiscard]] Record* find(std::string_view aor);
  [[nodiscard]] Record* make(std::string_view aor);
  void drop(Record& record);
  void put(Record& record, BindingChange& change, core::Instant now);
  void enter(const Record& record, const Binding& binding);
  void tell(const Record& record, const Binding& binding, std::uint64_t row_before);
  void end(Record& record, std::size_t index, BindingEvent event);
  void index_flow(const Record& record, const Binding& binding);
  void unindex_flow(const Record& record, const Binding& binding);
  void settle(Record& record);
  void expire_due(Record& record, core::Instant now);

  const LocationConfig config_;
  core::Metrics& metrics_;
  core::Random& random_;
  std::uint64_t seed_;
  core::TimerWheel wheel_;
  core::SlotMap<Record> records_;
  std::vector<core::SlotId> buckets_;  // the first record of each
  std::set<FlowKey> flows_;
  std::deque<LocationFact> facts_;
  std::uint64_t next_number_ = 1;
  std::uint64_t binding_count_ = 0;
  std::uint64_t bytes_ = 0;
};

// Which binding to try, in which order.
struct Target {
  const Binding* binding = nullptr;
  // Another flow of the instance before it: to be tried when that one failed, with 430 or in sending, never in parallel
  // with it and never after another answer (R5626-2).
  bool fallback = false;
  std::uint16_t q = 1000;           // of the first of its instance
  std::uint16_t group = 0;          // targets of one instance have one in common and nobody else's
  std::uint16_t preference = 1000;  // thousandths, how well it fits what the sender prefers (sip/preferences.h)
};
// By q, the highest first, within it the newest first; each followed by its fallbacks. Those that are over by `now` are
// left out. `targets` is cleared first.
void order_targets(std::span<const Binding> bindings, core::Instant now, std::vector<Target>& targets);

// Bindings as bytes for another shard of this process (Instants mean the same there). decode answers false, and leaves
// `bindings` empty, for bytes that encode did not write.
void encode_bindings(std::string& out, std::span<const Binding> bindings);
[[nodiscard]] bool decode_bindings(std::string_view bytes, std::vector<Binding>& bindings);

}  // namespace parley::sip
