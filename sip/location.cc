// sip/location.cc - see location.h.
#include "sip/location.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "core/check.h"
#include "core/seeded_hash.h"

namespace parley::sip {
namespace {

using core::Metric;

std::uint64_t text_bytes(const Binding& b) {
  return b.contact.size() + b.display.size() + b.params.size() + b.instance.size() + b.call_id.size() + b.path.size() +
         b.user_agent.size();
}

std::uint64_t bytes_of(const Binding& b) { return sizeof(Binding) + text_bytes(b); }

std::vector<Binding>::iterator find_number(std::vector<Binding>& bindings, std::uint64_t number) {
  return std::find_if(bindings.begin(), bindings.end(), [number](const Binding& b) { return b.number == number; });
}

bool newer(const Binding& a, const Binding& b) {
  return a.refreshed != b.refreshed ? a.refreshed > b.refreshed : a.number > b.number;
}

}  // namespace

std::string_view to_string(BindingEvent event) {
  switch (event) {
    case BindingEvent::registered: return "registered";
    case BindingEvent::refreshed: return "refreshed";
    case BindingEvent::shortened: return "shortened";
    case BindingEvent::unregistered: return "unregistered";
    case BindingEvent::expired: return "expired";
    case BindingEvent::deactivated: return "deactivated";
  }
  return "";
}

Location::Location(const LocationConfig& config, core::Random& random, core::Metrics& metrics, core::Instant now)
    : config_(config),
      metrics_(metrics),
      random_(random),
      seed_(random.next()),
      wheel_(now),
      records_(config.aors_max),
      buckets_(std::bit_ceil(std::max<std::size_t>(config.aors_max, 1))) {}

Location::~Location() {
  records_.for_each([this](core::SlotId, Record& record) { wheel_.cancel(record.timer); });
}

std::size_t Location::bucket(std::string_view aor) const {
  return core::seeded_hash(seed_, aor) & (buckets_.size() - 1);
}

const Location::Record* Location::find(std::string_view aor) const {
  const Record* record = records_.get(buckets_[bucket(aor)]);
  while (record != nullptr && record->aor != aor) record = records_.get(record->next);
  return record;
}

Location::Record* Location::find(std::string_view aor) { return const_cast<Record*>(std::as_const(*this).find(aor)); }

Location::Record* Location::make(std::string_view aor) {
  const core::SlotId id = records_.emplace();
  Record* const record = records_.get(id);
  if (record == nullptr) return nullptr;
  record->self = id;
  record->aor = aor;
  record->timer.owner = id.packed();
  core::SlotId& first = buckets_[bucket(aor)];
  record->next = std::exchange(first, id);
  bytes_ += sizeof(Record) + record->aor.size();
  metrics_.add(Metric::sip_location_aors);
  return record;
}

void Location::drop(Record& record) {
  CHECK(record.bindings.empty());
  wheel_.cancel(record.timer);
  core::SlotId* link = &buckets_[bucket(record.aor)];
  while (*link != record.self) {
    Record* const before = records_.get(*link);
    CHECK(before != nullptr);
    link = &before->next;
  }
  *link = record.next;
  bytes_ -= sizeof(Record) + record.aor.size();
  metrics_.sub(Metric::sip_location_aors);
  records_.erase(record.self);
}

Location::Applied Location::apply(std::string_view aor, std::span<BindingChange> changes, core::Instant now) {
  Record* record = find(aor);
  if (record != nullptr) expire_due(*record, now);
  record = find(aor);

  // First what would be, and whether that may be.
  std::size_t count = record == nullptr ? 0 : record->bindings.size();
  std::uint64_t bytes = bytes_;
  std::size_t puts = 0;
  for (const BindingChange& change : changes) {
    if (change.number != 0) {
      CHECK(record != nullptr);
      const auto there = find_number(record->bindings, change.number);
      CHECK(there != record->bindings.end());
      bytes -= bytes_of(*there);
      --count;
    }
    if (change.kind == BindingChange::Kind::remove) continue;
    if (text_bytes(change.binding) > config_.binding_bytes_max) {
      metrics_.add(Metric::sip_location_binding_bytes_limit);
      return Applied::too_large;
    }
    bytes += bytes_of(change.binding);
    ++count;
    ++puts;
  }
  if (puts != 0) {
    if (count > config_.bindings_per_aor_max) {
      metrics_.add(Metric::sip_location_bindings_limit);
      return Applied::too_many;
    }
    if (record == nullptr) bytes += sizeof(Record) + aor.size();
    // What makes a full shard smaller is welcome.
    const bool room = bytes <= config_.bytes_max || bytes <= bytes_;
    if (room && record == nullptr) record = make(aor);
    if (!room || record == nullptr) {
      metrics_.add(Metric::sip_location_room_limit);
      return Applied::no_room;
    }
  }
  if (record == nullptr) return Applied::done;

  // Then all of it. Removals come last, so that only the last of them finds nothing left.
  for (BindingChange& change : changes) {
    if (change.kind == BindingChange::Kind::put) put(*record, change, now);
  }
  for (const BindingChange& change : changes) {
    if (change.kind != BindingChange::Kind::remove) continue;
    const auto there = find_number(record->bindings, change.number);
    CHECK(there != record->bindings.end());
    end(*record, static_cast<std::size_t>(there - record->bindings.begin()), BindingEvent::unregistered);
  }
  settle(*record);
  return Applied::done;
}

void Location::put(Record& record, BindingChange& change, core::Instant now) {
  Binding& binding = change.binding;
  binding.refreshed = now;
  const auto new_row = [&]() -> std::uint64_t { return outlives_process(binding) ? (random_.next() >> 1) | 1 : 0; };
  if (change.number == 0) {
    binding.row = new_row();
    binding.number = next_number_++;
    binding.registered = now;
    binding.last_event = BindingEvent::registered;
    record.bindings.push_back(std::move(binding));
    ++binding_count_;
    metrics_.add(Metric::sip_location_bindings);
    tell(record, record.bindings.back(), 0);
    return;
  }
  Binding& there = *find_number(record.bindings, change.number);
  binding.number = there.number;
  const std::uint64_t row_before = there.row;
  binding.row = row_before != 0 && outlives_process(binding) ? row_before : new_row();
  binding.registered = there.registered;
  binding.last_event = binding.expires < there.expires ? BindingEvent::shortened : BindingEvent::refreshed;
  unindex_flow(record, there);
  bytes_ -= bytes_of(there);
  there = std::move(binding);
  tell(record, there, row_before);
}

void Location::enter(const Record& record, const Binding& binding) {
  bytes_ += bytes_of(binding);
  index_flow(record, binding);
}

// A binding that has just been put.
void Location::tell(const Record& record, const Binding& binding, std::uint64_t row_before) {
  enter(record, binding);
  facts_.push_back({.aor = record.aor,
                    .event = binding.last_event,
                    .binding = binding,
                    .aor_ended = false,
                    .lost_row = row_before == binding.row ? 0 : row_before});
}

void Location::end(Record& record, std::size_t index, BindingEvent event) {
  Binding& binding = record.bindings[index];
  unindex_flow(record, binding);
  bytes_ -= bytes_of(binding);
  --binding_count_;
  metrics_.sub(Metric::sip_location_bindings);
  binding.last_event = event;
  const std::uint64_t row = binding.row;
  facts_.push_back({.aor = record.aor,
                    .event = event,
                    .binding = std::move(binding),
                    .aor_ended = record.bindings.size() == 1,
                    .lost_row = row});
  record.bindings.erase(record.bindings.begin() + static_cast<std::ptrdiff_t>(index));
}

// After changes: nothing is kept of a user without bindings, and the clock is set for the others.
void Location::settle(Record& record) {
  if (record.bindings.empty()) {
    drop(record);
    return;
  }
  const auto first = std::min_element(record.bindings.begin(), record.bindings.end(),
                                      [](const Binding& a, const Binding& b) { return a.expires < b.expires; });
  wheel_.arm(record.timer, first->expires);
}

void Location::expire_due(Record& record, core::Instant now) {
  for (std::size_t i = record.bindings.size(); i-- > 0;) {
    if (record.bindings[i].expires > now) continue;
    metrics_.add(Metric::sip_location_expired);
    end(record, i, BindingEvent::expired);
  }
  settle(record);
}

Location::Applied Location::restore(std::string_view aor, Binding binding) {
  if (text_bytes(binding) > config_.binding_bytes_max) return Applied::too_large;
  Record* record = find(aor);
  if (record != nullptr && record->bindings.size() >= config_.bindings_per_aor_max) return Applied::too_many;
  if (bytes_ + bytes_of(binding) + sizeof(Record) + aor.size() > config_.bytes_max) return Applied::no_room;
  if (record == nullptr) record = make(aor);
  if (record == nullptr) return Applied::no_room;
  binding.number = next_number_++;
  record->bindings.push_back(std::move(binding));
  ++binding_count_;
  metrics_.add(Metric::sip_location_bindings);
  enter(*record, record->bindings.back());
  settle(*record);
  return Applied::done;
}

std::size_t Location::remove_all(std::string_view aor) {
  Record* const record = find(aor);
  if (record == nullptr) return 0;
  const std::size_t count = record->bindings.size();
  while (!record->bindings.empty()) end(*record, record->bindings.size() - 1, BindingEvent::deactivated);
  settle(*record);
  return count;
}

std::span<const Binding> Location::bindings(std::string_view aor) const {
  const Record* const record = find(aor);
  return record == nullptr ? std::span<const Binding>{} : std::span<const Binding>(record->bindings);
}

void Location::index_flow(const Record& record, const Binding& binding) {
  if (!binding.over_flow || !binding.flow.reliable()) return;
  flows_.emplace(binding.flow.shard, binding.flow.connection.packed(), record.self.packed(), binding.number);
}

void Location::unindex_flow(const Record& record, const Binding& binding) {
  if (!binding.over_flow || !binding.flow.reliable()) return;
  flows_.erase({binding.flow.shard, binding.flow.connection.packed(), record.self.packed(), binding.number});
}

std::size_t Location::flow_closed(const Flow& flow) {
  if (!flow.reliable()) return 0;
  std::size_t count = 0;
  const std::uint64_t connection = flow.connection.packed();
  for (;;) {
    const auto first = flows_.lower_bound({flow.shard, connection, 0, 0});
    if (first == flows_.end() || std::get<0>(*first) != flow.shard || std::get<1>(*first) != connection) return count;
    Record* const record = records_.get(core::SlotId::unpack(std::get<2>(*first)));
    CHECK(record != nullptr);
    const auto there = find_number(record->bindings, std::get<3>(*first));
    CHECK(there != record->bindings.end());
    metrics_.add(Metric::sip_location_flows_closed);
    end(*record, static_cast<std::size_t>(there - record->bindings.begin()), BindingEvent::deactivated);
    settle(*record);
    ++count;
  }
}

bool Location::flow_in_use(const Flow& flow) const {
  const auto first = flows_.lower_bound({flow.shard, flow.connection.packed(), 0, 0});
  return flow.reliable() && first != flows_.end() && std::get<0>(*first) == flow.shard &&
         std::get<1>(*first) == flow.connection.packed();
}

bool Location::next_fact(core::Instant now, LocationFact& fact) {
  while (facts_.empty()) {
    const core::Timer* const timer = wheel_.expire_one(now);
    if (timer == nullptr) return false;
    Record* const record = records_.get(core::SlotId::unpack(timer->owner));
    CHECK(record != nullptr);
    expire_due(*record, now);
  }
  fact = std::move(facts_.front());
  facts_.pop_front();
  return true;
}

core::Instant Location::next_deadline() const { return facts_.empty() ? wheel_.next_deadline() : core::Instant{}; }

void order_targets(std::span<const Binding> bindings, core::Instant now, std::vector<Target>& targets) {
  targets.clear();
  for (const Binding& binding : bindings) {
    if (binding.expires > now) targets.push_back({.binding = &binding});
  }
  std::sort(targets.begin(), targets.end(),
            [](const Target& a, const Target& b) { return newer(*a.binding, *b.binding); });
  for (std::size_t i = 0; i < targets.size(); ++i) {
    Target& target = targets[i];
    const auto first =
        std::find_if(targets.begin(), targets.begin() + static_cast<std::ptrdiff_t>(i), [&](const Target& t) {
          return !target.binding->instance.empty() && t.binding->instance == target.binding->instance;
        });
    target.fallback = &*first != &target;
    target.group = static_cast<std::uint16_t>(first - targets.begin());
    target.q = first->binding->q;
  }
  // Inside a group the newest come first already; sorting must not change that.
  std::sort(targets.begin(), targets.end(), [](const Target& a, const Target& b) {
    if (a.q != b.q) return a.q > b.q;
    if (a.group != b.group) return a.group < b.group;
    return newer(*a.binding, *b.binding);
  });
}

}  // namespace parley::sip
