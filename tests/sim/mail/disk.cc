// tests/sim/mail/disk.cc - see disk.h.
#include "tests/sim/mail/disk.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <tuple>

namespace parley::sim::mail {

Duration Disk::latency() {
  if (rng_.permille(slow_permille_)) return std::chrono::milliseconds(rng_.scaled(50, 9000));
  return std::chrono::microseconds(rng_.scaled(100, 20'000));
}

void Disk::take(Place& place, Shard& from, std::vector<core::StoreOp>& ops) {
  const auto at =
      std::find_if(place.shards.begin(), place.shards.end(), [&](const auto& s) { return s.get() == &from; });
  if (at == place.shards.end()) return;  // of a process that has died
  const auto shard = static_cast<std::uint32_t>(at - place.shards.begin());
  std::vector<core::StoreOp> rows;
  for (core::StoreOp& op : ops) {
    if (Bodies::takes(op)) {
      body_ops_.push_back({shard, std::move(op)});
    } else {
      rows.push_back(std::move(op));
    }
  }
  ops.clear();
  next_body(place);
  if (rows.empty()) return;
  store_.submit(shard, rows);
  if (due_) return;
  due_ = true;
  world_.agenda.after(latency(), [this, &place, life = life_] {
    if (life == life_) commit(place);
  });
}

void Disk::commit(Place& place) {
  due_ = false;
  std::vector<tests::FakeStore::Answer> answers;
  for (tests::FakeStore::Answer answer; store_.next(answer);) answers.push_back(std::move(answer));
  world_.journal.line("the disk has it: %zu answers, %zu messages, %zu to several", answers.size(),
                      store_.deferred.size(), store_.sendings.size());
  follow_rows();
  next_body(place);
  world_.agenda.after(std::chrono::microseconds(rng_.between(0, 2000)),
                      [this, &place, answers = std::move(answers), life = life_] {
                        if (life != life_) return;
                        for (const auto& answer : answers) place.shards[answer.shard]->stored(answer.result);
                      });
}

// Of each new row its body has to be there for good; with one that is gone goes its body. What is sent again is there
// once.
void Disk::follow_rows() {
  std::set<std::tuple<std::string_view, std::string_view, std::string_view>> known;
  for (const auto& [id, row] : store_.deferred) {
    if (!row.message_id.empty() && !known.emplace(row.aor, row.sender, row.message_id).second) {
      world_.journal.fail("store: %s waits twice for %s", row.message_id.c_str(), row.aor.c_str());
    }
  }
  for (const auto& [id, row] : store_.deferred) {
    if (row.large_bytes == 0 || !large_.emplace(id, row.large_bytes).second) continue;
    if (!bodies_.lasts(id, row.large_bytes)) {
      world_.journal.fail("store: a row says that %s is there, and its body could be lost", row.message_id.c_str());
    }
  }
  for (auto at = large_.begin(); at != large_.end();) {
    if (store_.deferred.contains(at->first)) {
      ++at;
      continue;
    }
    body_ops_.push_back({0, {0, core::DropBody{at->first}}});
    at = large_.erase(at);
  }
}

// One after the other, in its time.
void Disk::next_body(Place& place) {
  if (body_due_ || body_ops_.empty()) return;
  body_due_ = true;
  const Duration time = latency() / 4;
  world_.agenda.after(time, [this, &place, life = life_] {
    if (life != life_) return;
    body_due_ = false;
    const BodyOp next = std::move(body_ops_.front());
    body_ops_.pop_front();
    core::StoreResult result;
    bodies_.carry_out(next.op, store_.full, result);
    if (next.op.token != 0) {  // answers come in their order
      body_told_ = std::max(body_told_, world_.agenda.now() + std::chrono::microseconds(rng_.between(0, 2000)));
      world_.agenda.at(body_told_, [this, &place, shard = next.shard, result, life] {
        if (life == life_) place.shards[shard]->stored(result);
      });
    }
    next_body(place);
  });
}

void Disk::crash() {
  ++life_;
  due_ = body_due_ = false;
  body_ops_.clear();
  store_.lose_waiting();
  bodies_.crash(rng_.coin(1, 2));
  for (const auto& [id, bytes] : large_) {
    if (!bodies_.is_there(id, bytes)) world_.journal.fail("store: the body of a row is gone or not whole");
  }
}

core::StoreContents Disk::read(std::int64_t wall_ms) {
  std::erase_if(store_.bindings, [wall_ms](const auto& each) { return each.second.expires_ms <= wall_ms; });
  store_.begin(wall_ms);
  bodies_.keep_only([this](std::uint64_t id) { return store_.deferred.contains(id); });
  return store_.contents();
}

}  // namespace parley::sim::mail
